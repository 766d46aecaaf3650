package config

import (
	"regexp"
	"sync"
)

// A pattern is what a value may look like. Its expression is compiled when it is first needed, because most variables are not
// set and each expression would cost the function's start; and it bounds no length, which would make it a long program.
type pattern struct {
	expression  func() *regexp.Regexp
	least, most int // bytes
}

func newPattern(expression string, least, most int) pattern {
	return pattern{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) }), least, most}
}

// MatchString tells whether the value looks like that.
func (p pattern) MatchString(value string) bool {
	return len(value) >= p.least && len(value) <= p.most && p.expression().MatchString(value)
}

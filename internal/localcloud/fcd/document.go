package fcd

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
)

// problems collects what is wrong with a document, each with its path.
type problems struct{ list []error }

func (p *problems) add(path, format string, args ...any) {
	p.list = append(p.list, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

func (p *problems) err() error { return errors.Join(p.list...) }

// A node is a value of a document, with its path. Reading it as what it is not reports a problem and yields a zero value;
// an absent node reads as zero without a problem.
type node struct {
	path     string
	value    any
	problems *problems
}

func (n node) present() bool { return n.value != nil }

func (n node) problem(format string, args ...any) { n.problems.add(n.path, format, args...) }

// object is a mapping of which only the named keys are known.
func (n node) object(known ...string) object {
	if !n.present() {
		return object{node: n}
	}
	m, ok := n.value.(map[string]any)
	if !ok {
		n.problem("not a mapping")
		return object{node: n}
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(known, key) {
			n.problems.add(join(n.path, key), "unknown key")
		}
	}
	return object{node: n, m: m}
}

type object struct {
	node
	m map[string]any
}

func (o object) get(key string) node { return node{join(o.path, key), o.m[key], o.problems} }

// need is get for a key that has to be there.
func (o object) need(key string) node {
	n := o.get(key)
	if !n.present() && o.m != nil {
		n.problem("missing")
	}
	return n
}

func (n node) text() string {
	s, ok := n.value.(string)
	if n.present() && !ok {
		n.problem("not a string")
	}
	return s
}

// oneOf is text that has to be one of a few words.
func (n node) oneOf(words ...string) string {
	s := n.text()
	if _, ok := n.value.(string); ok && !slices.Contains(words, s) {
		n.problem("%q is none of %s", s, strings.Join(words, ", "))
	}
	return s
}

// matching is text that has to match a pattern in full.
func (n node) matching(pattern *regexp.Regexp) string {
	s := n.text()
	if _, ok := n.value.(string); ok && !pattern.MatchString(s) {
		n.problem("%q does not match %s", s, pattern)
	}
	return s
}

func (n node) boolean() bool {
	b, ok := n.value.(bool)
	if n.present() && !ok {
		n.problem("not a boolean")
	}
	return b
}

func (n node) number(low, high float64) float64 {
	var f float64
	switch v := n.value.(type) {
	case nil:
		return 0
	case uint64:
		f = float64(v)
	case int64:
		f = float64(v)
	case float64:
		f = v
	default:
		n.problem("not a number")
		return 0
	}
	if f < low || f > high || math.IsNaN(f) {
		n.problem("%v is not between %v and %v", f, low, high)
		return 0
	}
	return f
}

func (n node) integer(low, high int) int {
	f := n.number(float64(low), float64(high))
	if f != math.Trunc(f) {
		n.problem("not an integer")
	}
	return int(f)
}

func (n node) list() []node {
	if !n.present() {
		return nil
	}
	values, ok := n.value.([]any)
	if !ok {
		n.problem("not a list")
	}
	nodes := make([]node, len(values))
	for i, v := range values {
		nodes[i] = node{fmt.Sprintf("%s[%d]", n.path, i), v, n.problems}
	}
	return nodes
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// reference matches ${…}.
var reference = regexp.MustCompile(`\$\{([^}]*)\}`)

// expand replaces ${vars.name} throughout a value. A text that is nothing but one reference takes the variable's type.
func expand(n node, vars map[string]any) any {
	switch v := n.value.(type) {
	case map[string]any:
		result := make(map[string]any, len(v))
		for key, element := range v {
			result[key] = expand(node{join(n.path, key), element, n.problems}, vars)
		}
		return result
	case []any:
		result := make([]any, len(v))
		for i, element := range v {
			result[i] = expand(node{fmt.Sprintf("%s[%d]", n.path, i), element, n.problems}, vars)
		}
		return result
	case string:
		return expandText(n, v, vars)
	default:
		return v
	}
}

func expandText(n node, text string, vars map[string]any) any {
	lookup := func(match string) any {
		name, ok := strings.CutPrefix(match[2:len(match)-1], "vars.")
		value, known := vars[name]
		if !ok || !known {
			n.problem("%s is not a declared variable", match)
			return match
		}
		return value
	}
	if match := reference.FindString(text); match != "" && match == text {
		return lookup(match)
	}
	return reference.ReplaceAllStringFunc(text, func(match string) string { return fmt.Sprint(lookup(match)) })
}

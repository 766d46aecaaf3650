package rosd

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readParameters gives every parameter a value of its type that keeps its own rules.
func (t *template) readParameters(declared object) {
	t.values = map[string]any{"ALIYUN::Region": t.request.Region, "ALIYUN::TenantId": t.request.AccountID}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		path := "Parameters." + name
		p := t.mapping(path, declared[name],
			"Type", "Description", "Default", "AllowedPattern", "AllowedValues", "ConstraintDescription", "MaxLength", "MinValue", "MaxValue", "NoEcho")
		t.text(path+".Description", p["Description"])
		if _, ok := p["NoEcho"].(bool); !ok && p["NoEcho"] != nil {
			t.problems.add(path+".NoEcho", "not a boolean")
		}
		text, given := t.request.Parameters[name]
		if !given && p["Default"] == nil {
			t.problems.add(path, "has neither a default nor a value")
			continue
		}
		if !given {
			text = fmt.Sprint(p["Default"])
		}
		t.values[name] = t.typed(path, t.text(path+".Type", p["Type"]), text)
		t.checkRules(path, p, text)
	}
	for _, name := range slices.Sorted(maps.Keys(t.request.Parameters)) {
		if declared[name] == nil {
			t.problems.add("Parameters."+name, "a value for a parameter that the template does not have")
		}
	}
}

func (t *template) typed(path, kind, text string) any {
	switch kind {
	case "String":
		return text
	case "Number":
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.problems.add(path, "%q is not a number", text)
		}
		return n
	case "CommaDelimitedList":
		list := []any{} // Guess: nothing is a list of nothing
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		return list
	case "Boolean":
		b, err := strconv.ParseBool(text)
		if err != nil {
			t.problems.add(path, "%q is not a boolean", text)
		}
		return b
	}
	t.problems.add(path+".Type", "%q is not a known type", kind)
	return text
}

// checkRange holds a number against MinValue and MaxValue.
func (t *template) checkRange(path string, p object, text string) {
	n, err := strconv.ParseFloat(text, 64) // another text than a number is reported already
	for _, bound := range []string{"MinValue", "MaxValue"} {
		if p[bound] == nil {
			continue
		}
		limit, ok := p[bound].(uint64)
		switch {
		case !ok || p["Type"] != "Number":
			t.problems.add(path+"."+bound, "not a number, or not of one")
		case err == nil && (bound == "MinValue" && n < float64(limit) || bound == "MaxValue" && n > float64(limit)):
			t.problems.add(path, "%s is out of range: %s is %d", text, bound, limit)
		}
	}
}

// checkRules holds a value against the rules of its parameter. ConstraintDescription is what people are shown then.
func (t *template) checkRules(path string, p object, text string) {
	hint := t.text(path+".ConstraintDescription", p["ConstraintDescription"])
	if pattern := t.text(path+".AllowedPattern", p["AllowedPattern"]); pattern != "" {
		expression, err := regexp.Compile(pattern)
		switch {
		case err != nil:
			t.problems.add(path+".AllowedPattern", "%v", err)
		case !expression.MatchString(text):
			t.problems.add(path, "%q is not allowed: %s", text, hint)
		}
	}
	if longest, ok := p["MaxLength"].(uint64); ok && uint64(utf8.RuneCountInString(text)) > longest {
		t.problems.add(path, "%d characters, at most %d are allowed", utf8.RuneCountInString(text), longest)
	} else if !ok && p["MaxLength"] != nil {
		t.problems.add(path+".MaxLength", "not a number")
	}
	t.checkRange(path, p, text)
	allowed, ok := p["AllowedValues"].([]any)
	if !ok && p["AllowedValues"] != nil {
		t.problems.add(path+".AllowedValues", "not a list")
	}
	if ok && !slices.ContainsFunc(allowed, func(v any) bool { return fmt.Sprint(v) == text }) {
		t.problems.add(path, "%q is none of %v", text, allowed)
	}
}

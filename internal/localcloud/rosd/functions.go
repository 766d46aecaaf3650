package rosd

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// reference matches ${name} in the text of Fn::Sub.
var reference = regexp.MustCompile(`\$\{([^}]*)\}`)

// resolve replaces the intrinsic functions in a value.
func (t *template) resolve(path string, value any) any {
	switch v := value.(type) {
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = t.resolve(fmt.Sprintf("%s[%d]", path, i), element)
		}
		return out
	case object:
		if name, argument, ok := t.function(path, v); ok {
			return t.call(path+"."+name, name, argument)
		}
		out := make(object, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out[key] = t.resolve(path+"."+key, v[key])
		}
		return out
	}
	return value
}

// function tells whether a mapping is a call, which it is by its one key.
func (t *template) function(path string, m object) (name string, argument any, is bool) {
	for key, value := range m {
		if key != "Ref" && !strings.HasPrefix(key, "Fn::") {
			continue
		}
		if len(m) > 1 {
			t.problems.add(path, "%s beside other keys", key)
		}
		return key, value, true
	}
	return "", nil, false
}

func (t *template) call(path, name string, argument any) any {
	switch name {
	case "Ref":
		return t.ref(path, t.text(path, argument))
	case "Fn::Sub":
		return t.sub(path, t.text(path, argument))
	case "Fn::GetAtt":
		return t.getAtt(path, argument)
	case "Fn::Join":
		return t.join(path, argument)
	}
	t.problems.add(path, "an unknown function")
	return nil
}

func (t *template) ref(path, name string) any {
	value, ok := t.values[name]
	if !ok {
		t.problems.add(path, "%q is neither a parameter nor a known pseudo parameter", name)
	}
	return value
}

func (t *template) sub(path, text string) string {
	return reference.ReplaceAllStringFunc(text, func(match string) string {
		return fmt.Sprint(t.ref(path, match[2:len(match)-1]))
	})
}

func (t *template) join(path string, argument any) any {
	arguments, _ := t.resolve(path, argument).([]any)
	if len(arguments) != 2 {
		t.problems.add(path, "not a delimiter and a list")
		return nil
	}
	parts, ok := arguments[1].([]any)
	if !ok {
		t.problems.add(path, "not a delimiter and a list")
	}
	words := make([]string, len(parts))
	for i, part := range parts {
		words[i] = fmt.Sprint(part)
	}
	return strings.Join(words, t.text(path, arguments[0]))
}

func (t *template) getAtt(path string, argument any) any {
	names, ok := argument.([]any)
	if !ok || len(names) != 2 {
		t.problems.add(path, "not a resource and an attribute")
		return nil
	}
	id, name := t.text(path, names[0]), t.text(path, names[1])
	r, ok := t.resources[id]
	if !ok || !r.wanted {
		t.problems.add(path, "there is no resource %q", id)
		return nil
	}
	attribute, ok := r.kind.attributes[name]
	if !ok {
		t.problems.add(path, "%s has no known attribute %q", r.kindName, name)
		return nil
	}
	if r.state == resolving {
		t.problems.add(path, "%s depends on itself", id)
		return nil
	}
	t.resolveResource(r)
	return attribute(t.request, r.properties)
}

// condition evaluates a named condition. within are the conditions that are being evaluated.
func (t *template) condition(path, name string, within []string) bool {
	value, ok := t.conditions[name]
	switch {
	case !ok:
		t.problems.add(path, "there is no condition %q", name)
		return false
	case slices.Contains(within, name):
		t.problems.add(path, "%s depends on itself", name)
		return false
	}
	return t.holds("Conditions."+name, value, append(within, name))
}

// holds evaluates a condition: the name of another, or one of the functions.
func (t *template) holds(path string, value any, within []string) bool {
	if name, ok := value.(string); ok {
		return t.condition(path, name, within)
	}
	m, _ := value.(object)
	name, argument, ok := t.function(path, m)
	if !ok {
		t.problems.add(path, "not a condition")
		return false
	}
	path += "." + name
	switch name {
	case "Fn::Not":
		return !t.holds(path, argument, within)
	case "Fn::And":
		all := true
		for i, part := range t.parts(path, argument) {
			all = t.holds(fmt.Sprintf("%s[%d]", path, i), part, within) && all
		}
		return all
	case "Fn::Equals":
		pair := t.parts(path, t.resolve(path, argument))
		if len(pair) != 2 {
			t.problems.add(path, "not two values")
			return false
		}
		return reflect.DeepEqual(pair[0], pair[1])
	}
	t.problems.add(path, "an unknown function")
	return false
}

func (t *template) parts(path string, value any) []any {
	list, ok := value.([]any)
	if !ok {
		t.problems.add(path, "not a list")
	}
	return list
}

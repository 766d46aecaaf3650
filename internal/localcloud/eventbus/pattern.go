package eventbus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A Pattern selects events, as the filter of an EventBridge rule does: its fields are combined with "and", the values of a
// field with "or", and every comparison is case-sensitive.
type Pattern struct {
	root fields
}

// maxDepth bounds the nesting of a pattern.
const maxDepth = 32

// ParsePattern reads a pattern. An operator that EventBridge does not document is an error.
func ParsePattern(document []byte) (Pattern, error) {
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil {
		return Pattern{}, fmt.Errorf("decode event pattern: %w", err)
	}
	if dec.More() || object == nil {
		return Pattern{}, errors.New("decode event pattern: not one JSON object")
	}
	root, err := parseFields(object, 0)
	if err != nil {
		return Pattern{}, fmt.Errorf("decode event pattern: %w", err)
	}
	return Pattern{root: root}, nil
}

// Matches tells whether the pattern selects the event, which is a JSON object. What is no JSON object is never selected.
func (p Pattern) Matches(event []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(event))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil || object == nil {
		return false
	}
	return p.root.match(object)
}

// fields are the conditions of one object, all of which have to hold.
type fields map[string]field

// A field is either an object of its own or a list of conditions, one of which has to hold.
type field struct {
	nested fields
	anyOf  []condition
}

// A condition judges the value of a field; present is false if the event lacks the field.
type condition func(value any, present bool) bool

func parseFields(object map[string]any, depth int) (fields, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	result := fields{}
	for name, value := range object {
		var f field
		var err error
		switch v := value.(type) {
		case map[string]any:
			f.nested, err = parseFields(v, depth+1)
		case []any:
			f.anyOf, err = parseConditions(v)
		default:
			err = errors.New("the value is neither a list nor an object")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		result[name] = f
	}
	return result, nil
}

func parseConditions(list []any) ([]condition, error) {
	if len(list) == 0 {
		return nil, errors.New("an empty list matches nothing")
	}
	conditions := make([]condition, 0, len(list))
	for _, element := range list {
		c, err := parseCondition(element)
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, c)
	}
	return conditions, nil
}

func parseCondition(element any) (condition, error) {
	object, ok := element.(map[string]any)
	if !ok {
		if _, list := element.([]any); list {
			return nil, errors.New("a list within a list")
		}
		return exactly(element), nil
	}
	if len(object) != 1 {
		return nil, fmt.Errorf("%d operators in one condition, not 1", len(object))
	}
	var operator string
	for operator = range object {
	}
	c, err := parseOperator(operator, object[operator])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operator, err)
	}
	return c, nil
}

func parseOperator(operator string, operand any) (condition, error) {
	switch operator {
	case "prefix", "suffix", "contains":
		return textual(operator, operand)
	case "anything-but":
		return anythingBut(operand)
	case "exists":
		want, ok := operand.(bool)
		if !ok {
			return nil, errors.New("the operand is not a boolean")
		}
		return func(_ any, present bool) bool { return present == want }, nil
	case "numeric":
		return numeric(operand)
	case "cidr":
		return cidr(operand)
	}
	return nil, errors.New("unknown operator")
}

// exactly compares scalars. Numbers are compared as they are written: 300 and 3.0e2 differ, as EventBridge documents.
func exactly(want any) condition {
	return func(value any, present bool) bool { return present && value == want }
}

func textual(operator string, operand any) (condition, error) {
	want, ok := operand.(string)
	if !ok || want == "" {
		return nil, errors.New("the operand is not a string, or empty")
	}
	test := map[string]func(s, t string) bool{
		"prefix": strings.HasPrefix, "suffix": strings.HasSuffix, "contains": strings.Contains,
	}[operator]
	return func(value any, present bool) bool {
		s, ok := value.(string)
		return present && ok && test(s, want)
	}, nil
}

// anythingBut matches a field that is present and has none of the excluded values.
func anythingBut(operand any) (condition, error) {
	var excluded []condition
	switch v := operand.(type) {
	case string, json.Number:
		excluded = []condition{exactly(v)}
	case []any:
		for _, element := range v {
			switch element.(type) {
			case string, json.Number:
				excluded = append(excluded, exactly(element))
			default:
				return nil, errors.New("a list may hold strings and numbers only")
			}
		}
	case map[string]any:
		prefix, ok := v["prefix"]
		if !ok || len(v) != 1 {
			return nil, errors.New("an object may hold prefix only")
		}
		c, err := textual("prefix", prefix)
		if err != nil {
			return nil, fmt.Errorf("prefix: %w", err)
		}
		excluded = []condition{c}
	}
	if len(excluded) == 0 {
		return nil, errors.New("the operand excludes nothing")
	}
	return func(value any, present bool) bool {
		return present && !slices.ContainsFunc(excluded, func(c condition) bool { return c(value, true) })
	}, nil
}

// numeric reads a list such as [">", 0, "<=", 5], all of which has to hold.
func numeric(operand any) (condition, error) {
	list, ok := operand.([]any)
	if !ok || len(list) == 0 || len(list)%2 != 0 {
		return nil, errors.New("the operand is not a list of comparisons and numbers")
	}
	comparisons := map[string]func(a, b float64) bool{
		"=": func(a, b float64) bool { return a == b }, "<": func(a, b float64) bool { return a < b },
		"<=": func(a, b float64) bool { return a <= b }, ">": func(a, b float64) bool { return a > b },
		">=": func(a, b float64) bool { return a >= b },
	}
	var tests []func(float64) bool
	for pair := range slices.Chunk(list, 2) {
		name, _ := pair[0].(string)
		compare, known := comparisons[name]
		bound, err := number(pair[1])
		if !known || err != nil {
			return nil, fmt.Errorf("%v %v is not a comparison and a number", pair[0], pair[1])
		}
		tests = append(tests, func(n float64) bool { return compare(n, bound) })
	}
	return func(value any, present bool) bool {
		n, err := number(value)
		return present && err == nil && !slices.ContainsFunc(tests, func(test func(float64) bool) bool { return !test(n) })
	}, nil
}

func number(value any) (float64, error) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, errors.New("not a number")
	}
	return n.Float64()
}

func cidr(operand any) (condition, error) {
	text, _ := operand.(string)
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, err
	}
	return func(value any, present bool) bool {
		text, _ := value.(string)
		address, err := netip.ParseAddr(text)
		return present && err == nil && network.Contains(address)
	}, nil
}

func (fs fields) match(object map[string]any) bool {
	for name, f := range fs {
		value, present := object[name]
		if !f.match(value, present) {
			return false
		}
	}
	return true
}

// match judges a list in the event by its elements: one that matches is enough.
func (f field) match(value any, present bool) bool {
	if f.nested != nil {
		object, _ := value.(map[string]any)
		return f.nested.match(object)
	}
	values := []any{value}
	if list, ok := value.([]any); ok && len(list) > 0 {
		values = list
	}
	return slices.ContainsFunc(f.anyOf, func(c condition) bool {
		return slices.ContainsFunc(values, func(v any) bool { return c(v, present) })
	})
}

package handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A DecodeError is an event, or the body of a request, that cannot be understood. Repeating it does not help.
type DecodeError struct {
	// Field is where, such as events[0].data.imageId.
	Field string
	// Problem is what is wrong there, Hint what to do about it.
	Problem string
	Hint    string
	// invalid: the value has the right type, but is not an allowed one.
	invalid bool
}

func (e *DecodeError) Error() string {
	s := fmt.Sprintf("decode %s: %s", e.Field, e.Problem)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// A value is a JSON value, or the lack of one, with its place in the event. It reads JSON exactly where encoding/json
// would match the names of fields in any case and could not tell where an error is.
type value struct {
	path string
	raw  json.RawMessage
}

// An object is a value whose fields can be asked for.
type object struct {
	path   string
	fields map[string]json.RawMessage
}

func (v value) fail(problem, hint string) error {
	return &DecodeError{Field: v.path, Problem: problem, Hint: hint}
}

func (v value) invalid(problem, hint string) error {
	return &DecodeError{Field: v.path, Problem: problem, Hint: hint, invalid: true}
}

// present tells whether there is a value other than null.
func (v value) present() bool { return v.kind() != "missing" }

func (v value) kind() string {
	raw := bytes.TrimLeft(v.raw, " \t\r\n")
	if len(raw) == 0 {
		return "missing"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "missing"
	default:
		return "a number"
	}
}

// wrong is the error for a value that is not what was expected.
func (v value) wrong(want string) error {
	if !v.present() {
		return v.fail("is missing", "expected "+want)
	}
	return v.fail("is "+v.kind(), "expected "+want)
}

// parse checks the syntax of the whole value: only what comes from outside, and escaped JSON, needs it.
func (v value) parse() error {
	var syntax *json.SyntaxError
	switch err := json.Unmarshal(v.raw, new(json.RawMessage)); {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return v.fail(fmt.Sprintf("is not JSON (at byte %d: %v)", syntax.Offset, err), "send one JSON document")
	default:
		return v.fail("is not JSON", "send one JSON document")
	}
}

func (v value) object() (object, error) {
	fields := map[string]json.RawMessage{}
	if v.kind() != "an object" {
		return object{}, v.wrong("an object")
	}
	if err := json.Unmarshal(v.raw, &fields); err != nil {
		return object{}, v.fail("is not a JSON object", "")
	}
	return object{v.path, fields}, nil
}

// embedded is object for a value that may also be a string of escaped JSON.
func (v value) embedded() (object, error) {
	if v.kind() != "a string" {
		return v.object()
	}
	inner, err := v.unescape()
	if err != nil {
		return object{}, err
	}
	return inner.object()
}

// unescape reads the JSON in a string.
func (v value) unescape() (value, error) {
	text, err := v.text()
	if err != nil {
		return value{}, err
	}
	inner := value{v.path, json.RawMessage(text)}
	if err := inner.parse(); err != nil {
		return value{}, err
	}
	return inner, nil
}

func (v value) array() ([]value, error) {
	var items []json.RawMessage
	if v.kind() != "an array" {
		return nil, v.wrong("an array")
	}
	if err := json.Unmarshal(v.raw, &items); err != nil {
		return nil, v.fail("is not a JSON array", "")
	}
	values := make([]value, len(items))
	for i, item := range items {
		values[i] = value{fmt.Sprintf("%s[%d]", v.path, i), item}
	}
	return values, nil
}

// text is a string, or a number's digits (account ids are sent as both), or "" when there is none.
func (v value) text() (string, error) {
	switch v.kind() {
	case "missing":
		return "", nil
	case "a number":
		return string(bytes.TrimSpace(v.raw)), nil
	case "a string":
		var s string
		if err := json.Unmarshal(v.raw, &s); err != nil {
			return "", v.fail("is not a JSON string", "")
		}
		return s, nil
	default:
		return "", v.wrong("a string")
	}
}

// required is text for a value that must not be empty.
func (v value) required() (string, error) {
	s, err := v.text()
	if err == nil && s == "" {
		if v.present() {
			return "", v.fail("is empty", "expected a string")
		}
		return "", v.wrong("a string")
	}
	return s, err
}

// optional is text for a value that decides nothing, so that one of another type is no reason to refuse the event.
func (v value) optional() string {
	s, err := v.text()
	if err != nil {
		return ""
	}
	return clip(s, 256)
}

// truth is a boolean, false when there is none.
func (v value) truth() (bool, error) {
	if !v.present() {
		return false, nil
	}
	var b bool
	if v.kind() != "a boolean" {
		return false, v.wrong("true or false")
	}
	if err := json.Unmarshal(v.raw, &b); err != nil {
		return false, v.fail("is not a JSON boolean", "")
	}
	return b, nil
}

// count is a whole number from 0, 0 when there is none.
func (v value) count() (int, error) {
	if !v.present() {
		return 0, nil
	}
	if v.kind() != "a number" {
		return 0, v.wrong("a whole number")
	}
	var n int
	if err := json.Unmarshal(v.raw, &n); err != nil || n < 0 {
		return 0, v.invalid("is "+clip(string(v.raw), 32), "expected a whole number, 0 or more")
	}
	return n, nil
}

// at is the value of a field; an absent one is a value that is not present.
func (o object) at(field string) value {
	return value{o.path + "." + field, o.fields[field]}
}

func (o object) has(field string) bool { return o.at(field).present() }

// only refuses fields other than these.
func (o object) only(known ...string) error {
	for _, field := range slices.Sorted(maps.Keys(o.fields)) {
		if !slices.Contains(known, field) {
			return value{path: o.path + "." + clip(field, 64)}.fail("is not a known field", "known are "+strings.Join(known, ", "))
		}
	}
	return nil
}

// clip bounds text from outside before it is stored, printed or logged.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

package alicloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The types below read fields whose JSON type differs between versions of the API, and between its documents and its
// answers: SupportCancel is a string or a boolean, Size a number or a string.

// text is a string, also when it was sent as a number or a boolean.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case '"':
		if plain := data[1 : len(data)-1]; !bytes.ContainsRune(plain, '\\') && utf8.Valid(plain) {
			*t = text(plain) // as nearly all are
			return nil
		}
		return json.Unmarshal(data, (*string)(t))
	case '{', '[':
		return errors.New("not a scalar")
	}
	if *t = text(data); *t == "null" {
		*t = ""
	}
	return nil
}

// number is a whole number, also when it was sent as a string; what is none is 0.
type number int64

func (n *number) UnmarshalJSON(data []byte) error {
	var t text
	if err := t.UnmarshalJSON(data); err != nil {
		return err
	}
	value, _ := strconv.ParseInt(strings.TrimSpace(string(t)), 10, 64)
	*n = number(value)
	return nil
}

// flag is a boolean, also when it was sent as a string or a number; what is none is false.
type flag bool

func (f *flag) UnmarshalJSON(data []byte) error {
	var t text
	if err := t.UnmarshalJSON(data); err != nil {
		return err
	}
	value, _ := strconv.ParseBool(strings.TrimSpace(string(t)))
	*f = flag(value)
	return nil
}

// list is the API's {"Image":[…]}. An empty one comes in many forms; a bare array and a single element are understood.
type list[T any] []T

func (l *list[T]) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case '[':
		return json.Unmarshal(data, (*[]T)(l))
	case '{':
	case 'n': // null
		return nil
	default:
		if string(data) == `""` {
			return nil
		}
		return errors.New("not a list")
	}
	if inner, ok := wrapped(data); ok && json.Unmarshal(inner, (*[]T)(l)) == nil {
		return nil
	}
	*l = nil
	var wrapper map[string]json.RawMessage
	if err := json.Unmarshal(data, &wrapper); err != nil {
		return err
	}
	if len(wrapper) > 1 {
		return errors.New("not a list")
	}
	for _, inner := range wrapper {
		switch inner[0] {
		case '[':
			return json.Unmarshal(inner, (*[]T)(l))
		case '{':
			var one T
			if err := json.Unmarshal(inner, &one); err != nil {
				return err
			}
			*l = list[T]{one}
		case 'n':
		default:
			if string(inner) != `""` {
				return errors.New("not a list")
			}
		}
	}
	return nil
}

// wrapped is the array in {"Image":[…]}, found without reading through it: a page of images has a hundred of them, with three lists
// each. What only looks like that is no array to whoever decodes it.
func wrapped(object []byte) (array []byte, ok bool) {
	inside := bytes.TrimSpace(object[1 : len(object)-1])
	_, rest, ok := bytes.Cut(bytes.TrimPrefix(inside, []byte{'"'}), []byte{'"'})
	rest, colon := bytes.CutPrefix(bytes.TrimSpace(rest), []byte{':'})
	rest = bytes.TrimSpace(rest)
	return rest, ok && colon && bytes.HasPrefix(rest, []byte{'['})
}

// decodeAnswer reads an answer of ECS: a JSON object with the id of the request, as all of them have. Without it an empty
// object from somewhere else would read as "there is none": no such image, no such task.
func decodeAnswer(body []byte, answer any) error {
	var head struct {
		RequestID text `json:"RequestId"`
	}
	err := decodeJSON(body, &head)
	if err == nil && head.RequestID == "" {
		err = errors.New("no request id")
	}
	if err != nil {
		return err
	}
	return decodeJSON(body, answer)
}

// decodeJSON reads an answer that has to be a JSON object.
func decodeJSON(body []byte, answer any) error {
	body = bytes.TrimSpace(body)
	if !bytes.HasPrefix(body, []byte("{")) {
		return errors.New("not a JSON object")
	}
	err := json.Unmarshal(body, answer)
	if typed, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("field %s is a %s", typed.Field, typed.Value)
	}
	return err
}

// The times of ECS: to the second in most answers, to the minute in DescribeTaskAttribute, and with the zone's offset in
// events. Guess: a time without a zone is UTC, as the documents ask it of the caller.
var timeLayouts = []string{
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04Z0700",
	"2006-01-02T15:04:05",
	"2006-01-02T15:04",
	"2006-01-02 15:04:05",
	"2006-01-02 15:04",
}

// parseTime reads a time of ECS as UTC; what is none is the zero time.
func parseTime(value text) time.Time {
	trimmed := strings.TrimSpace(string(value))
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, trimmed); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

package openapi

import (
	"net/url"
	"strconv"
)

// Params are the parameters of an action, from the query and the form alike. Names are case-sensitive.
type Params url.Values

// Get returns a parameter, or "" when it is absent.
func (p Params) Get(name string) string { return url.Values(p).Get(name) }

// Int returns a parameter as a number, def when it is absent, and InvalidParameter when it is not within low and high.
func (p Params) Int(name string, def, low, high int) (int, *Error) {
	s := p.Get(name)
	if s == "" {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return 0, Invalid(name)
	}
	return n, nil
}

// Bool returns a parameter as a truth value, false when it is absent.
func (p Params) Bool(name string) (bool, *Error) {
	switch p.Get(name) {
	case "", "false", "False":
		return false, nil
	case "true", "True":
		return true, nil
	}
	return false, Invalid(name)
}

// List returns the values of name.1, name.2, … up to the first gap.
func (p Params) List(name string) []string {
	var list []string
	for n := 1; ; n++ {
		values, ok := p[name+"."+strconv.Itoa(n)]
		if !ok {
			return list
		}
		list = append(list, values[0])
	}
}

// Structs returns what is written as name.1.field, name.2.field, … up to the first element without any of the fields.
func (p Params) Structs(name string, fields ...string) []map[string]string {
	var list []map[string]string
	for n := 1; ; n++ {
		element := map[string]string{}
		for _, field := range fields {
			if values, ok := p[name+"."+strconv.Itoa(n)+"."+field]; ok {
				element[field] = values[0]
			}
		}
		if len(element) == 0 {
			return list
		}
		list = append(list, element)
	}
}

package doctor

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A document is a RAM policy, version 1: permissions, or who may assume a role. What this program does not know in it is
// left out; a condition that it cannot evaluate makes a verdict conditional.
type document struct {
	Statement []statement `json:"Statement"`
}

type statement struct {
	Effect      string                      `json:"Effect"`
	Action      words                       `json:"Action"`
	NotAction   words                       `json:"NotAction"`
	Resource    words                       `json:"Resource"`
	NotResource words                       `json:"NotResource"`
	Condition   map[string]map[string]words `json:"Condition"`
	Principal   struct {
		Service words `json:"Service"`
	} `json:"Principal"`
}

// words is one word or a list of them; numbers and truth values, which conditions may have, count as words.
type words []string

func (w *words) UnmarshalJSON(data []byte) error {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	*w = nil
	for _, v := range list {
		switch v.(type) {
		case nil:
		case string, bool, float64:
			*w = append(*w, fmt.Sprint(v))
		default:
			return errors.New("neither a word nor a list of words")
		}
	}
	return nil
}

func parseDocument(data []byte) (document, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return document{}, fmt.Errorf("decode policy: %w", err)
	}
	return d, nil
}

// trusts tells whether a service may assume the role of this trust policy.
func (d document) trusts(service string) bool {
	return slices.ContainsFunc(d.Statement, func(s statement) bool {
		return s.Effect == "Allow" && slices.Contains(s.Principal.Service, service) && s.names("sts:AssumeRole")
	})
}

// services are all that the trust policy names.
func (d document) services() []string {
	var all []string
	for _, s := range d.Statement {
		all = append(all, s.Principal.Service...)
	}
	return all
}

// A need is one action on one resource, and what RAM knows of the request.
type need struct {
	action, resource string
	context          map[string]string
}

// A verdict is what policies say about a need.
type verdict int

const (
	notAllowed  verdict = iota
	refused             // by a Deny
	conditional         // allowed or refused under conditions that cannot be evaluated here
	allowed
)

// judge evaluates a need as RAM does: a Deny wins, and what no statement allows is not allowed. by names the policy that
// decides, if one does.
func judge(policies []named, n need) (v verdict, by string) {
	deny, denier := strongest(policies, n, "Deny")
	if deny == allowed { // that is: it applies
		return refused, denier
	}
	allow, allower := strongest(policies, n, "Allow")
	if allow == allowed && deny == conditional {
		return conditional, denier
	}
	return allow, allower
}

// strongest tells whether a statement of the effect applies to the need: surely (allowed), under conditions that cannot be
// evaluated, or not at all.
func strongest(policies []named, n need, effect string) (v verdict, by string) {
	for _, p := range policies {
		for _, s := range p.Statement {
			if s.Effect != effect || !s.names(n.action) || !s.covers(n.resource) {
				continue
			}
			switch met, known := s.conditions(n.context); {
			case known && met:
				return allowed, p.name
			case !known:
				v, by = conditional, p.name
			}
		}
	}
	return v, by
}

// A named policy is one that is attached to a role.
type named struct {
	name string
	document
}

func (s statement) names(action string) bool {
	if len(s.NotAction) > 0 {
		return !anyLike(s.NotAction, action, true)
	}
	return anyLike(s.Action, action, true)
}

func (s statement) covers(resource string) bool {
	if len(s.NotResource) > 0 {
		return !anyLike(s.NotResource, resource, false)
	}
	return anyLike(s.Resource, resource, false)
}

// conditions evaluates the conditions on the keys that context has; known is false when one cannot be evaluated.
func (s statement) conditions(context map[string]string) (met, known bool) {
	for operator, keys := range s.Condition {
		for key, want := range keys {
			value, ok := context[key]
			if !ok {
				return false, false
			}
			switch operator {
			case "StringEquals", "Bool":
				ok = slices.Contains(want, value)
			case "StringLike":
				ok = anyLike(want, value, false)
			default:
				return false, false
			}
			if !ok {
				return false, true
			}
		}
	}
	return true, true
}

func anyLike(patterns []string, s string, fold bool) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if fold {
			return like(strings.ToLower(pattern), strings.ToLower(s))
		}
		return like(pattern, s)
	})
}

// like matches s with a pattern in which * stands for any characters and ? for one. On a mismatch it goes back to the last *
// and lets that take one more character, so it is linear but for the product of both lengths.
func like(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.TrimLeft(pattern[p:], "*") == ""
}

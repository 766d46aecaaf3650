package account

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Policy is a RAM policy document, version 1: a permission policy, or the trust policy of a role.
type Policy struct {
	Version   string      `json:"Version"`
	Statement []Statement `json:"Statement"`
}

// A Statement allows or denies actions on resources, or (in a trust policy) allows principals to assume the role.
type Statement struct {
	Effect    string                        `json:"Effect"`
	Action    Strings                       `json:"Action"`
	Resource  Strings                       `json:"Resource,omitempty"`
	Condition map[string]map[string]Strings `json:"Condition,omitempty"`
	Principal *Principal                    `json:"Principal,omitempty"`
}

// A Principal names who may assume a role.
type Principal struct {
	Service Strings `json:"Service,omitempty"`
	RAM     Strings `json:"RAM,omitempty"`
}

// Strings is one string or a list of strings, as the policy language writes either.
type Strings []string

// UnmarshalJSON accepts a string and a list of strings.
func (s *Strings) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err == nil {
		*s = Strings{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(data, &many); err != nil {
		return fmt.Errorf("decode %s: neither a string nor a list of strings", data)
	}
	*s = many
	return nil
}

// ParsePolicy reads a policy document. A key that the policy language lacks, a version other than "1" and a statement
// without effect or action are errors, because RAM refuses them, too.
func ParsePolicy(document []byte) (Policy, error) {
	dec := json.NewDecoder(strings.NewReader(string(document)))
	dec.DisallowUnknownFields()
	var p Policy
	if err := dec.Decode(&p); err != nil {
		return Policy{}, fmt.Errorf("decode policy: %w", err)
	}
	if p.Version != "1" {
		return Policy{}, fmt.Errorf("decode policy: version is %q, not \"1\"", p.Version)
	}
	if len(p.Statement) == 0 {
		return Policy{}, fmt.Errorf("decode policy: no statement")
	}
	for i, s := range p.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" {
			return Policy{}, fmt.Errorf("decode policy: statement %d has effect %q, neither Allow nor Deny", i, s.Effect)
		}
		if len(s.Action) == 0 {
			return Policy{}, fmt.Errorf("decode policy: statement %d has no action", i)
		}
	}
	return p, nil
}

// matches tells whether the statement speaks about the action on the resource under the conditions of the request.
func (s Statement) matches(action, resource string, context map[string]string) bool {
	return anyMatch(s.Action, action, true) && anyMatch(s.Resource, resource, false) && s.holds(context)
}

// holds tells whether every condition is met. An operator that this account does not know fails an Allow and meets a
// Deny: the strict side in both cases.
func (s Statement) holds(context map[string]string) bool {
	for operator, keys := range s.Condition {
		for key, want := range keys {
			value, present := context[key]
			var ok bool
			switch operator {
			case "StringEquals":
				ok = present && contains(want, value)
			case "StringLike":
				ok = present && anyMatch(want, value, false)
			case "Bool":
				ok = present && contains(want, value)
			default:
				ok = s.Effect == "Deny"
			}
			if !ok {
				return false
			}
		}
	}
	return true
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

func anyMatch(patterns []string, s string, fold bool) bool {
	for _, p := range patterns {
		if fold {
			p, s = strings.ToLower(p), strings.ToLower(s)
		}
		if wildcard(p, s) {
			return true
		}
	}
	return false
}

// wildcard matches s against a pattern in which '*' stands for any run of characters and '?' for one.
func wildcard(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]) && pattern[p] != '*':
			p, i = p+1, i+1
		case p < len(pattern) && pattern[p] == '*':
			star, mark, p = p, i, p+1
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

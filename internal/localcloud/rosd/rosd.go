// Package rosd is the embedded Resource Orchestration Service: it reads a ROS template and says what the stack would be. It
// knows the intrinsic functions, resource types and properties that imageferry's own template uses, and refuses all others
// instead of passing over them.
package rosd

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/fcd"
)

// A Request creates a stack.
type Request struct {
	// Template is the text of the template.
	Template []byte
	// Region and AccountID are where the stack is made.
	Region, AccountID string
	// Parameters are values for the template's parameters, as text like in the API; the others have their defaults.
	Parameters map[string]string
}

// A Stack is what a template makes of its parameters: one function with all that belongs to it.
type Stack struct {
	// Function is the function with its triggers and its asynchronous configuration.
	Function fcd.Spec
	// Code is the object that the function's code package is in.
	Code Object
	// Buckets are the buckets that are created, Roles the RAM roles, each in the order of their ids in the template.
	Buckets []Bucket
	Roles   []Role
	// Outputs are the values that the stack shows.
	Outputs map[string]string
}

// An Object is in a bucket of OSS.
type Object struct{ Bucket, Key string }

// A Bucket is a bucket of OSS with its access control list.
type Bucket struct{ Name, ACL string }

// A Role is a RAM role with the documents of its policies.
type Role struct {
	Name        string
	Trust       account.Policy
	Permissions []account.Policy
}

// Read makes the stack of a request. Everything that is wrong with the template or the parameters is reported at once,
// each problem with its path.
func Read(r Request) (Stack, error) {
	var document map[string]any
	if err := yaml.Unmarshal(r.Template, &document); err != nil {
		return Stack{}, fmt.Errorf("decode template: %w", err)
	}
	t := &template{request: r, problems: &problems{}}
	t.read(document)
	stack := t.stack()
	if err := t.problems.err(); err != nil {
		return Stack{}, fmt.Errorf("check template: %w", err)
	}
	return stack, nil
}

// problems collects what is wrong, each with its path.
type problems struct{ list []error }

func (p *problems) add(path, format string, args ...any) {
	p.list = append(p.list, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

func (p *problems) err() error { return errors.Join(p.list...) }

// object is a mapping of the template.
type object = map[string]any

// mapping reads a value as a mapping of which only the named keys are known; without names any are. An absent value is empty.
func (t *template) mapping(path string, value any, known ...string) object {
	if value == nil {
		return nil
	}
	m, ok := value.(object)
	if !ok {
		t.problems.add(path, "not a mapping")
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if len(known) > 0 && !slices.Contains(known, key) {
			t.problems.add(path+"."+key, "unknown key")
		}
	}
	return m
}

// text reads a value as text; an absent one is empty.
func (t *template) text(path string, value any) string {
	s, ok := value.(string)
	if value != nil && !ok {
		t.problems.add(path, "not a string")
	}
	return s
}

// policy reads a resolved policy document.
func (t *template) policy(path string, value any) account.Policy {
	text, err := json.Marshal(value)
	if err != nil {
		t.problems.add(path, "%v", err)
		return account.Policy{}
	}
	p, err := account.ParsePolicy(text)
	if err != nil {
		t.problems.add(path, "%v", err)
	}
	return p
}

// lowered spells the keys of ROS as the API of Function Compute does: with a small first letter, all the way down, other than
// the keys of what is handed on as it is.
func lowered(value any) any {
	switch v := value.(type) {
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = lowered(element)
		}
		return out
	case object:
		out := object{}
		for key, element := range v {
			name := strings.ToLower(key[:1]) + key[1:]
			if name == "environmentVariables" || name == "triggerConfig" {
				out[name] = element
				continue
			}
			out[name] = lowered(element)
		}
		return out
	}
	return value
}

package policy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// object is a mapping of a YAML or JSON document.
type object = map[string]any

// readYAML decodes a file at the top of the project, with the types that JSON has.
func readYAML(t *testing.T, name string) object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	var document object
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatalf("decode %s: %v", name, err)
	}
	return plainJSON(t, document).(object)
}

// plainJSON makes values comparable: every number becomes a float64.
func plainJSON(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

// equal compares two documents and shows both.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	show := func(v any) []byte {
		text, _ := json.MarshalIndent(v, "", "  ")
		return text
	}
	t.Errorf("%s: template.yml has\n%s\nwant\n%s", what, show(got), show(want))
}

// specProps are the props of s.yaml with its vars filled in, and those vars.
func specProps(t *testing.T) (props, variables object) {
	t.Helper()
	document := readYAML(t, "s.yaml")
	variables = document["vars"].(object)
	fill := func(text string) any {
		for name, value := range variables {
			if text == "${vars."+name+"}" {
				return value // with its type
			}
			text = strings.ReplaceAll(text, "${vars."+name+"}", fmt.Sprint(value))
		}
		return text
	}
	resource := document["resources"].(object)["imageferry"].(object)
	return mapStrings(resource["props"], fill).(object), variables
}

// mapStrings replaces every string in a document.
func mapStrings(value any, change func(string) any) any {
	switch v := value.(type) {
	case string:
		return change(v)
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = mapStrings(element, change)
		}
		return out
	case object:
		out := make(object, len(v))
		for key, element := range v {
			out[key] = mapStrings(element, change)
		}
		return out
	}
	return value
}

// A stack is template.yml with values for its parameters.
type stack struct {
	t          *testing.T
	parameters object
	conditions object
	resources  object
	outputs    object
	values     map[string]any  // of the parameters and the pseudo parameters
	used       map[string]bool // what was asked for
}

// newStack takes the values of s.yaml for the parameters without a default, and the account and region of [vars].
func newStack(t *testing.T) *stack {
	t.Helper()
	_, variables := specProps(t)
	document := readYAML(t, "template.yml")
	s := &stack{
		t:          t,
		parameters: document["Parameters"].(object),
		conditions: document["Conditions"].(object),
		resources:  document["Resources"].(object),
		outputs:    document["Outputs"].(object),
		used:       map[string]bool{},
		values: map[string]any{
			"Bucket":           variables["bucket"],
			"ManifestBucket":   variables["manifestBucket"],
			"CodeBucket":       "code",
			"LogProject":       "logs",
			"ALIYUN::Region":   variables["region"],
			"ALIYUN::TenantId": vars().AccountID,
		},
	}
	for name, parameter := range s.parameters {
		if value, ok := parameter.(object)["Default"]; ok {
			s.values[name] = value
		} else if s.values[name] == nil {
			t.Fatalf("parameter %s has neither a default nor a value in this test", name)
		}
	}
	return s
}

var reference = regexp.MustCompile(`\$\{([^}]+)\}`)

// resolve replaces the functions that the template uses. An attribute of a resource becomes "resource.attribute".
func (s *stack) resolve(value any) any {
	switch v := value.(type) {
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = s.resolve(element)
		}
		return out
	case object:
		if name, ok := v["Ref"].(string); ok {
			return s.value(name)
		}
		if text, ok := v["Fn::Sub"].(string); ok {
			return reference.ReplaceAllStringFunc(text, func(match string) string {
				return fmt.Sprint(s.value(match[2 : len(match)-1]))
			})
		}
		if path, ok := v["Fn::GetAtt"].([]any); ok {
			if _, ok := s.resources[path[0].(string)]; !ok {
				s.t.Errorf("Fn::GetAtt of %v, which is no resource", path[0])
			}
			return fmt.Sprintf("%s.%s", path...)
		}
		out := make(object, len(v))
		for key, element := range v {
			if strings.HasPrefix(key, "Fn::") {
				s.t.Errorf("this test does not know %s", key)
			}
			out[key] = s.resolve(element)
		}
		return out
	}
	return value
}

func (s *stack) value(name string) any {
	value, ok := s.values[name]
	if !ok {
		s.t.Errorf("reference to %s, which is neither a parameter nor a known pseudo parameter", name)
	}
	s.used[name] = true
	return value
}

// properties are the resolved properties of a resource.
func (s *stack) properties(name string) object {
	s.t.Helper()
	resource, ok := s.resources[name].(object)
	if !ok {
		s.t.Fatalf("template.yml has no resource %s", name)
	}
	return s.resolve(resource["Properties"]).(object)
}

package restore

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compiled is the published schema; compiling it once for all tests saves most of their time.
var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	const id = "urn:imageferry:restore:v1"
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	if err := c.AddResource(id, document); err != nil {
		return nil, fmt.Errorf("add schema: %w", err)
	}
	return c.Compile(id)
})

// validate compares a stored record with the published schema, formats included.
func validate(data []byte) error {
	s, err := compiled()
	if err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return s.Validate(document)
}

// TestSchemaRefuses: the schema is no mere list of fields.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `{"schema":"imageferry.restore/v1","revision":1,"state":"restored"}`,
	} {
		if validate([]byte(text)) == nil {
			t.Errorf("%s is valid", text)
		}
	}
}

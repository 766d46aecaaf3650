package manifesttest

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"imageferry/internal/manifest"
)

// compiled is the published schema; compiling it once for all tests saves most of their time.
var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	const id = "urn:imageferry:manifest:v1"
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(manifest.Schema()))
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(id, document); err != nil {
		return nil, fmt.Errorf("add schema: %w", err)
	}
	return c.Compile(id)
})

// Validate compares a stored manifest with the published JSON Schema, formats included.
func Validate(data []byte) error {
	schema, err := compiled()
	if err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	if err := schema.Validate(document); err != nil {
		return fmt.Errorf("validate manifest: %w", err)
	}
	return nil
}

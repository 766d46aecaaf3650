package restore

import (
	"bytes"
	_ "embed" // for the schema
)

//go:embed restore.schema.json
var schema []byte

// Schema is the published JSON Schema (draft 2020-12) of what this package writes.
func Schema() []byte { return bytes.Clone(schema) }

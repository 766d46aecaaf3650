// Package policy holds the RAM documents of imageferry: what the two roles are trusted with and what they may do, and those of
// the targets in other regions and accounts. The documents are templates; [Render] fills in the account's names.
package policy

import (
	"embed"
	"errors"
	"fmt"
	"regexp"
	"sync"
)

// The documents.
const (
	// FunctionTrust lets Function Compute assume the function's role.
	FunctionTrust = "function-trust.json"
	// FunctionPermissions is all that the function may do.
	FunctionPermissions = "function-permissions.json"
	// ExportTrust lets ECS assume the export role.
	ExportTrust = "export-trust.json"
	// ExportPermissions is what ECS needs to write an exported image into the bucket.
	ExportPermissions = "export-permissions.json"

	// RestorePermissions is what the function may do beside FunctionPermissions when it restores images.
	RestorePermissions = "restore-permissions.json"
	// ImportTrust lets ECS assume the import role.
	ImportTrust = "import-trust.json"
	// ImportPermissions is what ECS needs to read the objects of an image that is restored.
	ImportPermissions = "import-permissions.json"

	// TargetTrust lets the function's role assume the role of another account, if it knows the external id.
	TargetTrust = "target-trust.json"
	// TargetPermissions is all that the function does in another account or region: what FunctionPermissions has, but for the
	// function's own queue.
	TargetPermissions = "target-permissions.json"
	// FunctionTarget lets the function's role ask for the role of another account.
	FunctionTarget = "function-target.json"
)

//go:embed *.json
var documents embed.FS

var (
	// placeholder matches ${name}.
	placeholder = lazily(`\$\{([^}]*)\}`)
	// plain matches what may stand in for one: the characters of region, bucket, queue, role and prefix names.
	plain = lazily(`^[A-Za-z0-9._/-]+$`)
)

// lazily compiles an expression when it is first used: the function, which has this package linked in, starts without.
func lazily(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// Vars are the values of the placeholders.
type Vars struct {
	// Region is the region of the function, the images and the bucket, such as "cn-hangzhou".
	Region string
	// AccountID owns all of them.
	AccountID string
	// Bucket receives the exported images.
	Bucket string
	// ManifestBucket and ManifestPrefix say where the function keeps its own objects. The prefix ends with a slash.
	ManifestBucket, ManifestPrefix string
	// FailureQueue is the name of the MNS queue that receives the events that could not be handled.
	FailureQueue string

	// For a target, all of the above is the target's, and this is how the function gets there: as FunctionRole of
	// FunctionAccountID it assumes TargetRole with ExternalID.
	FunctionAccountID, FunctionRole, TargetRole, ExternalID string
}

// Render returns a document with its placeholders filled in, as JSON. It is an error if the document needs a value that
// vars lacks, or that would change the meaning of a RAM resource: a wildcard, or a character that JSON escapes.
func Render(name string, vars Vars) ([]byte, error) {
	template, err := documents.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("render policy %s: %w", name, err)
	}
	values := map[string]string{
		"region":         vars.Region,
		"accountId":      vars.AccountID,
		"bucket":         vars.Bucket,
		"manifestBucket": vars.ManifestBucket,
		"manifestPrefix": vars.ManifestPrefix,
		"failureQueue":   vars.FailureQueue,

		"functionAccountId": vars.FunctionAccountID,
		"functionRole":      vars.FunctionRole,
		"targetRole":        vars.TargetRole,
		"externalId":        vars.ExternalID,
	}
	var problems []error
	document := placeholder().ReplaceAllFunc(template, func(match []byte) []byte {
		key := string(match[2 : len(match)-1])
		value, known := values[key]
		switch {
		case !known:
			problems = append(problems, fmt.Errorf("unknown placeholder ${%s}", key))
		case value == "":
			problems = append(problems, fmt.Errorf("no value for ${%s}", key))
		case !plain().MatchString(value):
			problems = append(problems, fmt.Errorf("value %q of ${%s} is not a plain name", value, key))
		}
		return []byte(value)
	})
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("render policy %s: %w", name, err)
	}
	return document, nil
}

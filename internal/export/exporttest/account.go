// Package exporttest tests what every implementation of the domain's ports to ECS and OSS promises: the adapters over the
// embedded cloud, fakes in memory, and, where somebody lends one, a real account.
package exporttest

import (
	"context"
	"testing"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// An Account is what the tests look at and change. Every field without "may be empty" is needed.
type Account struct {
	Images  export.Images
	Tasks   export.Tasks
	Objects export.Objects

	// ID is the account's, which owns the image and the bucket; may be empty when it is not known.
	ID string
	// Destination is where the image is exported to. Its bucket is in its region.
	Destination manifest.Destination
	// Role is the RAM role that ECS writes objects with.
	Role string
	// Image is an Available image of the account's own that is not being exported.
	Image string
	// Creating is an image that is not Available yet; may be empty.
	Creating string
	// Elsewhere is a bucket in another region; may be empty.
	Elsewhere string

	// Keys begins the keys of the objects that the tests put into the bucket.
	Keys string
	// Put stores an object in the bucket, and Delete removes it.
	Put    func(ctx context.Context, key string, data []byte) error
	Delete func(ctx context.Context, key string) error

	// Finish is how long an export may take; 0 lets none run to its end, so that what comes after it is not tested.
	Finish time.Duration
	// Poll is the pause between two looks at a task.
	Poll time.Duration
}

// Conformance runs the tests one after the other. open is called once a test; the same account may be opened again.
func Conformance(t *testing.T, open func(t *testing.T) Account) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Account)
	}{
		{"image", findsImage},
		{"image that is missing", missesImage},
		{"image that is being created", findsCreatingImage},
		{"images by pages", pagesImages},
		{"bucket", findsBucket},
		{"bucket that is missing", missesBucket},
		{"bucket in another region", findsBucketElsewhere},
		{"object", findsObject},
		{"object that is missing", missesObject},
		{"parts of an object", readsParts},
		{"tasks that are missing", missesTasks},
		{"exports that are refused", refusesExports},
		{"export and cancel", exportsAndCancels},
		{"export to its end", exportsToTheEnd},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// request asks for the export of the account's image.
func (a Account) request() export.Request {
	return export.Request{ImageID: a.Image, Destination: a.Destination, Role: a.Role, ClientToken: "conformance-" + a.Image}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

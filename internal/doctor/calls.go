package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"

	"imageferry/internal/manifest"
)

// store makes the calls that a person's commands make on OSS, and tells whether the manifests can be read.
func (e *examination) store(ctx context.Context) (readable bool) {
	c := e.options.Config
	manifests := "acs:oss:*:*:" + c.ManifestBucket
	absent := "absent-" + rand.Text()

	_, _, listErr := e.Store.List(ctx, c.ManifestPrefix, "", 1)
	if listErr != nil {
		e.refused("may-list", listErr, "oss:ListObjects", manifests)
	} else {
		e.ok("may-list", "", "keys of bucket "+c.ManifestBucket+" can be listed")
	}
	_, getErr := e.Store.Get(ctx, e.layout.Active()+absent)
	if getErr != nil && !errors.Is(getErr, manifest.ErrNotFound) {
		e.refused("may-read", getErr, "oss:GetObject", manifests+"/"+c.ManifestPrefix+"*")
	} else {
		getErr = nil
		e.ok("may-read", "", "objects of bucket "+c.ManifestBucket+" can be read")
	}
	if _, _, err := e.Storage.Object(ctx, c.Bucket, absent); err != nil {
		e.refused("may-read-exports", err, "oss:GetObject", "acs:oss:*:*:"+c.Bucket+"/*")
	} else {
		e.ok("may-read-exports", "", "objects of bucket "+c.Bucket+" can be read")
	}
	if e.options.WriteProbe {
		e.writeProbe(ctx, e.layout.Active()+"probe/"+rand.Text())
	}
	return listErr == nil && getErr == nil
}

// writeProbe sees whether writes are create-only where they should be: it creates an object, tries to create it again, reads
// it, and removes it.
func (e *examination) writeProbe(ctx context.Context, key string) {
	const check = "create-only"
	c := e.options.Config
	objects := "acs:oss:*:*:" + c.ManifestBucket + "/" + c.ManifestPrefix + "*"
	first, second := []byte("first\n"), []byte("second\n")
	if err := e.Store.Create(ctx, key, first); err != nil {
		e.refused(check, err, "oss:PutObject", objects)
		return
	}
	again := e.Store.Create(ctx, key, second)
	stored, err := e.Store.Get(ctx, key)
	removed := e.Store.Delete(ctx, key)
	switch {
	case again == nil || err == nil && !bytes.Equal(stored, first):
		e.problem(check, c.ManifestBucket, "OSS wrote over an object that was to be created: the journal would lose revisions",
			"ossutil api get-bucket-versioning --bucket "+c.ManifestBucket,
			"Set FERRY_MANIFEST_BUCKET in environmentVariables of s.yaml to a bucket that never had versioning; then: s deploy -y")
	case !errors.Is(again, manifest.ErrExists):
		e.unknown(check, c.ManifestBucket, again.Error(), "imageferry doctor --write-probe")
	case err != nil:
		e.refused(check, err, "oss:GetObject", objects)
	case removed != nil:
		e.problem(check, c.ManifestBucket, removed.Error(), append(e.allowCaller("oss:DeleteObject", objects),
			"ossutil rm oss://"+c.ManifestBucket+"/"+key)...)
	default:
		e.ok(check, c.ManifestBucket, "an object that is there is not written over")
	}
}

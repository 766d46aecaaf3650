package exporttest

import (
	"context"
	"hash/crc64"
	"strconv"
	"testing"
	"time"
)

const noBucket = "imageferry-conformance-no-such-bucket"

func findsBucket(t *testing.T, a Account) {
	bucket, found, err := a.Objects.Bucket(t.Context(), a.Destination.Bucket)
	must(t, err)
	if !found || bucket.Name != a.Destination.Bucket || bucket.Location != "oss-"+a.Destination.Region || bucket.ACL == "" || bucket.StorageClass == "" {
		t.Errorf("found is %t, the bucket is %+v", found, bucket)
	}
	if a.ID != "" && bucket.OwnerID != a.ID {
		t.Errorf("it belongs to %q, not to %q", bucket.OwnerID, a.ID)
	}
}

func missesBucket(t *testing.T, a Account) {
	bucket, found, err := a.Objects.Bucket(t.Context(), noBucket)
	if found || err != nil {
		t.Errorf("bucket is %+v, found is %t (%v)", bucket, found, err)
	}
}

func findsBucketElsewhere(t *testing.T, a Account) {
	if a.Elsewhere == "" {
		t.Skip("there is no such bucket")
	}
	bucket, found, err := a.Objects.Bucket(t.Context(), a.Elsewhere)
	must(t, err)
	if !found || bucket.Location == "" || bucket.Location == "oss-"+a.Destination.Region {
		t.Errorf("found is %t, the bucket is %+v", found, bucket)
	}
}

const content = "0123456789abcdefghijklmnopqrstuvwxyz"

// plant stores an object for the time of the test, and returns its key.
func (a Account) plant(t *testing.T, name, data string) string {
	t.Helper()
	key := a.Keys + name
	must(t, a.Put(t.Context(), key, []byte(data)))
	a.deleteAfter(t, key)
	return key
}

func (a Account) deleteAfter(t *testing.T, key string) {
	t.Cleanup(func() {
		if err := a.Delete(context.WithoutCancel(t.Context()), key); err != nil {
			t.Errorf("%s stays: %v", key, err)
		}
	})
}

func findsObject(t *testing.T, a Account) {
	for name, data := range map[string]string{"object": content, "empty": "", "a name with+all %of é it": "x"} {
		before := time.Now().Add(-5 * time.Minute) // clocks differ
		key := a.plant(t, name, data)
		info, found, err := a.Objects.Object(t.Context(), a.Destination.Bucket, key)
		must(t, err)
		sum := strconv.FormatUint(crc64.Checksum([]byte(data), crc64.MakeTable(crc64.ECMA)), 10)
		if !found || info.Size != int64(len(data)) || info.CRC64 != sum || info.ETag == "" || info.LastModified.Before(before) {
			t.Errorf("found is %t, %q is %+v; its checksum is %s", found, key, info, sum)
		}
	}
}

func missesObject(t *testing.T, a Account) {
	info, found, err := a.Objects.Object(t.Context(), a.Destination.Bucket, a.Keys+"absent")
	if found || err != nil {
		t.Errorf("object is %+v, found is %t (%v)", info, found, err)
	}
}

func readsParts(t *testing.T, a Account) {
	key := a.plant(t, "parts", content)
	n := int64(len(content))
	for _, c := range []struct {
		offset, length int64
		want           string
	}{
		{0, 4, "0123"},
		{0, n, content},
		{10, 6, "abcdef"},
		{n - 1, 1, "z"},
		{n - 2, 100, "yz"}, // fewer at the end
		{n, 1, ""},
		{n + 100, 10, ""},
		{-3, 3, "xyz"},
		{-3, 2, "xy"},
		{-n, n, content},
	} {
		part, err := a.Objects.Read(t.Context(), a.Destination.Bucket, key, c.offset, c.length)
		if err != nil || string(part) != c.want {
			t.Errorf("%d bytes from %d: %q, want %q (%v)", c.length, c.offset, part, c.want, err)
		}
	}
}

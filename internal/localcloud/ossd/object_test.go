package ossd_test

import (
	"context"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"imageferry/internal/localcloud/ossd"
)

// awkwardKey needs every kind of escaping in paths, signatures and listings.
const awkwardKey = "a b/c+d/100%/ä&x=y?~(*)'!.json"

func TestObjectLifeThroughSDK(t *testing.T) {
	t.Parallel()
	for name, signing := range map[string]oss.ClientOption{
		"V1":                         oss.AuthVersion(oss.AuthV1),
		"V4":                         oss.AuthVersion(oss.AuthV4),
		"V4 with additional headers": oss.AdditionalHeaders([]string{"Host", "User-Agent"}),
	} {
		for _, endpoint := range []string{"", "http://oss-cn-hangzhou.aliyuncs.com", "http://localhost:1"} {
			t.Run(name+" "+endpoint, func(t *testing.T) {
				t.Parallel()
				c := newCloud(t)
				if endpoint == "" {
					endpoint = c.url
				}
				b := objectsOf(t, c.clientAt(t, endpoint, c.admin, signing, oss.ForcePathStyle(strings.Contains(endpoint, "localhost"))),
					bucket)
				liveOnce(t, b, awkwardKey)
				for _, call := range c.tap.Calls() {
					want := "acs:oss:oss-cn-hangzhou:" + accountID + ":" + bucket + "/" + awkwardKey
					if call.Action != "oss:ListObjects" && call.Resource != want {
						t.Errorf("%s was recorded on %s, want %s", call.Action, call.Resource, want)
					}
					if call.Principal != c.admin.ARN || call.RequestID == "" || call.Service != "oss" {
						t.Errorf("incomplete record: %+v", call)
					}
				}
			})
		}
	}
}

// liveOnce writes, reads, lists and deletes one object.
func liveOnce(t *testing.T, b *oss.Bucket, key string) {
	t.Helper()
	const content = "the quick brown fox"
	var put http.Header
	err := b.PutObject(key, strings.NewReader(content), oss.ContentType("application/json"), oss.Meta("Run-Id", "42"),
		oss.GetResponseHeader(&put))
	noError(t, err)
	const etag = `"30F3C93E46436DEB58BA70816A8EC124"` // the MD5 of the content
	if got := put.Get("ETag"); got != etag {
		t.Errorf("ETag is %s", got)
	}
	crc := strconv.FormatUint(crc64.Checksum([]byte(content), crc64.MakeTable(crc64.ECMA)), 10)
	if got := put.Get("x-oss-hash-crc64ecma"); got != crc {
		t.Errorf("CRC is %s, want %s", got, crc)
	}
	head, err := b.GetObjectDetailedMeta(key)
	noError(t, err)
	for name, want := range map[string]string{
		"ETag": put.Get("ETag"), "Content-Type": "application/json", "X-Oss-Meta-Run-Id": "42",
		"Content-Length": strconv.Itoa(len(content)), "x-oss-object-type": "Normal", "x-oss-storage-class": "Standard",
		"x-oss-hash-crc64ecma": crc, "Server": "AliyunOSS",
	} {
		if got := head.Get(name); got != want {
			t.Errorf("HEAD answers %s: %q, want %q", name, got, want)
		}
	}
	if exists, err := b.IsObjectExist(key); err != nil || !exists {
		t.Errorf("IsObjectExist = %t, %v", exists, err)
	}
	if got := get(t, b, key); got != content {
		t.Errorf("GET answers %q", got)
	}
	list, err := b.ListObjectsV2(oss.Prefix(key), oss.FetchOwner(true))
	noError(t, err)
	if len(list.Objects) != 1 || list.Objects[0].Key != key || list.Objects[0].Size != int64(len(content)) ||
		list.Objects[0].ETag != put.Get("ETag") || list.Objects[0].Owner.ID != accountID {
		t.Errorf("listing is %+v", list.Objects)
	}
	for range 2 { // deleting is idempotent
		noError(t, b.DeleteObject(key))
	}
	_, err = b.GetObject(key)
	if refusal := wantError(t, err, http.StatusNotFound, "NoSuchKey"); refusal.Ec != "0026-00000001" {
		t.Errorf("EC is %q", refusal.Ec)
	}
	_, err = b.GetObjectDetailedMeta(key)
	wantError(t, err, http.StatusNotFound, "NoSuchKey")
}

func get(t testing.TB, b *oss.Bucket, key string, options ...oss.Option) string {
	t.Helper()
	body, err := b.GetObject(key, options...)
	noError(t, err)
	defer func() { _ = body.Close() }()
	content, err := io.ReadAll(body)
	noError(t, err)
	return string(content)
}

func TestForbidOverwrite(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		versioning string
		conflict   bool
		versionID  func(string) bool
	}{
		{"", true, func(id string) bool { return id == "" }},
		{"Enabled", false, func(id string) bool { return len(id) > 8 }},
		{"Suspended", false, func(id string) bool { return id == "null" }},
	} {
		t.Run("versioning "+tc.versioning, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			noError(t, c.oss.UpdateBucket(bucket, func(s *ossd.BucketSpec) { s.Versioning = tc.versioning }))
			b := c.objects(t, c.admin)
			var header http.Header
			noError(t, b.PutObject("claim", strings.NewReader("first"), oss.ForbidOverWrite(true), oss.GetResponseHeader(&header)))
			if id := header.Get("x-oss-version-id"); !tc.versionID(id) {
				t.Errorf("version id is %q", id)
			}
			err := b.PutObject("claim", strings.NewReader("second"), oss.ForbidOverWrite(true))
			if !tc.conflict {
				noError(t, err)
				if got := get(t, b, "claim"); got != "second" {
					t.Errorf("object is %q: OSS ignores the header on a versioned bucket", got)
				}
				noError(t, b.DeleteObject("claim", oss.GetResponseHeader(&header)))
				if header.Get("x-oss-delete-marker") != "true" || !tc.versionID(header.Get("x-oss-version-id")) {
					t.Errorf("deletion is answered %v", header)
				}
				return
			}
			wantError(t, err, http.StatusConflict, "FileAlreadyExists")
			if got := get(t, b, "claim"); got != "first" {
				t.Errorf("object is %q", got)
			}
			noError(t, b.PutObject("claim", strings.NewReader("third"), oss.ForbidOverWrite(false)))
		})
	}
}

func TestForbidOverwriteHasOneWinner(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	var created atomic.Int32
	c.oss.Subscribe(func(ossd.ObjectCreated) { created.Add(1) })
	b := c.objects(t, c.admin)
	const rounds, writers = 20, 16
	for round := range rounds {
		key := fmt.Sprintf("journal/%08d.json", round)
		var won sync.Map
		var wg sync.WaitGroup
		for writer := range writers {
			wg.Go(func() {
				body := strconv.Itoa(writer)
				if err := b.PutObject(key, strings.NewReader(body), oss.ForbidOverWrite(true)); err == nil {
					won.Store(body, true)
				}
			})
		}
		wg.Wait()
		var winners []string
		won.Range(func(k, _ any) bool { winners = append(winners, k.(string)); return true })
		if len(winners) != 1 || get(t, b, key) != winners[0] {
			t.Fatalf("round %d: winners %v, object %q", round, winners, get(t, b, key))
		}
	}
	if got := created.Load(); got != rounds {
		t.Errorf("%d objects were announced, want %d", got, rounds)
	}
}

func TestPutRefusals(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	for name, tc := range map[string]struct {
		key    string
		option oss.Option
		status int
		code   string
		ec     string
	}{
		"forbid-overwrite neither true nor false": {"k", oss.SetHeader("x-oss-forbid-overwrite", "yes"), 400, "InvalidArgument", "0017-00000279"},
		"If-None-Match": {"k", oss.SetHeader("If-None-Match", "*"), 501, "NotImplemented", ""},
		"tagging":       {"k", oss.SetHeader("x-oss-tagging", "a=b"), 501, "NotImplemented", ""},
		"wrong MD5":     {"k", oss.ContentMD5("AAAAAAAAAAAAAAAAAAAAAA=="), 400, "InvalidDigest", ""},
		"malformed MD5": {"k", oss.ContentMD5("nonsense"), 400, "InvalidDigest", ""},
		"storage class": {"k", oss.ObjectStorageClass("Cheap"), 400, "InvalidArgument", ""},
		"much metadata": {"k", oss.Meta("big", strings.Repeat("x", 8<<10)), 400, "InvalidArgument", ""},
		"long key":      {strings.Repeat("k", 1024), nil, 400, "InvalidObjectName", ""},
		"leading slash": {"/k", nil, 400, "InvalidObjectName", ""},
		"not UTF-8":     {"k\xff", nil, 400, "InvalidObjectName", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := slices.DeleteFunc([]oss.Option{tc.option}, func(o oss.Option) bool { return o == nil })
			err := b.PutObject(tc.key, strings.NewReader("content"), options...)
			if refusal := wantError(t, err, tc.status, tc.code); refusal.Ec != tc.ec {
				t.Errorf("EC is %q, want %q", refusal.Ec, tc.ec)
			}
		})
	}
	t.Run("longest key", func(t *testing.T) {
		t.Parallel()
		noError(t, b.PutObject(strings.Repeat("k", 1023), strings.NewReader("content")))
	})
	t.Run("unsupported sub-resource", func(t *testing.T) {
		t.Parallel()
		wantError(t, b.SetObjectACL("k", oss.ACLPrivate), 501, "NotImplemented")
	})
}

func TestAppendIsCompareAndSwap(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	next, err := b.AppendObject("log", strings.NewReader("one,"), 0)
	noError(t, err)
	next, err = b.AppendObject("log", strings.NewReader("two"), next)
	noError(t, err)
	if next != 7 || get(t, b, "log") != "one,two" {
		t.Fatalf("next position %d, object %q", next, get(t, b, "log"))
	}
	for _, position := range []int64{0, 4, 8} {
		var header http.Header
		_, err = b.AppendObject("log", strings.NewReader("x"), position, oss.GetResponseHeader(&header))
		wantError(t, err, http.StatusConflict, "PositionNotEqualToLength")
		if got := header.Get("x-oss-next-append-position"); got != "7" {
			t.Errorf("refusal names position %q, want 7", got)
		}
	}
	_, err = b.AppendObject("absent", strings.NewReader("x"), 1)
	wantError(t, err, http.StatusConflict, "PositionNotEqualToLength")
	noError(t, b.PutObject("normal", strings.NewReader("x")))
	_, err = b.AppendObject("normal", strings.NewReader("x"), 1)
	wantError(t, err, http.StatusConflict, "ObjectNotAppendable")
	head, err := b.GetObjectDetailedMeta("log")
	noError(t, err)
	if head.Get("x-oss-object-type") != "Appendable" ||
		head.Get("x-oss-hash-crc64ecma") != strconv.FormatUint(crc64.Checksum([]byte("one,two"), crc64.MakeTable(crc64.ECMA)), 10) {
		t.Errorf("HEAD answers %v", head)
	}
}

func TestRange(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	noError(t, b.PutObject("digits", strings.NewReader("0123456789")))
	noError(t, b.PutObject("empty", strings.NewReader("")))
	for _, tc := range []struct {
		key, ranges  string
		want         string
		contentRange string
		standard     string // what x-oss-range-behavior: standard answers; "416" for a refusal
	}{
		{"digits", "bytes=2-4", "234", "bytes 2-4/10", "234"},
		{"digits", "bytes=7-", "789", "bytes 7-9/10", "789"},
		{"digits", "bytes=-2", "89", "bytes 8-9/10", "89"},
		{"digits", "bytes=0-0,5-6", "0", "bytes 0-0/10", "0"},
		{"digits", "bytes=8-12", "0123456789", "", "89"},
		{"digits", "bytes=-20", "0123456789", "", "0123456789"},
		{"digits", "bytes=10-", "0123456789", "", "416"},
		{"digits", "bytes=10-20", "0123456789", "", "416"},
		{"digits", "bytes=4-2", "0123456789", "", "0123456789"},
		{"digits", "byte=0-1", "0123456789", "", "0123456789"},
		{"digits", "bytes=x-1", "0123456789", "", "0123456789"},
		{"empty", "bytes=0-", "", "", "416"},
		{"empty", "bytes=-1", "", "", "416"},
	} {
		t.Run(tc.key+" "+tc.ranges, func(t *testing.T) {
			t.Parallel()
			var header http.Header
			if got := get(t, b, tc.key, oss.SetHeader("Range", tc.ranges), oss.GetResponseHeader(&header)); got != tc.want {
				t.Errorf("default answer is %q, want %q", got, tc.want)
			}
			if got := header.Get("Content-Range"); got != tc.contentRange {
				t.Errorf("Content-Range is %q, want %q", got, tc.contentRange)
			}
			standard := []oss.Option{oss.SetHeader("Range", tc.ranges), oss.RangeBehavior("standard")}
			if tc.standard == "416" {
				_, err := b.GetObject(tc.key, standard...)
				wantError(t, err, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
			} else if got := get(t, b, tc.key, standard...); got != tc.standard {
				t.Errorf("standard answer is %q, want %q", got, tc.standard)
			}
		})
	}
}

func TestConditionalReads(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	noError(t, b.PutObject("k", strings.NewReader("content")))
	head, err := b.GetObjectMeta("k")
	noError(t, err)
	etag := head.Get("ETag")
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for name, tc := range map[string]struct {
		options []oss.Option
		status  int
	}{
		"match":                   {[]oss.Option{oss.IfMatch(etag)}, 200},
		"match fails":             {[]oss.Option{oss.IfMatch(`"0"`)}, 412},
		"match beats unmodified":  {[]oss.Option{oss.IfMatch(etag), oss.IfUnmodifiedSince(past)}, 200},
		"none match":              {[]oss.Option{oss.IfNoneMatch(`"0"`)}, 200},
		"none match fails":        {[]oss.Option{oss.IfNoneMatch(etag)}, 304},
		"none match any":          {[]oss.Option{oss.IfNoneMatch("*")}, 304},
		"modified since":          {[]oss.Option{oss.IfModifiedSince(past)}, 200},
		"not modified since":      {[]oss.Option{oss.IfModifiedSince(future)}, 304},
		"unmodified since":        {[]oss.Option{oss.IfUnmodifiedSince(future)}, 200},
		"modified since: refused": {[]oss.Option{oss.IfUnmodifiedSince(past)}, 412},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, headErr := b.GetObjectDetailedMeta("k", tc.options...)
			body, getErr := b.GetObject("k", tc.options...)
			for _, err := range []error{headErr, getErr} {
				switch {
				case tc.status == 200:
					noError(t, err)
				case tc.status == 412:
					wantError(t, err, 412, "PreconditionFailed")
				case err == nil || !strings.Contains(err.Error(), "304"):
					t.Errorf("error is %v, want 304", err)
				}
			}
			if getErr == nil {
				_ = body.Close()
			}
		})
	}
}

func TestArchivedObjectIsNotReadable(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	noError(t, c.oss.UpdateBucket(bucket, func(s *ossd.BucketSpec) { s.StorageClass = "Archive" }))
	b := c.objects(t, c.admin)
	noError(t, b.PutObject("k", strings.NewReader("content")))
	_, err := b.GetObject("k")
	wantError(t, err, http.StatusForbidden, "InvalidObjectState")
	_, err = b.GetObjectDetailedMeta("k")
	noError(t, err)
}

func TestContextReachesObjectCalls(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.objects(t, c.admin).PutObject("k", strings.NewReader("x"), oss.WithContext(ctx)); err == nil {
		t.Error("a call with a cancelled context succeeded")
	}
	if calls := c.tap.Calls(); len(calls) != 0 {
		t.Errorf("the call reached the cloud: %+v", calls)
	}
}

func TestNotices(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	seen := make(chan ossd.ObjectCreated, 2)
	c.oss.Subscribe(func(e ossd.ObjectCreated) { seen <- e })
	b := c.objects(t, c.admin)
	noError(t, b.PutObject("k", strings.NewReader("abc")))
	e := <-seen
	if e.Bucket != bucket || e.Key != "k" || e.Size != 3 || e.EventName != "ObjectCreated:PutObject" || e.Region != region ||
		e.ETag != "900150983CD24FB0D6963F7D28E17F72" || e.RequestID != c.lastCall(t).RequestID || e.Time.IsZero() {
		t.Errorf("announced %+v", e)
	}
	_, err := b.AppendObject("log", strings.NewReader("abc"), 0)
	noError(t, err)
	if e := <-seen; e.EventName != "ObjectCreated:AppendObject" {
		t.Errorf("announced %+v", e)
	}
}

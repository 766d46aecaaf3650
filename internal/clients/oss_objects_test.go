package clients

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
)

var (
	noKey  = answer{404, "NoSuchKey", "The specified key does not exist.", "0026-00000001"}
	exists = answer{409, "FileAlreadyExists", "The object you specified already exists and can not be overwritten.", "0026-00000002"}
)

// inDialects runs a test in every dialect, each against the same place and with keys of its own.
func inDialects(t *testing.T, test func(t *testing.T, c *oss.Client, mine string)) {
	t.Helper()
	main := places(t, "main")["main"]
	for n, d := range dialects {
		for _, signer := range []string{"admin", "session"} {
			t.Run(d.name+" as "+signer, func(t *testing.T) {
				t.Parallel()
				test(t, d.client(main, main.Keys[signer]), fmt.Sprintf("%s-%d/", signer, n))
			})
		}
	}
}

func put(ctx context.Context, c *oss.Client, bucket, key, body, forbid string) (*oss.PutObjectResult, error) {
	request := &oss.PutObjectRequest{Bucket: &bucket, Key: &key, Body: strings.NewReader(body), Metadata: map[string]string{"writer": "go"}}
	if forbid != "" {
		request.ForbidOverwrite = &forbid
	}
	return c.PutObject(ctx, request)
}

// read returns the body of an object, or of a range of it.
func read(t *testing.T, c *oss.Client, request *oss.GetObjectRequest) (string, *oss.GetObjectResult) {
	t.Helper()
	result, err := c.GetObject(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(result.Body)
	_ = result.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return string(body), result
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	inDialects(t, func(t *testing.T, c *oss.Client, _ string) {
		for bucket, want := range map[string]struct{ region, versioning, sse, class, acl string }{
			"ferry-images":    {"cn-hangzhou", "", "", "Standard", "private"},
			"ferry-versioned": {"cn-hangzhou", "Enabled", "", "Standard", "private"},
			"ferry-suspended": {"cn-hangzhou", "Suspended", "", "Standard", "private"},
			"ferry-encrypted": {"cn-hangzhou", "", "AES256", "Standard", "private"},
			"ferry-archive":   {"cn-hangzhou", "", "", "Archive", "private"},
			"ferry-open":      {"cn-hangzhou", "", "", "Standard", "public-read"},
			"ferry-elsewhere": {"cn-beijing", "", "", "Standard", "private"},
		} {
			result, err := c.GetBucketInfo(t.Context(), &oss.GetBucketInfoRequest{Bucket: &bucket})
			if err != nil {
				t.Fatal(err)
			}
			b := result.BucketInfo
			got := fmt.Sprint(oss.ToString(b.Name), oss.ToString(b.Location), oss.ToString(b.Versioning), oss.ToString(b.SseRule.SSEAlgorithm),
				oss.ToString(b.StorageClass), oss.ToString(b.ACL), oss.ToString(b.ExtranetEndpoint), oss.ToString(b.IntranetEndpoint), oss.ToString(b.Owner.ID))
			if expected := fmt.Sprint(bucket, "oss-"+want.region, want.versioning, want.sse, want.class, want.acl, "oss-"+want.region+".aliyuncs.com",
				"oss-"+want.region+"-internal.aliyuncs.com", "1234567890123456"); got != expected || time.Since(*b.CreationDate).Abs() > time.Hour {
				t.Errorf("%s is %s, want %s", bucket, got, expected)
			}
			location, err := c.GetBucketLocation(t.Context(), &oss.GetBucketLocationRequest{Bucket: &bucket})
			if err != nil || oss.ToString(location.LocationConstraint) != "oss-"+want.region {
				t.Errorf("%s is in %+v (%v)", bucket, location, err)
			}
		}
	})
}

func TestForbidOverwrite(t *testing.T) {
	t.Parallel()
	inDialects(t, func(t *testing.T, c *oss.Client, mine string) {
		once := func(key, body string) error {
			return without(put(t.Context(), c, "ferry-images", mine+key, body, "true"))
		}
		if err := once("once", "first"); err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, once("once", "second"), exists)
		if body, _ := read(t, c, &oss.GetObjectRequest{Bucket: oss.Ptr("ferry-images"), Key: oss.Ptr(mine + "once")}); body != "first" {
			t.Errorf("the object holds %q", body)
		}
		wantRefusal(t, without(put(t.Context(), c, "ferry-images", mine+"odd", "x", "maybe")), answer{400, "InvalidArgument", "", "0017-00000279"})

		var racing sync.WaitGroup
		failures := make([]error, 16)
		for n := range failures {
			racing.Go(func() { failures[n] = once("race", fmt.Sprint(n)) })
		}
		racing.Wait()
		won := 0
		for _, err := range failures {
			if err == nil {
				won++
				continue
			}
			wantRefusal(t, err, exists)
		}
		if won != 1 {
			t.Errorf("%d of %d writers created the object", won, len(failures))
		}
	})
}

// A bucket that has, or ever had, versioning ignores that overwriting is forbidden.
func TestVersions(t *testing.T) {
	t.Parallel()
	inDialects(t, func(t *testing.T, c *oss.Client, mine string) {
		for _, bucket := range []string{"ferry-versioned", "ferry-suspended"} {
			ids := map[string]bool{}
			for _, body := range []string{"1", "2"} {
				result, err := put(t.Context(), c, bucket, mine+"v", body, "true")
				if err != nil {
					t.Fatal(err)
				}
				ids[oss.ToString(result.VersionId)] = true
			}
			body, got := read(t, c, &oss.GetObjectRequest{Bucket: &bucket, Key: oss.Ptr(mine + "v")})
			if body != "2" || !ids[oss.ToString(got.VersionId)] {
				t.Errorf("%s has %q of version %s", bucket, body, oss.ToString(got.VersionId))
			}
			if distinct := len(ids) == 2 && !ids["null"] && !ids[""]; distinct != (bucket == "ferry-versioned") || !distinct && !ids["null"] {
				t.Errorf("%s has the versions %v", bucket, ids)
			}
			deleted, err := c.DeleteObject(t.Context(), &oss.DeleteObjectRequest{Bucket: &bucket, Key: oss.Ptr(mine + "v")})
			if err != nil || !deleted.DeleteMarker || oss.ToString(deleted.VersionId) == "" {
				t.Errorf("deleting from %s says %+v (%v)", bucket, deleted, err)
			}
			_, err = c.HeadObject(t.Context(), &oss.HeadObjectRequest{Bucket: &bucket, Key: oss.Ptr(mine + "v")})
			wantRefusal(t, err, noKey)
		}
	})
}

func TestObjects(t *testing.T) {
	t.Parallel()
	inDialects(t, func(t *testing.T, c *oss.Client, mine string) {
		bucket := oss.Ptr("ferry-images")
		for n, name := range []string{"plain", "with space", "a+b%2B&c=d?e#f", "ümläut/图像", "it's (a) *star*!", "a:b;c,d@e$f", "double//slash", "~tilde/.hidden", "ends/", "q=1&Signature=x"} {
			key := oss.Ptr(fmt.Sprintf("%s%d/%s", mine, n, name))
			stored, err := put(t.Context(), c, *bucket, *key, name, "")
			if err != nil {
				t.Errorf("%q: %v", name, err)
				continue
			}
			body, got := read(t, c, &oss.GetObjectRequest{Bucket: bucket, Key: key})
			head, err := c.HeadObject(t.Context(), &oss.HeadObjectRequest{Bucket: bucket, Key: key})
			if err != nil {
				t.Fatal(err)
			}
			if body != name || got.Metadata["writer"] != "go" || head.Metadata["writer"] != "go" || head.ContentLength != int64(len(name)) ||
				oss.ToString(head.ETag) != oss.ToString(stored.ETag) || oss.ToString(head.HashCRC64) != oss.ToString(stored.HashCRC64) ||
				oss.ToString(head.ObjectType) != "Normal" || oss.ToString(head.StorageClass) != "Standard" || head.LastModified == nil {
				t.Errorf("%q is %q %+v", name, body, head)
			}
			if found := list(t, c, &oss.ListObjectsV2Request{Bucket: bucket, Prefix: key}); len(found.keys) != 1 || found.keys[0] != *key {
				t.Errorf("%q is listed as %q", *key, found.keys)
			}
			for range 2 { // deleting what is not there succeeds
				if _, err := c.DeleteObject(t.Context(), &oss.DeleteObjectRequest{Bucket: bucket, Key: key}); err != nil {
					t.Error(err)
				}
			}
			_, err = c.GetObject(t.Context(), &oss.GetObjectRequest{Bucket: bucket, Key: key})
			wantRefusal(t, err, noKey)
		}
	})
}

func TestRanges(t *testing.T) {
	t.Parallel()
	inDialects(t, func(t *testing.T, c *oss.Client, _ string) {
		for _, test := range []struct{ wanted, behaviour, body, content string }{
			{"bytes=0-4", "", "01234", "bytes 0-4/10"},
			{"bytes=7-", "", "789", "bytes 7-9/10"},
			{"bytes=-2", "", "89", "bytes 8-9/10"},
			{"bytes=5-100", "", "0123456789", ""},
			{"bytes=5-100", "standard", "56789", "bytes 5-9/10"},
			{"bytes=20-", "", "0123456789", ""},
		} {
			request := &oss.GetObjectRequest{Bucket: oss.Ptr("ferry-images"), Key: object, Range: &test.wanted}
			if test.behaviour != "" {
				request.RangeBehavior = &test.behaviour
			}
			if body, got := read(t, c, request); body != test.body || oss.ToString(got.ContentRange) != test.content {
				t.Errorf("%s %s: %q %s", test.wanted, test.behaviour, body, oss.ToString(got.ContentRange))
			}
		}
		_, err := c.GetObject(t.Context(), &oss.GetObjectRequest{Bucket: oss.Ptr("ferry-images"), Key: object, Range: oss.Ptr("bytes=20-"), RangeBehavior: oss.Ptr("standard")})
		wantRefusal(t, err, answer{416, "InvalidRange", "", ""})
		_, err = c.GetObject(t.Context(), &oss.GetObjectRequest{Bucket: oss.Ptr("ferry-archive"), Key: object})
		wantRefusal(t, err, answer{403, "InvalidObjectState", "The operation is not valid for the object's state.", ""})
		_, err = put(t.Context(), c, "ferry-retained", *object, "x", "")
		wantRefusal(t, err, answer{409, "FileImmutable", "The object you specified is immutable.", ""})
	})
}

// listing is what a paginator found.
type listing struct {
	keys, prefixes []string
	pages          int
}

func list(t *testing.T, c *oss.Client, request *oss.ListObjectsV2Request) listing {
	t.Helper()
	var found listing
	for pages := c.NewListObjectsV2Paginator(request); pages.HasNext(); found.pages++ {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			found.keys = append(found.keys, oss.ToString(o.Key))
			if o.Size == 0 || oss.ToString(o.Type) != "Normal" || o.LastModified == nil || oss.ToString(o.ETag) == "" {
				t.Errorf("listed %+v", o)
			}
		}
		for _, p := range page.CommonPrefixes {
			found.prefixes = append(found.prefixes, oss.ToString(p.Prefix))
		}
		if page.KeyCount != len(page.Contents)+len(page.CommonPrefixes) {
			t.Errorf("a page of %d says %d", len(page.Contents)+len(page.CommonPrefixes), page.KeyCount)
		}
	}
	return found
}

func TestListings(t *testing.T) {
	t.Parallel()
	inDialects(t, func(t *testing.T, c *oss.Client, _ string) {
		for _, test := range []struct {
			prefix, delimiter, after string
			keys, prefixes           int
		}{
			{"", "", "", paged + 3, 0}, {"a/1/", "", "", 41, 0}, {"", "/", "", 1, 2}, {"a/", "/", "", 0, 3},
			{"", "", "a/2/122.json", 3, 0}, {"a/0/", "", "a/0/060.json", 20, 0}, {"", "/", "b", 0, 1}, {"z", "", "", 0, 0},
			{"c/1 +%&?#=ü图", "", "", 1, 0},
		} {
			for _, size := range []int32{1, 7, 41, 1000} {
				request := &oss.ListObjectsV2Request{Bucket: oss.Ptr("ferry-listed"), Prefix: &test.prefix, MaxKeys: size}
				if test.delimiter != "" {
					request.Delimiter = &test.delimiter
				}
				if test.after != "" {
					request.StartAfter = &test.after
				}
				found := list(t, c, request)
				distinct := map[string]bool{}
				for _, key := range found.keys {
					distinct[key] = true
				}
				pages := max(1, (test.keys+test.prefixes+int(size)-1)/int(size))
				if len(found.keys) != test.keys || len(distinct) != test.keys || len(found.prefixes) != test.prefixes || found.pages != pages {
					t.Errorf("%+v in pages of %d: %d objects (%d distinct), prefixes %q, %d pages", test, size, len(found.keys), len(distinct), found.prefixes, found.pages)
				}
			}
		}
	})
}

// What is signed into a URL is good for anybody with an HTTP client.
func TestSignedURLs(t *testing.T) {
	t.Parallel()
	main := places(t, "main")["main"]
	for _, d := range dialects {
		for _, test := range []struct {
			name, key string
			expires   time.Time
			status    int
			says      string
		}{
			{"admin", "admin", time.Now().Add(time.Minute), 200, "0123456789"},
			{"session", "session", time.Now().Add(time.Minute), 200, "0123456789"},
			{"expired token", "expired", time.Now().Add(time.Minute), 403, "SecurityTokenExpired"},
			{"wrong secret", "typo", time.Now().Add(time.Minute), 403, "SignatureDoesNotMatch"},
			{"nobody", "nobody", time.Now().Add(time.Minute), 403, "AccessDenied"},
		} {
			t.Run(d.name+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				signed, err := d.client(main, main.Keys[test.key]).Presign(t.Context(),
					&oss.GetObjectRequest{Bucket: oss.Ptr("ferry-images"), Key: object}, oss.PresignExpiration(test.expires))
				if err != nil {
					t.Fatal(err)
				}
				request, err := http.NewRequestWithContext(t.Context(), signed.Method, signed.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				response, err := loopback(main.OSS).Do(request)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if err != nil || response.StatusCode != test.status || !bytes.Contains(body, []byte(test.says)) {
					t.Errorf("%s %s (%v)", response.Status, body, err)
				}
			})
		}
	}
}

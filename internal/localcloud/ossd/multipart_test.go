package ossd_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"hash/crc64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/localcloud/trace"
)

// minPart is the least size of a part that is not the last one.
const minPart = 100 << 10

func pattern(seed string, n int) []byte {
	return bytes.Repeat([]byte(seed), n/len(seed)+1)[:n]
}

func initiate(t testing.TB, b *oss.Bucket, key string, options ...oss.Option) oss.InitiateMultipartUploadResult {
	t.Helper()
	upload, err := b.InitiateMultipartUpload(key, options...)
	noError(t, err)
	return upload
}

func uploadPart(t testing.TB, b *oss.Bucket, upload oss.InitiateMultipartUploadResult, number int, data []byte) oss.UploadPart {
	t.Helper()
	part, err := b.UploadPart(upload, bytes.NewReader(data), int64(len(data)), number)
	noError(t, err)
	return part
}

func TestMultipartThroughSDK(t *testing.T) {
	t.Parallel()
	for name, signing := range map[string]oss.ClientOption{
		"V1":                         oss.AuthVersion(oss.AuthV1),
		"V4":                         oss.AuthVersion(oss.AuthV4),
		"V4 with additional headers": oss.AdditionalHeaders([]string{"Host", "User-Agent"}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			b := c.objects(t, c.admin, signing)
			noError(t, b.PutObject("source b/é+", bytes.NewReader(pattern("source", 300<<10))))
			upload := initiate(t, b, awkwardKey, oss.ContentType("application/x-image"), oss.Meta("Run-Id", "42"))
			first, second := pattern("one", minPart), pattern("two!", 5)
			parts := []oss.UploadPart{uploadPart(t, b, upload, 1, pattern("overwritten", minPart))}
			parts[0] = uploadPart(t, b, upload, 1, first)
			sum := md5.Sum(first)
			if want := `"` + strings.ToUpper(hex.EncodeToString(sum[:])) + `"`; parts[0].ETag != want {
				t.Errorf("ETag of a part is %s, want %s", parts[0].ETag, want)
			}
			copied, err := b.UploadPartCopy(upload, bucket, "source b/é+", 6, minPart, 5)
			noError(t, err)
			parts = append(parts, copied, uploadPart(t, b, upload, 10000, second))
			uploadPart(t, b, upload, 6, []byte("not listed, and so dropped"))
			checkParts(t, b, upload)

			uploads, err := b.ListMultipartUploads(oss.Prefix("a b/"))
			noError(t, err)
			if len(uploads.Uploads) != 1 || uploads.Uploads[0].Key != awkwardKey || uploads.Uploads[0].UploadID != upload.UploadID {
				t.Errorf("uploads %+v", uploads.Uploads)
			}
			_, err = b.GetObject(awkwardKey)
			wantError(t, err, 404, "NoSuchKey")
			var header http.Header
			done, err := b.CompleteMultipartUpload(upload, parts, oss.GetResponseHeader(&header))
			noError(t, err)
			want := slices.Concat(first, pattern("source", minPart), second)
			crc := strconv.FormatUint(crc64.Checksum(want, crc64.MakeTable(crc64.ECMA)), 10)
			if done.Key != awkwardKey || !strings.HasSuffix(done.ETag, `-3"`) || header.Get("x-oss-hash-crc64ecma") != crc {
				t.Errorf("completed %+v, CRC %s, want %s", done, header.Get("x-oss-hash-crc64ecma"), crc)
			}
			if got := get(t, b, awkwardKey); got != string(want) {
				t.Errorf("the object has %d bytes that differ from the parts' %d", len(got), len(want))
			}
			if got := get(t, b, awkwardKey, oss.Range(minPart-3, minPart+3), oss.IfMatch(done.ETag)); got != string(want[minPart-3:minPart+4]) {
				t.Errorf("range across parts is %q", got)
			}
			head, err := b.GetObjectDetailedMeta(awkwardKey)
			noError(t, err)
			for name, want := range map[string]string{"ETag": done.ETag, "x-oss-object-type": "Multipart", "x-oss-hash-crc64ecma": crc,
				"Content-Type": "application/x-image", "X-Oss-Meta-Run-Id": "42", "Content-Length": strconv.Itoa(len(want))} {
				if got := head.Get(name); got != want {
					t.Errorf("HEAD answers %s: %q, want %q", name, got, want)
				}
			}
			// The upload is used up, which is all that a client learns whose first answer was lost.
			_, err = b.CompleteMultipartUpload(upload, parts)
			wantError(t, err, 404, "NoSuchUpload")
			wantError(t, b.AbortMultipartUpload(upload), 404, "NoSuchUpload")
			if left := c.oss.Uploads(bucket); len(left) != 0 {
				t.Errorf("uploads left: %+v", left)
			}
		})
	}
}

// checkParts pages through the parts 1, 5, 6 and 10000.
func checkParts(t *testing.T, b *oss.Bucket, upload oss.InitiateMultipartUploadResult) {
	t.Helper()
	var numbers []int
	marker := 0
	for {
		page, err := b.ListUploadedParts(upload, oss.MaxParts(3), oss.PartNumberMarker(marker))
		noError(t, err)
		for _, p := range page.UploadedParts {
			numbers = append(numbers, p.PartNumber)
			if p.ETag == "" || p.Size == 0 || p.LastModified.IsZero() {
				t.Errorf("part %+v", p)
			}
		}
		if !page.IsTruncated {
			break
		}
		marker, err = strconv.Atoi(page.NextPartNumberMarker)
		noError(t, err)
	}
	if !slices.Equal(numbers, []int{1, 5, 6, 10000}) {
		t.Errorf("parts %v", numbers)
	}
}

func TestPartsThatCannotBeCompleted(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	upload := initiate(t, b, "k")
	small := uploadPart(t, b, upload, 1, pattern("x", minPart-1))
	large := uploadPart(t, b, upload, 2, pattern("y", minPart))
	last := uploadPart(t, b, upload, 3, nil)
	raw := func(document string) error {
		_, err := b.Do("POST", "k", map[string]any{"uploadId": upload.UploadID}, nil, strings.NewReader(document), nil)
		return err
	}
	list := func(parts ...oss.UploadPart) string {
		var text strings.Builder
		for _, p := range parts {
			fmt.Fprintf(&text, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", p.PartNumber, p.ETag)
		}
		return "<CompleteMultipartUpload>" + text.String() + "</CompleteMultipartUpload>"
	}
	for name, tc := range map[string]struct{ document, code string }{
		"small part first": {list(small, large), "EntityTooSmall"},
		"not in order":     {list(last, large), "InvalidPartOrder"},
		"twice":            {list(large, large), "InvalidPartOrder"},
		"not uploaded":     {list(large, oss.UploadPart{PartNumber: 4, ETag: last.ETag}), "InvalidPart"},
		"number 0":         {list(oss.UploadPart{PartNumber: 0, ETag: last.ETag}), "InvalidPart"},
		"another ETag":     {list(oss.UploadPart{PartNumber: 2, ETag: last.ETag}), "InvalidPart"},
		"no parts":         {list(), "MalformedXML"},
		"no document":      {"", "MalformedXML"},
		"another document": {"<Delete/>", "MalformedXML"},
		"not XML":          {"<Complete", "MalformedXML"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantError(t, raw(tc.document), 400, tc.code)
		})
	}
	t.Run("numbers", func(t *testing.T) {
		t.Parallel()
		for _, number := range []int{0, -1, 10001} {
			_, err := b.UploadPart(upload, strings.NewReader("x"), 1, number)
			wantError(t, err, 400, "InvalidArgument")
		}
		_, err := b.UploadPart(upload, strings.NewReader("x"), 1, 4, oss.ContentMD5("AAAAAAAAAAAAAAAAAAAAAA=="))
		wantError(t, err, 400, "InvalidDigest")
	})
	t.Run("unknown upload", func(t *testing.T) {
		t.Parallel()
		for _, other := range []oss.InitiateMultipartUploadResult{{Key: "k", UploadID: "0"}, {Key: "other", UploadID: upload.UploadID}} {
			_, err := b.UploadPart(other, strings.NewReader("x"), 1, 1)
			wantError(t, err, 404, "NoSuchUpload")
			_, err = b.ListUploadedParts(other)
			wantError(t, err, 404, "NoSuchUpload")
			wantError(t, b.AbortMultipartUpload(other), 404, "NoSuchUpload")
		}
	})
}

func TestCompleteAll(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	upload := initiate(t, b, "k")
	_, err := b.CompleteMultipartUpload(upload, nil, oss.SetHeader("x-oss-complete-all", "no"))
	wantError(t, err, 400, "InvalidArgument")
	all := func() error {
		_, err := b.Do("POST", "k", map[string]any{"uploadId": upload.UploadID}, []oss.Option{oss.SetHeader("x-oss-complete-all", "yes")}, nil, nil)
		return err
	}
	wantError(t, all(), 400, "InvalidPart")
	uploadPart(t, b, upload, 7, []byte("end"))
	uploadPart(t, b, upload, 3, pattern("begin", minPart))
	_, err = b.CompleteMultipartUpload(upload, nil, oss.SetHeader("x-oss-complete-all", "yes")) // with the SDK's empty list in the body
	wantError(t, err, 400, "InvalidArgument")
	noError(t, all())
	if got := get(t, b, "k"); got != string(pattern("begin", minPart))+"end" {
		t.Errorf("object has %d bytes", len(got))
	}
}

func TestMultipartForbidsOverwrite(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	upload := initiate(t, b, "k", oss.ForbidOverWrite(true))
	part := uploadPart(t, b, upload, 1, []byte("mine"))
	noError(t, b.PutObject("k", strings.NewReader("theirs")))
	_, err := b.InitiateMultipartUpload("k", oss.ForbidOverWrite(true))
	wantError(t, err, 409, "FileAlreadyExists")
	_, err = b.CompleteMultipartUpload(upload, []oss.UploadPart{part}, oss.ForbidOverWrite(true))
	wantError(t, err, 409, "FileAlreadyExists")
	if got := get(t, b, "k"); got != "theirs" {
		t.Errorf("object is %q", got)
	}
	if left := c.oss.Uploads(bucket); len(left) != 1 || left[0].Parts != 1 || left[0].Size != 4 {
		t.Errorf("the refused upload is %+v", left)
	}
	_, err = b.CompleteMultipartUpload(upload, []oss.UploadPart{part})
	noError(t, err)
	if got := get(t, b, "k"); got != "mine" {
		t.Errorf("object is %q", got)
	}
}

func TestListMultipartUploads(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	for _, key := range []string{"a/1", "a/2", "a/2", "b", "c/x", "c/y", "d é"} {
		initiate(t, b, key)
	}
	list := func(options ...oss.Option) string {
		var names []string
		marker, id := "", ""
		for {
			page, err := b.ListMultipartUploads(append(options, oss.KeyMarker(marker), oss.UploadIDMarker(id))...)
			noError(t, err)
			for _, u := range page.Uploads {
				names = append(names, u.Key)
			}
			names = append(names, page.CommonPrefixes...)
			if !page.IsTruncated {
				return strings.Join(names, " ")
			}
			marker, id = page.NextKeyMarker, page.NextUploadIDMarker
		}
	}
	for _, limit := range []int{1, 2, 1000} {
		if got := list(oss.MaxUploads(limit)); got != "a/1 a/2 a/2 b c/x c/y d é" {
			t.Errorf("by %d: %s", limit, got)
		}
	}
	if got := list(oss.MaxUploads(1), oss.Delimiter("/")); got != "a/ b c/ d é" {
		t.Errorf("grouped: %s", got)
	}
	if got := list(oss.Prefix("a/")); got != "a/1 a/2 a/2" {
		t.Errorf("with prefix: %s", got)
	}
	_, err := b.ListMultipartUploads(oss.MaxUploads(1001))
	wantError(t, err, 400, "InvalidArgument")
}

func TestCopies(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	noError(t, b.PutObject("digits", strings.NewReader("0123456789"), oss.Meta("a", "b")))
	_, err := b.AppendObject("log", strings.NewReader("x"), 0)
	noError(t, err)
	c.bucket(t, ossd.BucketSpec{Name: "far-away", Region: "cn-beijing"})
	noError(t, c.oss.UpdateBucket(bucket, func(s *ossd.BucketSpec) { s.StorageClass = "Archive" }))
	noError(t, b.PutObject("cold", strings.NewReader("x")))
	noError(t, c.oss.UpdateBucket(bucket, func(s *ossd.BucketSpec) { s.StorageClass = "Standard" }))
	head, err := b.GetObjectMeta("digits")
	noError(t, err)
	upload := initiate(t, b, "target")
	part := func(source string, options ...oss.Option) error {
		options = append([]oss.Option{oss.SetHeader("x-oss-copy-source", source)}, options...)
		_, err := b.Do("PUT", "target", map[string]any{"uploadId": upload.UploadID, "partNumber": "1"}, options, nil, nil)
		return err
	}
	for name, tc := range map[string]struct {
		source string
		option oss.Option
		status int
		code   string
	}{
		"match":           {"/" + bucket + "/digits", oss.CopySourceIfMatch(head.Get("ETag")), 200, ""},
		"no match":        {"/" + bucket + "/digits", oss.CopySourceIfMatch(`"0"`), 412, "PreconditionFailed"},
		"escaped":         {"/" + bucket + "/%64igits", nil, 200, ""},
		"missing key":     {"/" + bucket + "/absent", nil, 404, "NoSuchKey"},
		"missing bucket":  {"/absent-bucket/k", nil, 404, "NoSuchBucket"},
		"another region":  {"/far-away/k", nil, 403, "AccessDenied"},
		"no key":          {"/" + bucket, nil, 400, "InvalidArgument"},
		"not rooted":      {bucket + "/digits", nil, 400, "InvalidArgument"},
		"bucket name":     {"/UPPER/digits", nil, 400, "InvalidBucketName"},
		"a version":       {"/" + bucket + "/digits?versionId=1", nil, 501, "NotImplemented"},
		"appendable":      {"/" + bucket + "/log", nil, 400, "OperationNotSupported"},
		"archived":        {"/" + bucket + "/cold", nil, 403, "InvalidObjectState"},
		"stale by header": {"/" + bucket + "/digits", oss.CopySourceIfNoneMatch(head.Get("ETag")), 304, ""},
	} {
		t.Run(name, func(t *testing.T) {
			options := slices.DeleteFunc([]oss.Option{tc.option}, func(o oss.Option) bool { return o == nil })
			err := part(tc.source, options...)
			switch tc.status {
			case 200:
				noError(t, err)
			case 304:
				if err == nil || !strings.Contains(err.Error(), "304") {
					t.Errorf("error is %v", err)
				}
			default:
				wantError(t, err, tc.status, tc.code)
			}
		})
	}
	for ranges, want := range map[string]string{"bytes=2-4": "234", "bytes=7-": "789", "bytes=-2": "89", "": "0123456789",
		"bytes=8-12": "0123456789", "nonsense": "0123456789"} {
		noError(t, part("/"+bucket+"/digits", oss.SetHeader("x-oss-copy-source-range", ranges)))
		list, err := b.ListUploadedParts(upload)
		noError(t, err)
		if got := list.UploadedParts[0].Size; got != len(want) {
			t.Errorf("range %q copies %d bytes, want %q", ranges, got, want)
		}
	}
	copied, err := b.CopyObject("digits", "copy of é")
	noError(t, err)
	again, err := b.GetObjectDetailedMeta("copy of é")
	noError(t, err)
	if copied.ETag != head.Get("ETag") || again.Get("X-Oss-Meta-A") != "b" || get(t, b, "copy of é") != "0123456789" {
		t.Errorf("copied %+v, %v", copied, again)
	}
	_, err = b.CopyObject("digits", "copy of é", oss.ForbidOverWrite(true))
	wantError(t, err, 409, "FileAlreadyExists")
	_, err = b.CopyObject("digits", "bare", oss.MetadataDirective(oss.MetaReplace))
	noError(t, err)
	if bare, err := b.GetObjectDetailedMeta("bare"); err != nil || bare.Get("X-Oss-Meta-A") != "" {
		t.Errorf("%v %v", bare, err)
	}
	noError(t, c.oss.PutContentAs(t.Context(), c.admin, bucket, "long", content.Zeros(1<<30+1)))
	_, err = b.CopyObject("long", "long copy")
	wantError(t, err, 400, "EntityTooLarge")
}

// Each operation needs the permission that RAM's documentation names for it, and a copy that of reading its source, too.
func TestMultipartNeedsPermissions(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		actions   string
		operation func(*oss.Bucket, oss.InitiateMultipartUploadResult) error
		denied    string // with one action missing: which is recorded as denied
	}{
		"UploadPartCopy": {`"oss:PutObject"`, func(b *oss.Bucket, u oss.InitiateMultipartUploadResult) error {
			_, err := b.UploadPartCopy(u, bucket, "source", 0, 1, 1)
			return err
		}, "oss:GetObject"},
		"UploadPart": {`"oss:GetObject","oss:ListParts"`, func(b *oss.Bucket, u oss.InitiateMultipartUploadResult) error {
			_, err := b.UploadPart(u, strings.NewReader("x"), 1, 1)
			return err
		}, "oss:PutObject"},
		"InitiateMultipartUpload": {`"oss:GetObject"`, func(b *oss.Bucket, _ oss.InitiateMultipartUploadResult) error {
			_, err := b.InitiateMultipartUpload("k")
			return err
		}, "oss:PutObject"},
		"CompleteMultipartUpload": {`"oss:GetObject"`, func(b *oss.Bucket, u oss.InitiateMultipartUploadResult) error {
			_, err := b.CompleteMultipartUpload(u, nil)
			return err
		}, "oss:PutObject"},
		"AbortMultipartUpload": {`"oss:PutObject"`, func(b *oss.Bucket, u oss.InitiateMultipartUploadResult) error {
			return b.AbortMultipartUpload(u)
		}, "oss:AbortMultipartUpload"},
		"ListParts": {`"oss:PutObject"`, func(b *oss.Bucket, u oss.InitiateMultipartUploadResult) error {
			_, err := b.ListUploadedParts(u)
			return err
		}, "oss:ListParts"},
		"ListMultipartUploads": {`"oss:ListObjects"`, func(b *oss.Bucket, _ oss.InitiateMultipartUploadResult) error {
			_, err := b.ListMultipartUploads()
			return err
		}, "oss:ListMultipartUploads"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			admin := c.objects(t, c.admin)
			noError(t, admin.PutObject("source", strings.NewReader("x")))
			upload := initiate(t, admin, "k")
			statement := `{"Version":"1","Statement":[{"Effect":"Allow","Action":[%s],"Resource":"*"}]}`
			narrow := c.role(t, "narrow", policy(t, fmt.Sprintf(statement, tc.actions)))
			c.tap.Reset()
			wantError(t, tc.operation(c.objects(t, narrow), upload), 403, "AccessDenied")
			calls := c.tap.Calls()
			if first := calls[0]; first.Action != tc.denied || first.Operation != name || first.Applied || first.Status != 403 || first.Principal != narrow.ARN {
				t.Errorf("recorded %+v", calls)
			}
			c.dir.PutRole("narrow", policy(t, fmt.Sprintf(statement, `"sts:AssumeRole"`)),
				policy(t, fmt.Sprintf(statement, tc.actions+`,"`+tc.denied+`"`)))
			if err := tc.operation(c.objects(t, narrow), upload); err != nil {
				wantError(t, err, 400, "MalformedXML") // of the completion without parts
			}
		})
	}
}

func TestFaultsAtMultipart(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	upload := initiate(t, b, "k")
	part := uploadPart(t, b, upload, 1, []byte("x"))
	c.tap.Inject(func(call trace.Call) trace.Fault {
		if call.Operation == "CompleteMultipartUpload" {
			return trace.Fault{Cut: trace.CutAfter}
		}
		return trace.Fault{}
	})
	_, err := b.CompleteMultipartUpload(upload, []oss.UploadPart{part})
	wantNoAnswer(t, err)
	c.tap.Inject(nil)
	if got := get(t, b, "k"); got != "x" {
		t.Errorf("object is %q", got)
	}
}

func TestMultipartNotice(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	seen := make(chan ossd.ObjectCreated, 2)
	c.oss.Subscribe(func(e ossd.ObjectCreated) { seen <- e })
	b := c.objects(t, c.admin)
	upload := initiate(t, b, "k")
	part := uploadPart(t, b, upload, 1, []byte("abc"))
	done, err := b.CompleteMultipartUpload(upload, []oss.UploadPart{part})
	noError(t, err)
	if e := <-seen; e.EventName != "ObjectCreated:CompleteMultipartUpload" || e.Size != 3 || `"`+e.ETag+`"` != done.ETag {
		t.Errorf("announced %+v", e)
	}
	_, err = b.CopyObject("k", "k2")
	noError(t, err)
	if e := <-seen; e.EventName != "ObjectCreated:CopyObject" || e.Key != "k2" {
		t.Errorf("announced %+v", e)
	}
}

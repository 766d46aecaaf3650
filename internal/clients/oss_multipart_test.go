package clients

import (
	"bytes"
	"fmt"
	"hash/crc64"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
)

// minPart is the least size of a part other than the last, in bytes.
const minPart = 100 << 10

// content is n bytes of which no two parts are alike.
func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8 ^ i*7)
	}
	return b
}

func sum(body []byte) string {
	return fmt.Sprint(crc64.Checksum(body, crc64.MakeTable(crc64.ECMA)))
}

// begin starts an upload and returns its id.
func begin(t *testing.T, c *oss.Client, bucket, key string) *string {
	t.Helper()
	begun, err := c.InitiateMultipartUpload(t.Context(), &oss.InitiateMultipartUploadRequest{Bucket: &bucket, Key: &key, Metadata: map[string]string{"writer": "go"}})
	if err != nil {
		t.Fatal(err)
	}
	return begun.UploadId
}

// upload stores a part and returns how a completion names it.
func upload(t *testing.T, c *oss.Client, bucket, key string, id *string, number int32, body []byte) oss.UploadPart {
	t.Helper()
	part, err := c.UploadPart(t.Context(), &oss.UploadPartRequest{Bucket: &bucket, Key: &key, UploadId: id, PartNumber: number, Body: bytes.NewReader(body)})
	if err != nil {
		t.Fatal(err)
	}
	if oss.ToString(part.HashCRC64) != sum(body) {
		t.Errorf("part %d has the CRC-64 %s, want %s", number, oss.ToString(part.HashCRC64), sum(body))
	}
	return oss.UploadPart{PartNumber: number, ETag: part.ETag}
}

func complete(t *testing.T, c *oss.Client, bucket, key string, id *string, forbid string, parts ...oss.UploadPart) error {
	t.Helper()
	request := &oss.CompleteMultipartUploadRequest{Bucket: &bucket, Key: &key, UploadId: id, CompleteMultipartUpload: &oss.CompleteMultipartUpload{Parts: parts}}
	if forbid != "" {
		request.ForbidOverwrite = &forbid
	}
	return without(c.CompleteMultipartUpload(t.Context(), request))
}

// TestMultipart uploads an object in parts, by hand and with the client's own uploader.
func TestMultipart(t *testing.T) {
	t.Parallel()
	inDialects(t, func(t *testing.T, c *oss.Client, mine string) {
		bucket, key, body := "ferry-images", mine+"parts with space+图.raw", content(2*minPart+5)
		id := begin(t, c, bucket, key)
		parts := []oss.UploadPart{
			upload(t, c, bucket, key, id, 1, body[:minPart]), upload(t, c, bucket, key, id, 2, body[minPart:2*minPart]), upload(t, c, bucket, key, id, 7, body[2*minPart:]),
		}
		var numbers []int32
		for pages := c.NewListPartsPaginator(&oss.ListPartsRequest{Bucket: &bucket, Key: &key, UploadId: id, MaxParts: 2}); pages.HasNext(); {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page.Parts {
				numbers = append(numbers, p.PartNumber)
			}
		}
		if fmt.Sprint(numbers) != "[1 2 7]" {
			t.Errorf("parts %v", numbers)
		}
		if err := complete(t, c, bucket, key, id, "true", parts...); err != nil {
			t.Fatal(err)
		}
		got, result := read(t, c, &oss.GetObjectRequest{Bucket: &bucket, Key: &key})
		if got != string(body) || oss.ToString(result.HashCRC64) != sum(body) || oss.ToString(result.ObjectType) != "Multipart" || result.Metadata["writer"] != "go" {
			t.Errorf("%d bytes, %+v", len(got), result)
		}
		second := mine + "uploader"
		uploader := c.NewUploader(func(o *oss.UploaderOptions) { o.PartSize = minPart })
		if _, err := uploader.UploadFrom(t.Context(), &oss.PutObjectRequest{Bucket: &bucket, Key: &second}, bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
		if got, _ := read(t, c, &oss.GetObjectRequest{Bucket: &bucket, Key: &second}); got != string(body) {
			t.Errorf("the uploader stored %d bytes", len(got))
		}
		gone := answer{404, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.", ""}
		wantRefusal(t, without(c.ListParts(t.Context(), &oss.ListPartsRequest{Bucket: &bucket, Key: &key, UploadId: id})), gone)
		id = begin(t, c, bucket, key)
		wantRefusal(t, complete(t, c, bucket, key, id, "true", upload(t, c, bucket, key, id, 1, body[:5])), exists)
		if _, err := c.AbortMultipartUpload(t.Context(), &oss.AbortMultipartUploadRequest{Bucket: &bucket, Key: &key, UploadId: id}); err != nil {
			t.Error(err)
		}
		wantRefusal(t, without(c.AbortMultipartUpload(t.Context(), &oss.AbortMultipartUploadRequest{Bucket: &bucket, Key: &key, UploadId: id})), gone)
	})
}

func TestPartsThatDoNotFit(t *testing.T) {
	t.Parallel()
	inDialects(t, func(t *testing.T, c *oss.Client, mine string) {
		bucket, key := "ferry-images", mine+"unfit"
		id := begin(t, c, bucket, key)
		one, two := upload(t, c, bucket, key, id, 1, content(5)), upload(t, c, bucket, key, id, 2, content(6))
		other := two
		other.ETag = oss.Ptr(`"00000000000000000000000000000000"`)
		for name, test := range map[string]struct {
			parts []oss.UploadPart
			want  answer
		}{
			"of other content": {[]oss.UploadPart{one, other}, answer{400, "InvalidPart", "", ""}},
			"that is missing":  {[]oss.UploadPart{one, {PartNumber: 3, ETag: one.ETag}}, answer{400, "InvalidPart", "", ""}},
			"too small":        {[]oss.UploadPart{one, two}, answer{400, "EntityTooSmall", "", ""}},
		} {
			t.Run(name, func(t *testing.T) { wantRefusal(t, complete(t, c, bucket, key, id, "", test.parts...), test.want) })
		}
		_, err := c.HeadObject(t.Context(), &oss.HeadObjectRequest{Bucket: &bucket, Key: &key})
		wantRefusal(t, err, noKey)
	})
}

func TestUploadsToTheEnd(t *testing.T) {
	t.Parallel()
	inDialects(t, func(t *testing.T, c *oss.Client, mine string) {
		bucket, begun := "ferry-images", map[string]bool{}
		for n := range 7 {
			begun[*begin(t, c, bucket, fmt.Sprintf("%suploads/%d", mine, n/2))] = true
		}
		for _, size := range []int32{1, 3, 1000} {
			found := map[string]bool{}
			pages := c.NewListMultipartUploadsPaginator(&oss.ListMultipartUploadsRequest{Bucket: &bucket, Prefix: oss.Ptr(mine + "uploads/"), MaxUploads: size})
			for pages.HasNext() {
				page, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, u := range page.Uploads {
					if !begun[oss.ToString(u.UploadId)] || found[oss.ToString(u.UploadId)] || !strings.HasPrefix(oss.ToString(u.Key), mine) {
						t.Errorf("listed %+v", u)
					}
					found[oss.ToString(u.UploadId)] = true
				}
			}
			if len(found) != len(begun) {
				t.Errorf("pages of %d: %d of %d uploads", size, len(found), len(begun))
			}
		}
	})
}

func TestCopies(t *testing.T) {
	t.Parallel()
	inDialects(t, func(t *testing.T, c *oss.Client, mine string) {
		bucket, source, target := "ferry-images", mine+"source +图", mine+"target"
		body := content(minPart + 100)
		if _, err := put(t.Context(), c, bucket, source, string(body), ""); err != nil {
			t.Fatal(err)
		}
		copied, err := c.CopyObject(t.Context(), &oss.CopyObjectRequest{Bucket: &bucket, Key: &target, SourceKey: &source, ForbidOverwrite: oss.Ptr("true")})
		if err != nil {
			t.Fatal(err)
		}
		got, result := read(t, c, &oss.GetObjectRequest{Bucket: &bucket, Key: &target})
		if got != string(body) || result.Metadata["writer"] != "go" || oss.ToString(copied.ETag) != oss.ToString(result.ETag) || copied.LastModified == nil {
			t.Errorf("%d bytes, %+v", len(got), copied)
		}
		_, err = c.CopyObject(t.Context(), &oss.CopyObjectRequest{Bucket: &bucket, Key: &target, SourceKey: &source, ForbidOverwrite: oss.Ptr("true")})
		wantRefusal(t, err, exists)
		_, err = c.CopyObject(t.Context(), &oss.CopyObjectRequest{Bucket: &bucket, Key: &target, SourceKey: oss.Ptr("none")})
		wantRefusal(t, err, noKey)

		joined := mine + "joined"
		id := begin(t, c, bucket, joined)
		var parts []oss.UploadPart
		for n, span := range []string{fmt.Sprintf("bytes=0-%d", minPart-1), fmt.Sprintf("bytes=%d-%d", minPart, minPart+99)} {
			part, err := c.UploadPartCopy(t.Context(), &oss.UploadPartCopyRequest{Bucket: &bucket, Key: &joined, SourceKey: &source, UploadId: id, PartNumber: int32(n + 1), Range: &span})
			if err != nil {
				t.Fatal(err)
			}
			if part.Headers.Get("ETag") != oss.ToString(part.ETag) {
				t.Errorf("the header says %q, the body %q", part.Headers.Get("ETag"), oss.ToString(part.ETag))
			}
			parts = append(parts, oss.UploadPart{PartNumber: int32(n + 1), ETag: part.ETag})
		}
		if err := complete(t, c, bucket, joined, id, "", parts...); err != nil {
			t.Fatal(err)
		}
		if got, _ := read(t, c, &oss.GetObjectRequest{Bucket: &bucket, Key: &joined}); got != string(body) {
			t.Errorf("joined %d bytes", len(got))
		}
	})
}

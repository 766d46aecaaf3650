package alicloud

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

func ossError(status int, code, more string) http.HandlerFunc {
	return xmlAnswer(status, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+code+`</Code><Message>why</Message><RequestId>R-1</RequestId>`+more+`</Error>`)
}

const bucketInfo = `<?xml version="1.0" encoding="UTF-8"?><BucketInfo><Bucket><CreationDate>2013-07-31T10:56:21.000Z</CreationDate>
	<Location>oss-cn-hangzhou</Location><StorageClass>Standard</StorageClass><Name>golden-images</Name>
	<Owner><ID>1234567890123456</ID><DisplayName>1234567890123456</DisplayName></Owner>
	<AccessControlList><Grant>private</Grant></AccessControlList><BlockPublicAccess>true</BlockPublicAccess>%s</Bucket></BucketInfo>`

func TestBucket(t *testing.T) {
	t.Parallel()
	plain := export.Bucket{Name: "golden-images", Location: "oss-cn-hangzhou", OwnerID: "1234567890123456", ACL: "private", StorageClass: "Standard"}
	special := plain
	special.Versioning, special.SSEAlgorithm = "Suspended", "KMS"
	for name, test := range map[string]struct {
		handle http.HandlerFunc
		want   export.Bucket
		found  bool
	}{
		"plain":     {xmlAnswer(200, fmt.Sprintf(bucketInfo, "")), plain, true},
		"SSE none":  {xmlAnswer(200, fmt.Sprintf(bucketInfo, `<ServerSideEncryptionRule><SSEAlgorithm>None</SSEAlgorithm></ServerSideEncryptionRule>`)), plain, true},
		"special":   {xmlAnswer(200, fmt.Sprintf(bucketInfo, `<Versioning>Suspended</Versioning><ServerSideEncryptionRule><SSEAlgorithm>KMS</SSEAlgorithm></ServerSideEncryptionRule>`)), special, true},
		"missing":   {ossError(404, "NoSuchBucket", ""), export.Bucket{}, false},
		"elsewhere": {ossError(403, "AccessDenied", `<Bucket>golden-images</Bucket><Endpoint>oss-cn-beijing.aliyuncs.com</Endpoint>`), export.Bucket{Name: "golden-images", Location: "oss-cn-beijing"}, true},
		"inside":    {ossError(403, "AccessDenied", `<Endpoint>oss-cn-beijing-internal.aliyuncs.com</Endpoint>`), export.Bucket{Name: "golden-images", Location: "oss-cn-beijing"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, test.handle)
			got, found, err := open(t, s).OSS.Bucket(t.Context(), "golden-images")
			if got != test.want || found != test.found || err != nil {
				t.Errorf("got %+v, %v, %v", got, found, err)
			}
			assertSignedV4(t, s.last(), "/golden-images/?bucketInfo")
		})
	}
	for name, handle := range map[string]http.HandlerFunc{
		"denied":                  ossError(403, "AccessDenied", ""),
		"an endpoint of our own":  ossError(403, "AccessDenied", `<Endpoint>oss-cn-hangzhou.aliyuncs.com</Endpoint>`),
		"an endpoint of no cloud": ossError(403, "AccessDenied", `<Endpoint>oss-cn-beijing.evil.example</Endpoint>`),
		"no bucket":               xmlAnswer(200, `<BucketInfo></BucketInfo>`),
		"no XML":                  jsonAnswer(200, `{}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := open(t, serve(t, handle)).OSS.Bucket(t.Context(), "golden-images")
			callError(t, err)
		})
	}
}

// assertSignedV4 recomputes the signature of version 4 from the parts that the SDK signs.
func assertSignedV4(t *testing.T, r *http.Request, resource string) {
	t.Helper()
	signed, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil {
		t.Fatal(err)
	}
	var headers []string
	for name, values := range r.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-oss-") || lower == "content-type" || lower == "content-md5" {
			headers = append(headers, lower+":"+values[0]+"\n")
		}
	}
	slices.Sort(headers)
	path, query, _ := strings.Cut(resource, "?")
	canonical := strings.Join([]string{r.Method, path, query, strings.Join(headers, ""), "", "UNSIGNED-PAYLOAD"}, "\n")
	day := signed.Format("20060102")
	scope := day + "/cn-hangzhou/oss/aliyun_v4_request"
	hash := sha256.Sum256([]byte(canonical))
	toSign := "OSS4-HMAC-SHA256\n" + r.Header.Get("Date") + "\n" + scope + "\n" + hex.EncodeToString(hash[:])
	key := []byte("aliyun_v4" + testCredentials.AccessKeySecret)
	for _, part := range []string{day, "cn-hangzhou", "oss", "aliyun_v4_request", toSign} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	want := "OSS4-HMAC-SHA256 Credential=" + testCredentials.AccessKeyID + "/" + scope + ",Signature=" + hex.EncodeToString(key)
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if r.Header.Get("X-Oss-Security-Token") != testCredentials.SecurityToken {
		t.Error("the security token is missing")
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	modified := time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC)
	head := func(change func(http.Header)) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Content-Length", "5368709120")
			h.Set("ETag", `"D41D8-5"`)
			h.Set("Last-Modified", modified.Format(http.TimeFormat))
			h.Set("X-Oss-Hash-Crc64ecma", "18446744073709551615")
			h.Set("X-Oss-Storage-Class", "IA")
			change(h)
		}
	}
	s := serve(t, head(func(http.Header) {}))
	got, found, err := open(t, s).OSS.Object(t.Context(), "golden-images", "nightly_m-1_system.raw.tar.gz")
	want := export.ObjectInfo{Size: 5 << 30, CRC64: "18446744073709551615", ETag: "D41D8-5", StorageClass: "IA", LastModified: modified}
	if got != want || !found || err != nil {
		t.Errorf("got %+v, %v, %v", got, found, err)
	}
	assertSignedV4(t, s.last(), "/golden-images/nightly_m-1_system.raw.tar.gz")

	hint := func(code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Oss-Err", base64.StdEncoding.EncodeToString([]byte(`<Error><Code>`+code+`</Code><Message>m</Message></Error>`)))
			w.WriteHeader(404)
		}
	}
	for name, handle := range map[string]http.HandlerFunc{"bare": answer(404, "", ""), "hint": hint("NoSuchKey")} {
		if got, found, err := open(t, serve(t, handle)).OSS.Object(t.Context(), "golden-images", "k"); found || err != nil {
			t.Errorf("%s 404: got %+v, %v, %v", name, got, found, err)
		}
	}
	for name, handle := range map[string]http.HandlerFunc{
		"bucket missing": hint("NoSuchBucket"),
		"forbidden":      answer(403, "", ""),
		"no time":        head(func(h http.Header) { h.Del("Last-Modified") }),
	} {
		_, _, err := open(t, serve(t, handle)).OSS.Object(t.Context(), "golden-images", "k")
		if e := callError(t, err); e.Op != "HeadObject" {
			t.Errorf("%s: got %+v", name, e)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	content := []byte("0123456789")
	ranges := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Oss-Range-Behavior") != "standard" {
			w.Header().Del("Range")
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}
	whole := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) }
	for _, test := range []struct {
		offset, length int64
		want           string
	}{
		{0, 4, "0123"}, {4, 2, "45"}, {8, 10, "89"}, {10, 1, ""}, {99, 1, ""}, {-3, 3, "789"}, {-3, 2, "78"}, {-99, 99, "0123456789"},
	} {
		for name, handle := range map[string]http.HandlerFunc{"ranges": ranges, "whole": whole} {
			s := serve(t, handle)
			got, err := open(t, s).OSS.Read(t.Context(), "golden-images", "k", test.offset, test.length)
			if string(got) != test.want || err != nil {
				t.Errorf("%s %d+%d: got %q, %v", name, test.offset, test.length, got, err)
			}
			assertSignedV4(t, s.last(), "/golden-images/k")
		}
	}
	endless := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	})
	_, err := open(t, endless).OSS.Read(t.Context(), "golden-images", "k", 1<<30, 4)
	callError(t, err)
	_, err = open(t, serve(t, ossError(404, "NoSuchKey", ""))).OSS.Read(t.Context(), "golden-images", "k", 0, 4)
	if e := callError(t, err); e.Code != "NoSuchKey" || e.RequestID != "R-1" || e.Ambiguous {
		t.Errorf("got %+v", e)
	}
	for _, length := range []int64{0, -1, maxAnswer + 1} {
		_, err := open(t, serve(t, hangUp)).OSS.Read(t.Context(), "golden-images", "k", 0, length)
		callError(t, err)
	}
}

func TestStoreWrites(t *testing.T) {
	t.Parallel()
	for _, data := range [][]byte{[]byte(`{"revision":1}`), nil} {
		var bodies []string
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			bodies = append(bodies, string(body))
			if len(bodies) == 1 {
				hangUp(w, r)
			}
			w.Header().Set("X-Oss-Hash-Crc64ecma", fmt.Sprint(crc64.Checksum(body, crc64.MakeTable(crc64.ECMA))))
		})
		if err := open(t, s).OSS.Store("records").Create(t.Context(), "imageferry/a b+c.json", data); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(bodies, []string{string(data), string(data)}) {
			t.Errorf("sent %q", bodies)
		}
		request := s.last()
		assertSignedV4(t, request, "/records/imageferry/a%20b%2Bc.json")
		sum := md5.Sum(data)
		if request.Header.Get("X-Oss-Forbid-Overwrite") != "true" || request.Header.Get("Content-Md5") != base64.StdEncoding.EncodeToString(sum[:]) {
			t.Errorf("sent %v", request.Header)
		}
		if request.ContentLength != int64(len(data)) {
			t.Errorf("sent a length of %d", request.ContentLength)
		}
		if err := open(t, s).OSS.Store("records").Put(t.Context(), "k", data); err != nil || s.last().Header.Get("X-Oss-Forbid-Overwrite") != "" {
			t.Errorf("put: %v, %v", err, s.last().Header)
		}
	}
}

func TestStoreCreateOverAnother(t *testing.T) {
	t.Parallel()
	taken := ossError(409, "FileAlreadyExists", "")
	s := serve(t, taken)
	if err := open(t, s).OSS.Store("records").Create(t.Context(), "k", nil); !errors.Is(err, manifest.ErrExists) || s.count() != 1 {
		t.Errorf("got %v after %d requests", err, s.count())
	}
	// The object of a first try whose answer was lost looks the same.
	s = serve(t, answers(hangUp, taken))
	if err := open(t, s).OSS.Store("records").Create(t.Context(), "k", nil); !errors.Is(err, manifest.ErrExists) || s.count() != 2 {
		t.Errorf("got %v after %d requests", err, s.count())
	}
	err := open(t, serve(t, ossError(409, "FileImmutable", ""))).OSS.Store("records").Create(t.Context(), "k", nil)
	if e := callError(t, err); errors.Is(err, manifest.ErrExists) || e.Code != "FileImmutable" {
		t.Errorf("got %v", err)
	}
}

func TestStoreGet(t *testing.T) {
	t.Parallel()
	content := `{"revision":1}`
	checked := func(sum string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Oss-Hash-Crc64ecma", sum)
			answer(200, "application/json", content)(w, r)
		}
	}
	right := fmt.Sprint(crc64.Checksum([]byte(content), crc64.MakeTable(crc64.ECMA)))
	for name, handle := range map[string]http.HandlerFunc{
		"at once":       checked(right),
		"no checksum":   answer(200, "application/json", content),
		"third time":    answers(truncated(200, "", content[:5]), checked("1"), checked(right)),
		"busy at first": answers(ossError(503, "TotalQpsLimitExceeded", ""), ossError(403, "DownloadTrafficRateLimitExceeded", ""), checked(right)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, handle)
			if got, err := open(t, s).OSS.Store("records").Get(t.Context(), "k"); string(got) != content || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			assertSignedV4(t, s.last(), "/records/k")
		})
	}
	if _, err := open(t, serve(t, ossError(404, "NoSuchKey", ""))).OSS.Store("records").Get(t.Context(), "k"); !errors.Is(err, manifest.ErrNotFound) {
		t.Errorf("no key: got %v", err)
	}
	_, err := open(t, serve(t, ossError(404, "NoSuchBucket", ""))).OSS.Store("records").Get(t.Context(), "k")
	if e := callError(t, err); errors.Is(err, manifest.ErrNotFound) || e.Code != "NoSuchBucket" {
		t.Errorf("no bucket: got %v", err)
	}
	s := serve(t, answer(200, "", strings.Repeat("x", maxAnswer+1)))
	if _, err = open(t, s).OSS.Store("records").Get(t.Context(), "k"); !errors.Is(err, manifest.ErrUnreadable) || s.count() != 1 {
		t.Errorf("too long: got %v after %d requests", err, s.count())
	}
}

func TestStoreDelete(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]http.HandlerFunc{
		"done": answer(204, "", ""), "never was": ossError(404, "NoSuchKey", ""), "second try": answers(hangUp, answer(204, "", "")),
	} {
		s := serve(t, handle)
		if err := open(t, s).OSS.Store("records").Delete(t.Context(), "k"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		assertSignedV4(t, s.last(), "/records/k")
	}
	if e := callError(t, open(t, serve(t, ossError(404, "NoSuchBucket", ""))).OSS.Store("records").Delete(t.Context(), "k")); e.Status != 404 {
		t.Errorf("got %+v", e)
	}
}

func TestStoreList(t *testing.T) {
	t.Parallel()
	page := func(more bool, next string, keys ...string) http.HandlerFunc {
		var body strings.Builder
		fmt.Fprintf(&body, `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>%v</IsTruncated><NextContinuationToken>%s</NextContinuationToken>`, more, next)
		for _, key := range keys {
			fmt.Fprintf(&body, `<Contents><Key>%s</Key></Contents>`, url.QueryEscape(key))
		}
		return xmlAnswer(200, body.String()+`</ListBucketResult>`)
	}
	s := serve(t, answers(page(true, "t1", "p/a b"), page(true, "t2"), page(true, "t3", "p/c", "p/d"), page(false, "", "p/e")))
	keys, more, err := open(t, s).OSS.Store("records").List(t.Context(), "p/", "p/0", 3)
	if err != nil || !reflect.DeepEqual(keys, []string{"p/a b", "p/c", "p/d"}) || !more || s.count() != 3 {
		t.Errorf("got %q, %v after %d requests", keys, err, s.count())
	}
	first, last := s.requests[0].URL.Query(), s.last().URL.Query()
	if first.Get("list-type") != "2" || first.Get("prefix") != "p/" || first.Get("start-after") != "p/0" || first.Get("max-keys") != "3" {
		t.Errorf("asked for %v", first)
	}
	if last.Get("continuation-token") != "t2" || last.Get("max-keys") != "2" {
		t.Errorf("asked for %v", last)
	}

	s = serve(t, page(false, "", "p/a"))
	keys, more, err = open(t, s).OSS.Store("records").List(t.Context(), "p/", "", 1000)
	if err != nil || !reflect.DeepEqual(keys, []string{"p/a"}) || more || s.count() != 1 || s.last().URL.Query().Has("start-after") {
		t.Errorf("got %q, %v, asked for %v", keys, err, s.last().URL)
	}
	// A page that is just full has no others after it, unless OSS says so.
	for _, truncated := range []bool{false, true} {
		s = serve(t, page(truncated, "t1", "p/a", "p/b"))
		if keys, more, err := open(t, s).OSS.Store("records").List(t.Context(), "p/", "", 2); err != nil || len(keys) != 2 || more != truncated || s.count() != 1 {
			t.Errorf("got %q and more %v (%v), want %v", keys, more, err, truncated)
		}
	}
	_, _, err = open(t, serve(t, xmlAnswer(200, `<ListBucketResult><Contents>`))).OSS.Store("records").List(t.Context(), "p/", "", 1)
	callError(t, err)
}

func TestOSSFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handle http.HandlerFunc
		want   wanted
	}{
		"denied":             {ossError(403, "AccessDenied", ""), wanted{code: "AccessDenied", status: 403, requests: 1}},
		"internal error":     {ossError(500, "InternalError", ""), wanted{code: "InternalError", status: 500, ambiguous: true, requests: 4}},
		"busy":               {ossError(503, "PartitionQpsLimitted", ""), wanted{code: "PartitionQpsLimitted", status: 503, requests: 4}},
		"gateway":            {answer(502, "text/html", `<html>Bad Gateway</html>`), wanted{status: 502, ambiguous: true, requests: 4}},
		"proxy":              {answer(403, "text/html", `<html>no</html>`), wanted{status: 403, ambiguous: true, requests: 1}},
		"beyond 505":         {answer(599, "text/plain", `x`), wanted{status: 599, ambiguous: true, requests: 4}},
		"redirected":         {redirect, wanted{status: 307, ambiguous: true, requests: 1}},
		"cut":                {hangUp, wanted{ambiguous: true, requests: 4}},
		"wrong checksum":     {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Oss-Hash-Crc64ecma", "1") }, wanted{status: 200, ambiguous: true, requests: 4}},
		"signature mismatch": {echo(403, `<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated does not match. %[1]s</Message><StringToSign>%[1]s</StringToSign></Error>`), wanted{code: "SignatureDoesNotMatch", status: 403, requests: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, test.handle)
			err := open(t, s).OSS.Store("records").Put(t.Context(), "k", []byte("data"))
			e := callError(t, err)
			test.want.cause = e.Cause // a cut connection shows in one of several ways
			check(t, e, "PutObject", test.want)
			if s.count() != test.want.requests {
				t.Errorf("%d requests, want %d", s.count(), test.want.requests)
			}
		})
	}
}

func TestBadBucketNameIsNotSent(t *testing.T) {
	t.Parallel()
	s := serve(t, hangUp)
	session := open(t, s)
	_, _, err := session.OSS.Bucket(t.Context(), "Bad_Name")
	callError(t, err)
	if e := callError(t, session.OSS.Store("Bad_Name").Put(t.Context(), "k", nil)); e.Ambiguous || s.count() != 0 {
		t.Errorf("got %+v after %d requests", e, s.count())
	}
}

package ossd_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ossd"
)

// role gives the cloud a role with the permissions and returns credentials of it.
func (c *cloud) role(t testing.TB, name string, permissions ...account.Policy) account.Identity {
	t.Helper()
	c.dir.PutRole(name, policy(t, `{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",
		"Principal":{"Service":["fc.aliyuncs.com"]}}]}`), permissions...)
	identity, err := c.dir.AssumeByService("fc.aliyuncs.com", name, "session", time.Hour)
	noError(t, err)
	return identity
}

func TestAuthenticationRefusals(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	ferry, other := c.role(t, "ferry", account.Administrator()), c.role(t, "other", account.Administrator())
	expired := c.role(t, "late", account.Administrator())
	c.dir.Expire(expired.AccessKeyID)
	with := func(as account.Identity, change func(*account.Identity)) account.Identity { change(&as); return as }
	for name, tc := range map[string]struct {
		as   account.Identity
		code string
		ec   string
	}{
		"unknown key":     {with(c.admin, func(i *account.Identity) { i.AccessKeyID = "LTAI-NOBODY" }), "InvalidAccessKeyId", "0002-00000040"},
		"wrong secret":    {with(ferry, func(i *account.Identity) { i.Secret = "wrong" }), "SignatureDoesNotMatch", "0002-00000040"},
		"no token":        {with(ferry, func(i *account.Identity) { i.Token = "" }), "InvalidAccessKeyId", "0002-00000040"},
		"unknown token":   {with(ferry, func(i *account.Identity) { i.Token = "invented" }), "InvalidSecurityToken", ""},
		"token of other":  {with(ferry, func(i *account.Identity) { i.Token = other.Token }), "AccessKeyIdAndSecurityTokenNotMatch", ""},
		"token with user": {with(c.admin, func(i *account.Identity) { i.Token = other.Token }), "AccessKeyIdAndSecurityTokenNotMatch", ""},
		"expired":         {expired, "SecurityTokenExpired", ""},
	} {
		for version, signing := range map[string]oss.AuthVersionType{"V1": oss.AuthV1, "V4": oss.AuthV4} {
			t.Run(name+" "+version, func(t *testing.T) {
				t.Parallel()
				b := c.objects(t, tc.as, oss.AuthVersion(signing))
				err := b.PutObject("k", strings.NewReader("x"))
				refusal := wantError(t, err, http.StatusForbidden, tc.code)
				if refusal.Ec != tc.ec {
					t.Errorf("EC is %q, want %q", refusal.Ec, tc.ec)
				}
				for _, secret := range []string{tc.as.Secret, tc.as.Token} {
					if secret != "" && strings.Contains(refusal.RawMessage, secret) {
						t.Error("the answer contains a secret")
					}
				}
				_, err = b.GetObjectDetailedMeta("k")
				wantError(t, err, http.StatusForbidden, tc.code)
			})
		}
	}
	t.Cleanup(func() {
		for _, call := range c.tap.Calls() {
			if call.Principal != "" || call.Status != http.StatusForbidden || call.Applied {
				t.Errorf("recorded %+v", call)
			}
		}
	})
}

func TestSigningRegion(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.bucket(t, ossd.BucketSpec{Name: "far-away", Region: "cn-beijing"})
	for name, tc := range map[string]struct {
		bucket, region, code string
	}{
		"of the endpoint":            {bucket, "cn-hangzhou", ""},
		"of the bucket":              {"far-away", "cn-beijing", ""},
		"another":                    {bucket, "cn-beijing", "InvalidArgument"},
		"with the location's prefix": {bucket, "oss-cn-hangzhou", "InvalidArgument"},
		"none":                       {bucket, "", "InvalidArgument"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.client(t, c.admin, oss.Region(tc.region)).GetBucketInfo(tc.bucket)
			if tc.code == "" {
				noError(t, err)
				return
			}
			if refusal := wantError(t, err, http.StatusBadRequest, tc.code); refusal.Ec != "0002-00000226" {
				t.Errorf("EC is %q", refusal.Ec)
			}
		})
	}
}

func TestSignedURLs(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	ferry := c.role(t, "ferry", account.Administrator())
	noError(t, c.objects(t, c.admin).PutObject(awkwardKey, strings.NewReader("content")))
	for version, signing := range map[string]oss.AuthVersionType{"V1": oss.AuthV1, "V4": oss.AuthV4} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			b := c.objects(t, ferry, oss.AuthVersion(signing))
			url, err := b.SignURL(awkwardKey, oss.HTTPGet, 60, oss.ResponseContentType("text/plain"))
			noError(t, err)
			answer, err := http.Get(url)
			noError(t, err)
			defer func() { _ = answer.Body.Close() }()
			body, err := io.ReadAll(answer.Body)
			noError(t, err)
			if answer.StatusCode != http.StatusOK || string(body) != "content" || answer.Header.Get("Content-Type") != "text/plain" {
				t.Errorf("answer is %s %q %v", answer.Status, body, answer.Header)
			}
			forged, err := http.Get(strings.Replace(url, "text%2Fplain", "text%2Fhtml", 1))
			noError(t, err)
			_ = forged.Body.Close()
			if forged.StatusCode != http.StatusForbidden {
				t.Errorf("a changed URL is answered %s", forged.Status)
			}
		})
	}
}

// The other SDKs sign x-oss-date in the ISO basic format instead of Date.
func TestISODate(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	at := func(offset time.Duration) oss.Option {
		return oss.SetHeader("x-oss-date", time.Now().UTC().Add(offset).Format("20060102T150405Z"))
	}
	noError(t, b.PutObject("k", strings.NewReader("x"), at(0)))
	noError(t, b.PutObject("k", strings.NewReader("x"), at(-14*time.Minute)))
	wantError(t, b.PutObject("k", strings.NewReader("x"), at(-16*time.Minute)), http.StatusForbidden, "RequestTimeTooSkewed")
}

// request sends a request with the headers, which is not signed unless they say so.
func (c *cloud) request(t testing.TB, method, path string, headers map[string]string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.url+path, nil)
	noError(t, err)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	noError(t, err)
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

func TestMalformedSignatures(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	now := time.Now().UTC()
	id, day := c.admin.AccessKeyID, now.Format("20060102")
	v4 := "OSS4-HMAC-SHA256 Credential=" + id + "/" + day + "/cn-hangzhou/oss/aliyun_v4_request,Signature=00"
	date, soon := now.Format(http.TimeFormat), now.Add(16*time.Minute)
	for name, tc := range map[string]struct {
		query   string
		headers map[string]string
		status  int
		body    string
	}{
		"another scheme":     {"", map[string]string{"Authorization": "Basic eDp5"}, 400, "Authorization header is invalid."},
		"V1 without colon":   {"", map[string]string{"Authorization": "OSS " + id, "Date": date}, 400, "Authorization header is invalid."},
		"V1 without date":    {"", map[string]string{"Authorization": "OSS " + id + ":x"}, 403, "valid Date"},
		"V1 late":            {"", map[string]string{"Authorization": "OSS " + id + ":x", "Date": now.Add(-16 * time.Minute).Format(http.TimeFormat)}, 403, "RequestTimeTooSkewed"},
		"V1 early":           {"", map[string]string{"Authorization": "OSS " + id + ":x", "Date": now.Add(16 * time.Minute).Format(http.TimeFormat)}, 403, "RequestTimeTooSkewed"},
		"V1 learns the time": {"", map[string]string{"Authorization": "OSS " + id + ":x", "Date": now.Add(16 * time.Minute).Format(http.TimeFormat)}, 403, "<MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds><RequestTime>" + soon.Truncate(time.Second).Format("2006-01-02T15:04:05.000Z") + "</RequestTime><ServerTime>" + day[:4]},
		"V1 in time":         {"", map[string]string{"Authorization": "OSS " + id + ":x", "Date": now.Add(-14 * time.Minute).Format(http.TimeFormat)}, 403, "SignatureDoesNotMatch"},
		"V4 short scope":     {"", map[string]string{"Authorization": "OSS4-HMAC-SHA256 Credential=" + id, "Date": date}, 400, "Authorization header is invalid."},
		"V4 other product":   {"", map[string]string{"Authorization": strings.Replace(v4, "/oss/", "/ecs/", 1)}, 400, "0002-00000227"},
		"V4 no payload hash": {"", map[string]string{"Authorization": v4, "Date": date}, 400, "x-oss-content-sha256"},
		"V4 other day":       {"", map[string]string{"Authorization": v4, "x-oss-content-sha256": "UNSIGNED-PAYLOAD", "x-oss-date": "20200101T000000Z"}, 403, "valid Date"},
		"V4 in time":         {"", map[string]string{"Authorization": v4, "x-oss-content-sha256": "UNSIGNED-PAYLOAD", "x-oss-date": now.Format("20060102T150405Z")}, 403, "SignatureDoesNotMatch"},
		"V1 URL expired":     {"?OSSAccessKeyId=" + id + "&Expires=1000&Signature=x", nil, 403, "Request has expired."},
		"V4 URL too long":    {"?x-oss-signature=0&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-expires=604801&x-oss-date=" + now.Format("20060102T150405Z") + "&x-oss-credential=" + id + "/" + day + "/cn-hangzhou/oss/aliyun_v4_request", nil, 400, "InvalidArgument"},
		"V4 URL not yet":     {"?x-oss-signature=0&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-expires=60&x-oss-date=" + soon.Format("20060102T150405Z") + "&x-oss-credential=" + id + "/" + soon.Format("20060102") + "/cn-hangzhou/oss/aliyun_v4_request", nil, 403, "0002-00000235"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := c.request(t, http.MethodGet, "/"+bucket+"/k"+tc.query, tc.headers)
			body, err := io.ReadAll(answer.Body)
			noError(t, err)
			if answer.StatusCode != tc.status || !strings.Contains(string(body), tc.body) {
				t.Errorf("answer is %s %s, want %d and %q", answer.Status, body, tc.status, tc.body)
			}
		})
	}
}

func TestAnonymousCallersFollowTheACL(t *testing.T) {
	t.Parallel()
	for acl, allowed := range map[string]map[string]bool{
		"private":           {},
		"public-read":       {"GET": true, "HEAD": true},
		"public-read-write": {"GET": true, "HEAD": true, "PUT": true, "DELETE": true},
	} {
		t.Run(acl, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			noError(t, c.oss.UpdateBucket(bucket, func(s *ossd.BucketSpec) { s.ACL = acl }))
			noError(t, c.objects(t, c.admin).PutObject("k", strings.NewReader("x")))
			for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
				answer := c.request(t, method, "/"+bucket+"/k", map[string]string{"Content-Length": "0"})
				if got := answer.StatusCode < 300; got != allowed[method] {
					t.Errorf("%s is answered %s", method, answer.Status)
				}
			}
			for _, path := range []string{"/", "/" + bucket + "/?bucketInfo", "/" + bucket + "/?list-type=2"} {
				if answer := c.request(t, http.MethodGet, path, nil); answer.StatusCode != http.StatusForbidden {
					t.Errorf("GET %s is answered %s", path, answer.Status)
				}
			}
		})
	}
}

func TestRAMDecides(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	ferry := c.role(t, "ferry", policy(t, `{"Version":"1","Statement":[
		{"Effect":"Allow","Action":["oss:PutObject","oss:GetObject"],"Resource":"acs:oss:*:*:images-backup/imageferry/*"},
		{"Effect":"Deny","Action":"oss:PutObject","Resource":"acs:oss:*:*:images-backup/imageferry/sealed"},
		{"Effect":"Allow","Action":"oss:ListObjects","Resource":"acs:oss:*:*:images-backup",
		 "Condition":{"StringLike":{"oss:Prefix":["imageferry/*"]}}}]}`))
	b := c.objects(t, ferry)
	noError(t, b.PutObject("imageferry/a", strings.NewReader("x")))
	_ = get(t, b, "imageferry/a")
	_, err := b.ListObjectsV2(oss.Prefix("imageferry/journal/"))
	noError(t, err)
	for name, call := range map[string]func() error{
		"put elsewhere":    func() error { return b.PutObject("other/a", strings.NewReader("x")) },
		"put denied":       func() error { return b.PutObject("imageferry/sealed", strings.NewReader("x")) },
		"delete":           func() error { return b.DeleteObject("imageferry/a") },
		"head elsewhere":   func() error { _, err := b.GetObjectDetailedMeta("other/a"); return err },
		"append elsewhere": func() error { _, err := b.AppendObject("other/a", strings.NewReader("x"), 0); return err },
		"list another":     func() error { _, err := b.ListObjectsV2(oss.Prefix("other/")); return err },
		"list all":         func() error { _, err := b.ListObjectsV2(); return err },
		"bucket info":      func() error { _, err := b.Client.GetBucketInfo(bucket); return err },
		"bucket location":  func() error { _, err := b.Client.GetBucketLocation(bucket); return err },
		"list buckets":     func() error { _, err := b.Client.ListBuckets(); return err },
		"create bucket":    func() error { return b.Client.CreateBucket("brand-new") },
	} {
		t.Run(name, func(t *testing.T) { wantError(t, call(), http.StatusForbidden, "AccessDenied") })
	}
	if _, ok := c.oss.Bucket("brand-new"); ok {
		t.Error("a refused PutBucket created the bucket")
	}
	c.dir.DeleteRole("ferry")
	wantError(t, b.PutObject("imageferry/a", strings.NewReader("x")), http.StatusForbidden, "AccessDenied")
}

func TestForeignBucket(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.bucket(t, ossd.BucketSpec{Name: "foreign", OwnerID: "9999999999999999"})
	c.bucket(t, ossd.BucketSpec{Name: "foreign-public", OwnerID: "9999999999999999", ACL: "public-read"})
	client := c.client(t, c.admin)
	_, err := client.GetBucketInfo("foreign")
	if refusal := wantError(t, err, http.StatusForbidden, "AccessDenied"); refusal.Message != "The bucket you access does not belong to you." {
		t.Errorf("message is %q", refusal.Message)
	}
	wantError(t, objectsOf(t, client, "foreign").PutObject("k", strings.NewReader("x")), http.StatusForbidden, "AccessDenied")
	wantError(t, objectsOf(t, client, "foreign-public").PutObject("k", strings.NewReader("x")), http.StatusForbidden, "AccessDenied")
	_, err = objectsOf(t, client, "foreign-public").GetObject("k")
	wantError(t, err, http.StatusNotFound, "NoSuchKey")
	wantError(t, client.CreateBucket("foreign"), http.StatusConflict, "BucketAlreadyExists")
}

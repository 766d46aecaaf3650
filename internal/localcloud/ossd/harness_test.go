package ossd_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/localcloud/trace"
)

const (
	region    = "cn-hangzhou"
	accountID = "1234567890123456"
	bucket    = "images-backup"
)

// A cloud is an OSS with one bucket behind a loopback listener.
type cloud struct {
	oss   *ossd.Server
	dir   *account.Directory
	tap   *trace.Tap
	url   string
	admin account.Identity
}

func newCloud(t testing.TB) *cloud {
	t.Helper()
	c := &cloud{dir: account.New(accountID), tap: trace.NewTap(0)}
	c.admin = c.dir.PutUser("admin", account.Administrator())
	c.oss = ossd.New(region, c.dir, c.tap, nil)
	c.bucket(t, ossd.BucketSpec{Name: bucket})
	server := httptest.NewServer(c.oss)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *cloud) bucket(t testing.TB, spec ossd.BucketSpec) {
	t.Helper()
	if err := c.oss.CreateBucket(spec); err != nil {
		t.Fatalf("CreateBucket(%+v): %v", spec, err)
	}
}

// client returns an SDK client that addresses the cloud by IP, and so by path.
func (c *cloud) client(t testing.TB, as account.Identity, options ...oss.ClientOption) *oss.Client {
	t.Helper()
	return c.clientAt(t, c.url, as, options...)
}

func (c *cloud) clientAt(t testing.TB, endpoint string, as account.Identity, options ...oss.ClientOption) *oss.Client {
	t.Helper()
	// Every request dials the cloud, whatever host it names.
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(c.url, "http://"))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	options = append([]oss.ClientOption{
		oss.HTTPClient(&http.Client{Transport: transport}),
		oss.AuthVersion(oss.AuthV4), oss.Region(region), oss.SecurityToken(as.Token),
	}, options...)
	client, err := oss.New(endpoint, as.AccessKeyID, as.Secret, options...)
	if err != nil {
		t.Fatalf("new OSS client: %v", err)
	}
	return client
}

func (c *cloud) objects(t testing.TB, as account.Identity, options ...oss.ClientOption) *oss.Bucket {
	t.Helper()
	return objectsOf(t, c.client(t, as, options...), bucket)
}

func objectsOf(t testing.TB, client *oss.Client, name string) *oss.Bucket {
	t.Helper()
	b, err := client.Bucket(name)
	if err != nil {
		t.Fatalf("open bucket %s: %v", name, err)
	}
	return b
}

// wantError asserts that err is the service's refusal with the status and code, and returns it.
func wantError(t testing.TB, err error, status int, code string) oss.ServiceError {
	t.Helper()
	var refusal oss.ServiceError
	if !errors.As(err, &refusal) {
		t.Fatalf("error is %v, want %d %s", err, status, code)
	}
	if refusal.StatusCode != status || refusal.Code != code {
		t.Fatalf("error is %d %s (%s), want %d %s", refusal.StatusCode, refusal.Code, refusal.Message, status, code)
	}
	return refusal
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lastCall returns the newest record of the tap.
func (c *cloud) lastCall(t testing.TB) trace.Call {
	t.Helper()
	calls := c.tap.Calls()
	if len(calls) == 0 {
		t.Fatal("no call was recorded")
	}
	return calls[len(calls)-1]
}

func policy(t testing.TB, document string) account.Policy {
	t.Helper()
	p, err := account.ParsePolicy([]byte(document))
	noError(t, err)
	return p
}

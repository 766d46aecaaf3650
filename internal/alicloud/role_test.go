package alicloud_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/export"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/trace"
)

const (
	otherAccount = "2234567890123456"
	externalID   = "shop-4f1c2a9be07d"
)

// roleTrust lets the administrator of the embedded cloud's first account assume a role, with an external id.
func roleTrust(c *localcloud.Cloud, id string) account.Policy {
	return account.Policy{Version: "1", Statement: []account.Statement{{
		Effect: "Allow", Action: account.Strings{"sts:AssumeRole"}, Principal: &account.Principal{RAM: account.Strings{c.Administrator.ARN}},
		Condition: map[string]map[string]account.Strings{"StringEquals": {"sts:ExternalId": {id}}},
	}}}
}

func options(t *testing.T, c *localcloud.Cloud) alicloud.Options {
	t.Helper()
	transport := alicloud.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	return alicloud.Options{
		Region: c.Region, HTTP: transport, Backoff: alicloud.Backoff{First: time.Millisecond, Max: time.Millisecond},
		Credentials: alicloud.Static(alicloud.Credentials{AccessKeyID: c.Administrator.AccessKeyID, AccessKeySecret: c.Administrator.Secret}),
	}
}

func assumes(c *localcloud.Cloud) int {
	n := 0
	for _, call := range c.Tap.Calls() {
		if call.Action == "sts:AssumeRole" {
			n++
		}
	}
	return n
}

// TestRoles assumes roles of another account: once for all who need one, and again with another external id, or after it failed.
func TestRoles(t *testing.T) {
	t.Parallel()
	cloud := start(t, localcloud.Options{}).Cloud
	other := cloud.Directory.Open(otherAccount)
	roles, o, sts := alicloud.NewRoles(), options(t, cloud), "http://"+cloud.Endpoints.STS
	role := alicloud.Role{ARN: other.RoleARN("imageferry-target"), ExternalID: externalID, Session: "imageferry-" + cloud.Directory.ID()}
	get, err := roles.Provider(o, sts, role)
	if err != nil {
		t.Fatal(err)
	}

	_, err = get(t.Context())
	var call *export.CallError
	if !errors.As(err, &call) || call.Code != "EntityNotExist.Role" || !strings.Contains(err.Error(), role.ARN) {
		t.Errorf("a role that is not there: %v", err)
	}
	other.PutRole("imageferry-target", roleTrust(cloud, "another-id-entirely"), account.Administrator())
	if _, err = get(t.Context()); !errors.As(err, &call) || call.Code != "NoPermission" || strings.Contains(err.Error(), externalID) {
		t.Errorf("a role with another external id: %v", err)
	}
	other.PutRole("imageferry-target", roleTrust(cloud, externalID), account.Administrator())
	cloud.Tap.Reset()
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			next, err := roles.Provider(o, sts, role) // as the next invocation does
			if err == nil {
				_, err = next(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := assumes(cloud); n != 1 {
		t.Errorf("%d calls of AssumeRole", n)
	}
	keys, err := get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	identity, err := cloud.Directory.Lookup(keys.AccessKeyID)
	if left := time.Until(identity.Expires); err != nil || identity.AccountID != otherAccount || left > 15*time.Minute || left < 14*time.Minute ||
		!strings.HasSuffix(identity.ARN, ":assumed-role/imageferry-target/imageferry-"+cloud.Directory.ID()) {
		t.Errorf("%s for %v (%v)", identity.ARN, left, err)
	}
	wrong := role
	wrong.ExternalID = "guessed-0000000000"
	guess, err := roles.Provider(o, sts, wrong)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := guess(t.Context()); !errors.As(err, &call) || call.Code != "NoPermission" {
		t.Errorf("with another external id: %v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v", role, role, role); strings.Contains(text, externalID) {
		t.Errorf("the external id is shown: %s", text)
	}
}

// TestRolesAreRenewed asks again for credentials that end soon, and does not wait for others longer than it may.
func TestRolesAreRenewed(t *testing.T) {
	t.Parallel()
	cloud := start(t, localcloud.Options{}).Cloud
	role := alicloud.Role{ARN: cloud.Directory.RoleARN("target"), ExternalID: externalID, Session: "imageferry"}
	cloud.Directory.PutRole("target", roleTrust(cloud, externalID), account.Administrator())
	get, err := alicloud.NewRoles().Provider(options(t, cloud), "http://"+cloud.Endpoints.STS, role)
	if err != nil {
		t.Fatal(err)
	}
	life := func(d time.Duration) {
		cloud.Tap.Inject(func(trace.Call) trace.Fault {
			return trace.Fault{Mangle: func(int, []byte) (int, []byte) {
				return http.StatusOK, fmt.Appendf(nil, `{"RequestId":"1","Credentials":{"AccessKeyId":"STS.1","AccessKeySecret":"s","SecurityToken":"t","Expiration":%q}}`,
					time.Now().Add(d).UTC().Format(time.RFC3339))
			}}
		})
	}
	for _, step := range []struct {
		life  time.Duration
		calls int
	}{{4 * time.Minute, 1}, {time.Hour, 1}, {time.Hour, 0}} {
		life(step.life)
		before := assumes(cloud)
		if _, err := get(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := assumes(cloud) - before; n != step.calls {
			t.Errorf("%d calls, want %d", n, step.calls)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fresh, err := alicloud.NewRoles().Provider(options(t, cloud), "http://"+cloud.Endpoints.STS, role)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

// TestRoleAnswers refuses answers that hold no usable credentials, and tells no secret of them.
func TestRoleAnswers(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing":    `{}`,
		"no expiry":  `{"Credentials":{"AccessKeyId":"STS.1","AccessKeySecret":"hush-hush","SecurityToken":"hush-hush"}}`,
		"odd expiry": `{"Credentials":{"AccessKeyId":"STS.1","AccessKeySecret":"hush-hush","SecurityToken":"hush-hush","Expiration":"soon"}}`,
		"no token":   `{"Credentials":{"AccessKeyId":"STS.1","AccessKeySecret":"hush-hush","Expiration":"2099-01-01T00:00:00Z"}}`,
		"no JSON":    `<html>hush-hush</html>`,
		"a number":   `{"Code":400,"Message":"ExternalId=hush-hush&x=1 SecurityToken=hush-hush"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := start(t, localcloud.Options{}).Cloud
			cloud.Directory.PutRole("target", roleTrust(cloud, externalID), account.Administrator())
			cloud.Tap.Inject(func(trace.Call) trace.Fault {
				status := http.StatusOK
				if name == "a number" {
					status = http.StatusBadRequest
				}
				return trace.Fault{Mangle: func(int, []byte) (int, []byte) { return status, []byte(body) }}
			})
			get, err := alicloud.NewRoles().Provider(options(t, cloud), "http://"+cloud.Endpoints.STS,
				alicloud.Role{ARN: cloud.Directory.RoleARN("target"), ExternalID: externalID, Session: "imageferry"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := get(t.Context()); err == nil || strings.Contains(err.Error(), "hush") {
				t.Errorf("got %v", err)
			}
		})
	}
}

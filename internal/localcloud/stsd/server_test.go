package stsd_test

import (
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/sts"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/localcloud/stsd"
	"imageferry/internal/localcloud/trace"
)

const accountID = "1234567890123456"

type world struct {
	dir    *account.Directory
	tap    *trace.Tap
	server *httptest.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: account.New(accountID), tap: trace.NewTap(0)}
	w.server = httptest.NewServer(stsd.New(w.dir, w.tap, slog.New(slog.DiscardHandler)))
	t.Cleanup(w.server.Close)
	return w
}

// prepare fills the SDK's map of endpoints, which its first clients would race for.
var prepare = sync.OnceFunc(func() { sts.GetEndpointMap() })

func (w *world) client(t *testing.T, id account.Identity) *sts.Client {
	t.Helper()
	prepare()
	var credential auth.Credential = credentials.NewAccessKeyCredential(id.AccessKeyID, id.Secret)
	if id.Token != "" {
		credential = credentials.NewStsTokenCredential(id.AccessKeyID, id.Secret, id.Token)
	}
	c, err := sts.NewClientWithOptions("cn-hangzhou", sdk.NewConfig().WithScheme("HTTP"), credential)
	if err != nil {
		t.Fatal(err)
	}
	c.Domain = strings.TrimPrefix(w.server.URL, "http://")
	return c
}

func policy(effect, action, resource string, principals ...string) account.Policy {
	s := account.Statement{Effect: effect, Action: account.Strings{action}}
	if resource != "" {
		s.Resource = account.Strings{resource}
	}
	if principals != nil {
		s.Principal = &account.Principal{RAM: principals}
	}
	return account.Policy{Version: "1", Statement: []account.Statement{s}}
}

func TestAssumeRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dir.PutRole("target", policy("Allow", "sts:AssumeRole", "", "acs:ram::"+accountID+":root"), account.Administrator())
	w.dir.PutRole("closed", policy("Allow", "sts:AssumeRole", "", "acs:ram::6543210987654321:root"), account.Administrator())
	arn := w.dir.RoleARN("target")
	user := w.dir.PutUser("user", policy("Allow", "sts:AssumeRole", "acs:ram::"+accountID+":role/*"))
	other := w.dir.PutUser("other", policy("Allow", "sts:AssumeRole", "acs:ram::"+accountID+":role/x"))
	tests := []struct {
		name, arn, session string
		as                 account.Identity
		seconds            int
		policy             string
		status             int
		code               string
	}{
		{name: "allowed", as: user, arn: arn, session: "s-1", seconds: 900},
		{name: "default duration", as: user, arn: arn, session: "s-1"},
		{name: "no permission", as: other, arn: arn, session: "s-1", status: 403, code: "NoPermission"},
		{name: "not trusted", as: user, arn: w.dir.RoleARN("closed"), session: "s-1", status: 403, code: "NoPermission"},
		{name: "no such role", as: user, arn: w.dir.RoleARN("nobody"), session: "s-1", status: 404, code: "EntityNotExist.Role"},
		{name: "malformed ARN", as: w.dir.PutUser("admin", account.Administrator()), arn: "target", session: "s-1", status: 400, code: "InvalidParameter.RoleArn"},
		{name: "malformed session", as: user, arn: arn, session: "a/b", status: 400, code: "InvalidParameter.RoleSessionName"},
		{name: "too short", as: user, arn: arn, session: "s-1", seconds: 899, status: 400, code: "InvalidParameter.DurationSeconds"},
		{name: "too long", as: user, arn: arn, session: "s-1", seconds: 3601, status: 400, code: "InvalidParameter.DurationSeconds"},
		{name: "session policy", as: user, arn: arn, session: "s-1", policy: "{}", status: 400, code: "InvalidParameter.Policy"},
		{name: "no session", as: user, arn: arn, status: 400, code: "MissingParameter"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			request := sts.CreateAssumeRoleRequest()
			request.RoleArn, request.RoleSessionName, request.Policy = test.arn, test.session, test.policy
			want := time.Hour
			if test.seconds != 0 {
				want = time.Duration(test.seconds) * time.Second
				request.DurationSeconds = requests.NewInteger(test.seconds)
			}
			response, err := w.client(t, test.as).AssumeRole(request)
			if test.code != "" {
				var server *sdkerrors.ServerError
				if !errors.As(err, &server) || server.ErrorCode() != test.code || server.HttpStatus() != test.status {
					t.Errorf("%v, want %d %s", err, test.status, test.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c := response.Credentials
			identity, err := w.dir.Lookup(c.AccessKeyId)
			if err != nil || identity.Secret != c.AccessKeySecret || identity.Token != c.SecurityToken || identity.RoleName != "target" {
				t.Errorf("credentials %+v of %s (%v)", c.AccessKeyId, identity.ARN, err)
			}
			expires, err := time.Parse(time.RFC3339, c.Expiration)
			if left := time.Until(expires); err != nil || left > want || left < want-time.Minute {
				t.Errorf("expires in %v, want %v (%v)", left, want, err)
			}
			if response.AssumedRoleUser.Arn != "acs:ram::"+accountID+":assumed-role/target/s-1" || !strings.HasSuffix(response.AssumedRoleUser.AssumedRoleId, ":s-1") {
				t.Errorf("assumed %+v", response.AssumedRoleUser)
			}
		})
	}
}

func TestGetCallerIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dir.PutRole("target", policy("Allow", "sts:AssumeRole", "", "acs:ram::"+accountID+":root"))
	user := w.dir.PutUser("user")
	role, err := w.dir.AssumeByIdentity(user, "target", "s-1", "", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		as  account.Identity
		typ string
	}{{user, "RAMUser"}, {role, "AssumedRoleUser"}} {
		response, err := w.client(t, test.as).GetCallerIdentity(sts.CreateGetCallerIdentityRequest())
		if err != nil {
			t.Fatal(err)
		}
		if response.IdentityType != test.typ || response.Arn != test.as.ARN || response.AccountId != accountID || response.PrincipalId == "" {
			t.Errorf("%s: %+v", test.typ, response)
		}
	}
}

func TestAnswersInXMLByDefault(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2015-04-01"}}
	openapi.SignRPC(http.MethodGet, v, w.dir.PutUser("user"), time.Now())
	resp, err := http.Get(w.server.URL + "/?" + v.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		XMLName xml.Name `xml:"GetCallerIdentityResponse"`
		Arn     string
	}
	if err := xml.Unmarshal(body, &answer); err != nil || answer.Arn != "acs:ram::"+accountID+":user/user" {
		t.Errorf("%s (%v)", body, err)
	}
}

func TestCallsAreRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := sts.CreateAssumeRoleRequest()
	request.RoleArn, request.RoleSessionName = w.dir.RoleARN("target"), "s-1"
	user := w.dir.PutUser("user")
	_, _ = w.client(t, user).AssumeRole(request)
	calls := w.tap.Calls()
	if len(calls) != 1 || calls[0].Action != "sts:AssumeRole" || calls[0].Resource != request.RoleArn ||
		calls[0].Principal != user.ARN || calls[0].Code != "NoPermission" || calls[0].Applied {
		t.Errorf("recorded %+v", calls)
	}
}

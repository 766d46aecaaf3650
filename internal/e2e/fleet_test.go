package e2e

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"imageferry/handler"
	"imageferry/internal/alicloud"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/manifest"
	"imageferry/policy"
)

const (
	shopAccount  = "2234567890123456"
	shopExternal = "shop-4f1c2a9be07d"
	targetRole   = "imageferry-target"
)

// A target is a place that the function exports from beside its own, with what belongs to it.
type target struct {
	*localcloud.Place
	name, bucket  string
	administrator account.Identity
	journal       *manifest.Journal
	image         string // of the first sweep
}

// elsewhere are the targets of the test: another region of the function's account, another account there, and the other account
// in the function's region and in a third.
var elsewhere = []struct{ name, region, account string }{
	{"beijing", "cn-beijing", "1234567890123456"},
	{"shop-beijing", "cn-beijing", shopAccount},
	{"shop-hangzhou", "cn-hangzhou", shopAccount},
	{"shop-shanghai", "cn-shanghai", shopAccount},
}

// fleet is a deployment with targets.
type fleet struct {
	*deployment
	targets []*target
	output  *lockedBuffer
}

// deployFleet deploys a function with targets in three regions and two accounts. The other account's roles are still missing.
func deployFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{output: &lockedBuffer{}}
	var value []map[string]string
	env := map[string]string{"FERRY_LOG_LEVEL": "debug"}
	f.deployment = deploy(t, setup{
		Options: localcloud.Options{Speed: 6000}, noTimers: true, env: env, output: io.MultiWriter(f.output, output()),
		prepare: func(c *localcloud.Cloud) {
			for _, e := range elsewhere {
				p, err := c.AddPlace(e.region, e.account)
				if err == nil {
					err = c.OSS.CreateBucket(ossd.BucketSpec{Name: "golden-" + e.name, Region: e.region, OwnerID: e.account})
				}
				if err != nil {
					t.Fatal(err)
				}
				one := &target{Place: p, name: e.name, bucket: "golden-" + e.name, image: p.ECS.AddImage(ecsd.Image{Name: e.name})}
				one.administrator = p.Directory.PutUser("administrator", account.Administrator())
				one.journal = one.openJournal(t)
				f.targets = append(f.targets, one)
				fields := map[string]string{
					"name": e.name, "region": e.region, "bucket": one.bucket,
					"ecsEndpoint": "http://" + p.ECSEndpoint, "ossEndpoint": "http://" + p.OSSEndpoint,
				}
				if e.account == shopAccount {
					fields["role"], fields["externalId"] = p.Directory.RoleARN(targetRole), shopExternal
				}
				value = append(value, fields)
			}
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			env["FERRY_TARGETS"] = string(text)
		},
	})
	permissions := []account.Policy{f.rendered(t, policy.FunctionPermissions)}
	for _, one := range f.targets {
		name := policy.FunctionTarget
		if one.Directory == f.Directory {
			name = policy.TargetPermissions
		}
		permissions = append(permissions, f.document(t, one, name))
	}
	f.Directory.PutRole(f.spec.Role, f.rendered(t, policy.FunctionTrust), permissions...)
	return f
}

func (f *fleet) document(t *testing.T, at *target, name string) account.Policy {
	t.Helper()
	text, err := policy.Render(name, policy.Vars{
		Region: at.Region, AccountID: at.Directory.ID(), Bucket: at.bucket, ManifestBucket: at.bucket, ManifestPrefix: "imageferry/",
		FunctionAccountID: f.Directory.ID(), FunctionRole: f.spec.Role, TargetRole: targetRole, ExternalID: shopExternal,
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := account.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// repair makes the other account's roles, and lets the export roles of both accounts write into all of their buckets.
func (f *fleet) repair(t *testing.T) {
	t.Helper()
	var permissions []account.Policy
	exports := map[*account.Directory][]account.Policy{f.Directory: {f.rendered(t, policy.ExportPermissions)}}
	for _, one := range f.targets {
		exports[one.Directory] = append(exports[one.Directory], f.document(t, one, policy.ExportPermissions))
		if one.Directory != f.Directory {
			permissions = append(permissions, f.document(t, one, policy.TargetPermissions))
		}
	}
	for directory, policies := range exports {
		directory.PutRole(localcloud.ExportRole, f.rendered(t, policy.ExportTrust), policies...)
	}
	shop := f.targets[len(f.targets)-1]
	shop.Directory.PutRole(targetRole, f.document(t, shop, policy.TargetTrust), permissions...)
}

func (one *target) openJournal(t *testing.T) *manifest.Journal {
	t.Helper()
	keys := one.administrator
	s, err := alicloud.Open(alicloud.Options{
		Region:      one.Region,
		Credentials: alicloud.Static(alicloud.Credentials{AccessKeyID: keys.AccessKeyID, AccessKeySecret: keys.Secret}),
		ECSEndpoint: "http://" + one.ECSEndpoint, OSSEndpoint: "http://" + one.OSSEndpoint, HTTP: http.DefaultTransport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return manifest.NewJournal(s.OSS.Store(one.bucket), "imageferry/")
}

// state is the state of an export of the target, empty when there is none.
func (one *target) state(t *testing.T, imageID string) manifest.State {
	t.Helper()
	m, err := one.journal.Head(t.Context(), manifest.Destination{Region: one.Region, Bucket: one.bucket, Prefix: "images", Format: "raw"}, imageID)
	switch {
	case errors.Is(err, manifest.ErrNotFound):
		return ""
	case err != nil:
		t.Fatal(err)
	}
	return m.State
}

// tick has the function do what a timer with the payload would.
func (f *fleet) tick(t *testing.T, payload string) handler.Answer {
	t.Helper()
	r, err := f.FC.Invoke(t.Context(), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	var a handler.Answer
	if r.ErrorType != "" {
		t.Fatalf("%s ended with %s", payload, r.Payload)
	}
	if err := json.Unmarshal(r.Payload, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// follow ticks until a condition holds.
func (f *fleet) follow(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		f.tick(t, `{"action":"follow"}`)
	}
}

func (f *fleet) exported(t *testing.T, which ...*target) {
	t.Helper()
	for _, one := range which {
		f.follow(t, one.name+" is exported", func() bool { return one.state(t, one.image) == manifest.Exported })
	}
}

// failing are the targets that an answer says have failed.
func failing(a handler.Answer) []string {
	var names []string
	for _, one := range a.Targets {
		if one.Reason != "" {
			names = append(names, one.Target)
		}
	}
	return names
}

// checkIsolation finds no call that crosses accounts but AssumeRole, and none that an account's own credentials did not sign.
func (f *fleet) checkIsolation(t *testing.T) {
	t.Helper()
	calls := map[string]int{}
	for _, c := range f.Tap.Calls() {
		principal := strings.Split(c.Principal, ":")
		if !f.byFunction(c) && !strings.Contains(c.Principal, ":assumed-role/"+targetRole+"/") {
			continue
		}
		if c.Action == "sts:AssumeRole" {
			if principal[3] != f.Directory.ID() {
				t.Errorf("a target assumes a role: %+v", c)
			}
			continue
		}
		owner := principal[3]
		for resource := range strings.SplitSeq(c.Resource, ",") {
			if part := strings.Split(resource, ":"); len(part) < 5 || part[3] != owner {
				t.Errorf("%s of %s by %s", c.Action, resource, c.Principal)
			}
		}
		if session := "/imageferry-" + f.Directory.ID() + "-" + f.Region; owner != f.Directory.ID() && !strings.HasSuffix(c.Principal, session) {
			t.Errorf("%s is not recognisable", c.Principal)
		}
		calls[owner]++
	}
	if calls[shopAccount] == 0 || calls[f.Directory.ID()] == 0 {
		t.Errorf("calls by account: %v", calls)
	}
}

// checkSecrets finds no secret of any account in what the function printed, and no external id.
func (f *fleet) checkSecrets(t *testing.T) {
	t.Helper()
	text := f.output.String()
	for _, leak := range f.leaks(text) {
		t.Errorf("printed %s", leak)
	}
	if strings.Contains(text, shopExternal) || !strings.Contains(text, `"target":"shop-beijing"`) {
		t.Error("printed the external id, or no target")
	}
}

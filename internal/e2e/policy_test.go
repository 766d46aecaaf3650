package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/export"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/trace"
	"imageferry/policy"
)

// A grant is one action of one statement of a role's permissions.
type grant struct {
	document, trust string
	statement       int
	action          string
}

func (g grant) String() string { return fmt.Sprintf("%s/%d/%s", g.document, g.statement, g.action) }

// documents are the permissions of the two roles, each with its trust.
var documents = map[string]string{
	policy.FunctionPermissions: policy.FunctionTrust,
	policy.ExportPermissions:   policy.ExportTrust,
}

// apart keeps the manifests out of the export bucket, so that no statement stands in for another.
var apart = map[string]string{"manifestBucket": "imageferry-manifests"}

// rendered is a document of policy/ as it is deployed.
func (d *deployment) rendered(t *testing.T, document string) account.Policy {
	t.Helper()
	text, err := policy.Render(document, d.PolicyVars(d.spec))
	if err != nil {
		t.Fatal(err)
	}
	p, err := account.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// role is the name of the role that has a document's permissions.
func (d *deployment) role(document string) string {
	switch document {
	case policy.ExportPermissions:
		return localcloud.ExportRole
	case policy.ImportPermissions:
		return localcloud.ImportRole
	}
	return d.spec.Role
}

func (d *deployment) byRole(c trace.Call, document string) bool {
	return strings.Contains(c.Principal, ":assumed-role/"+strings.ToLower(d.role(document))+"/")
}

func (g grant) denied(d *deployment, c trace.Call) bool {
	return c.Status == http.StatusForbidden && !c.Applied && c.Action == g.action && d.byRole(c, g.document)
}

// revoke takes one grant away from the role, and leaves it all others.
func (d *deployment) revoke(t *testing.T, g grant) {
	t.Helper()
	p := d.rendered(t, g.document)
	s := &p.Statement[g.statement]
	s.Action = slices.DeleteFunc(s.Action, func(a string) bool { return a == g.action })
	if len(s.Action) == 0 {
		p.Statement = slices.Delete(p.Statement, g.statement, g.statement+1)
	}
	permissions := []account.Policy{p}
	if g.document == policy.RestorePermissions {
		permissions = append(permissions, d.rendered(t, policy.FunctionPermissions))
	}
	d.Directory.PutRole(d.role(g.document), d.rendered(t, g.trust), permissions...)
}

// TestPoliciesSuffice makes a journey through all that imageferry does, and finds no call denied, no action unused and no
// resource of a statement unused.
func TestPoliciesSuffice(t *testing.T) {
	t.Parallel()
	d := deployJourney(t)
	j := newJourney(d, func(c trace.Call) bool { return c.Status == http.StatusForbidden })
	if !j.make(t) {
		t.Errorf("denied: %+v", j.stopped())
	}
	for document := range documents {
		p := d.rendered(t, document)
		used := map[string]int{} // by statement, and action or resource
		for call := range d.distinctCalls(document) {
			matches := 0
			for i, s := range p.Statement {
				for _, resource := range s.Resource {
					if permits(s, resource, call) {
						matches++
						used[fmt.Sprint(i, call.action)]++
						used[fmt.Sprint(i, resource)]++
					}
				}
			}
			if matches == 0 {
				t.Errorf("%s allows nothing like %s on %s", document, call.action, call.resource)
			}
		}
		for i, s := range p.Statement {
			for _, name := range append(slices.Clone(s.Action), s.Resource...) {
				n := used[fmt.Sprint(i, name)]
				t.Logf("%s: statement %d: %s was used for %d different calls", document, i, name, n)
				if n == 0 {
					t.Errorf("%s: statement %d: nothing used %s", document, i, name)
				}
			}
		}
	}
}

type use struct{ action, resource string }

// distinctCalls are the actions and resources of a role's calls.
func (d *deployment) distinctCalls(document string) map[use]bool {
	distinct := map[use]bool{}
	for _, c := range d.Tap.Calls() {
		if !d.byRole(c, document) {
			continue
		}
		for resource := range strings.SplitSeq(c.Resource, ",") {
			distinct[use{c.Action, resource}] = true
		}
	}
	return distinct
}

// permits tells whether a statement, cut down to one of its resources, allows the call. The record has no conditions.
func permits(s account.Statement, resource string, u use) bool {
	s.Resource, s.Condition = account.Strings{resource}, nil
	dir := account.New("1234567890123456")
	dir.PutRole("one", account.Policy{}, account.Policy{Version: "1", Statement: []account.Statement{s}})
	return dir.Allowed(account.Identity{RoleName: "one"}, u.action, u.resource, nil)
}

// TestPoliciesAreMinimal takes each grant away in turn: a call is denied, and the journey does not come to its end.
func TestPoliciesAreMinimal(t *testing.T) {
	t.Parallel()
	for _, g := range grants(t, documents) {
		t.Run(g.String(), func(t *testing.T) {
			t.Parallel()
			d := deployJourney(t)
			d.revoke(t, g)
			j := newJourney(d, func(c trace.Call) bool { return g.denied(d, c) })
			if j.make(t) {
				t.Fatalf("all went well without %s", g.action)
			}
			j.settle(t)
			missed := j.missed(t)
			if len(missed) == 0 {
				t.Errorf("%+v was denied, and it did no harm", j.stopped())
			}
			t.Logf("denied %s on %s; missed: %s", j.stopped().Action, j.stopped().Resource, strings.Join(missed, ", "))
		})
	}
}

func grants(t *testing.T, documents map[string]string) []grant {
	t.Helper()
	var all []grant
	for _, document := range slices.Sorted(maps.Keys(documents)) {
		text, err := policy.Render(document, policy.Vars{
			Region: "cn-hangzhou", AccountID: "1234567890123456", Bucket: "b", ManifestBucket: "m", ManifestPrefix: "p/", FailureQueue: "q",
		})
		if err != nil {
			t.Fatal(err)
		}
		p, err := account.ParsePolicy(text)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range p.Statement {
			for _, action := range s.Action {
				all = append(all, grant{document: document, trust: documents[document], statement: i, action: action})
			}
		}
	}
	return all
}

// TestFunctionRoleIsNarrow calls with the function's own keys what the function never calls.
func TestFunctionRoleIsNarrow(t *testing.T) {
	t.Parallel()
	for name, vars := range map[string]map[string]string{"two buckets": apart, "one bucket": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, setup{noTimers: true, vars: vars})
			manifests, images := d.PolicyVars(d.spec).ManifestBucket, d.at.Bucket
			s := d.asFunction(t)
			put := func(bucket, key string) func(context.Context) error {
				return func(ctx context.Context) error { return s.OSS.Store(bucket).Put(ctx, key, []byte("{}")) }
			}
			create := func(bucket, key string) func(context.Context) error {
				return func(ctx context.Context) error { return s.OSS.Store(bucket).Create(ctx, key, []byte("{}")) }
			}
			remove := func(bucket, key string) func(context.Context) error {
				return func(ctx context.Context) error { return s.OSS.Store(bucket).Delete(ctx, key) }
			}
			list := func(bucket, prefix string) func(context.Context) error {
				return func(ctx context.Context) error {
					_, _, err := s.OSS.Store(bucket).List(ctx, prefix, "", 10)
					return err
				}
			}
			for _, c := range []struct {
				what    string
				call    func(context.Context) error
				allowed bool
			}{
				{"create in journal/", create(manifests, "imageferry/journal/x"), true},
				{"put into manifests/", put(manifests, "imageferry/manifests/x"), true},
				{"put into active/", put(manifests, "imageferry/active/x"), true},
				{"delete in active/", remove(manifests, "imageferry/active/x"), true},
				{"list its prefix", list(manifests, "imageferry/active/"), true},
				{"put beside the prefixes", put(manifests, "imageferry/x"), false},
				{"put into a like prefix", put(manifests, "imageferry/journals/x"), false},
				{"put above its prefix", put(manifests, "active/x"), false},
				{"put an image's object", put(images, "images_m-1_system.raw.tar.gz"), false},
				{"create an image's object", create(images, "images_m-1_system.raw.tar.gz"), false},
				{"delete in journal/", remove(manifests, "imageferry/journal/x"), false},
				{"delete in manifests/", remove(manifests, "imageferry/manifests/x"), false},
				{"delete beside the prefixes", remove(manifests, "imageferry/x"), false},
				{"delete an image's object", remove(images, "images_m-1_system.raw.tar.gz"), false},
				{"list the bucket", list(manifests, ""), false},
				{"list the images' objects", list(images, "images"), false},
			} {
				err := c.call(t.Context())
				var call *export.CallError
				switch {
				case c.allowed && err != nil:
					t.Errorf("%s: %v", c.what, err)
				case !c.allowed && (!errors.As(err, &call) || call.Status != http.StatusForbidden || call.Code != "AccessDenied"):
					t.Errorf("%s: %v, want it denied", c.what, err)
				}
			}
		})
	}
}

// asFunction has the keys that an invocation gets.
func (d *deployment) asFunction(t *testing.T) *alicloud.Session {
	t.Helper()
	keys, err := d.Directory.AssumeByService("fc.aliyuncs.com", d.spec.Role, "direct", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	s, err := alicloud.Open(alicloud.Options{
		Region: d.Region,
		Credentials: alicloud.Static(alicloud.Credentials{
			AccessKeyID: keys.AccessKeyID, AccessKeySecret: keys.Secret, SecurityToken: keys.Token,
		}),
		ECSEndpoint: "http://" + d.Endpoints.ECS,
		OSSEndpoint: "http://" + d.Endpoints.OSS,
		HTTP:        http.DefaultTransport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

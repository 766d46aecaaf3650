package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
	"imageferry/policy"
)

// TestTargets sweeps three regions and two accounts with one function. One account's role is missing: the others are exported,
// and that one follows once it is repaired.
func TestTargets(t *testing.T) {
	t.Parallel()
	f := deployFleet(t)
	own := f.ECS.AddImage(ecsd.Image{Name: "own"})
	beijing, shops := f.targets[0], f.targets[1:]
	f.Directory.PutRole(localcloud.ExportRole, f.rendered(t, policy.ExportTrust),
		f.rendered(t, policy.ExportPermissions), f.document(t, beijing, policy.ExportPermissions))

	a := f.tick(t, `{"action":"sweep"}`)
	if got := failing(a); !slices.Equal(got, []string{"shop-beijing", "shop-hangzhou", "shop-shanghai"}) {
		t.Errorf("failed: %v", got)
	}
	if detail := a.Targets[1].Detail; !strings.Contains(detail, "EntityNotExist.Role") || !strings.Contains(detail, shopAccount) {
		t.Errorf("the failure does not tell the role: %+v", a.Targets[1])
	}
	if len(a.Rounds) != 1 || len(a.Targets[0].Rounds) != 1 || a.Targets[0].Reason != "" {
		t.Errorf("answered %+v", a)
	}
	f.exported(t, beijing)
	f.follow(t, "its own is exported", func() bool { m := f.head(t, own); return m != nil && m.State == manifest.Exported })
	if shops[0].state(t, shops[0].image) != "" {
		t.Error("the broken account has an export")
	}

	f.repair(t)
	if got := failing(f.tick(t, `{"action":"sweep"}`)); got != nil {
		t.Errorf("failed after the repair: %v", got)
	}
	f.exported(t, shops...)
	for _, one := range f.targets {
		for _, other := range f.targets {
			if one != other && one.state(t, other.image) != "" {
				t.Errorf("%s has an export of %s", one.name, other.name)
			}
		}
	}
	f.checkIsolation(t)
	f.checkSecrets(t)
}

// TestBrokenTargets breaks one target in turn: the tick ends well, all others are exported, and the broken one heals.
func TestBrokenTargets(t *testing.T) {
	t.Parallel()
	refuse := func(status int, code string, of func(trace.Call) bool) trace.Injector {
		return func(c trace.Call) trace.Fault {
			if of(c) {
				return trace.Fault{Refuse: &trace.Refusal{Status: status, Code: code, Message: "Refused."}}
			}
			return trace.Fault{}
		}
	}
	inBeijing := func(c trace.Call) bool {
		return strings.Contains(c.Principal, targetRole) && strings.Contains(c.Resource, "cn-beijing:"+shopAccount)
	}
	for name, fault := range map[string]trace.Injector{
		"throttled": refuse(http.StatusBadRequest, "Throttling.User", func(c trace.Call) bool { return inBeijing(c) && c.Service == "ecs" }),
		"no bucket": refuse(http.StatusNotFound, "NoSuchBucket", func(c trace.Call) bool { return inBeijing(c) && c.Service == "oss" }),
		"no answers": func(c trace.Call) trace.Fault {
			return trace.Fault{Cut: map[bool]trace.Cut{true: trace.CutBefore}[inBeijing(c)]}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := deployFleet(t)
			f.repair(t)
			f.Tap.Inject(fault)
			f.tick(t, `{"action":"sweep"}`)
			broken := f.targets[1]
			f.exported(t, f.targets[0], f.targets[2], f.targets[3])
			if state := broken.state(t, broken.image); state == manifest.Exported {
				t.Errorf("the broken target is %s", state)
			}
			f.Tap.Inject(nil)
			f.tick(t, `{"action":"sweep"}`)
			f.exported(t, broken)
			f.checkSecrets(t)
		})
	}
}

// TestTargetFaces uses events, HTTP and orders by hand for single targets.
func TestTargetFaces(t *testing.T) {
	t.Parallel()
	f := deployFleet(t)
	f.repair(t)
	shop := f.targets[3]
	// As a rule of the other account's event bus that forwards to the function's.
	if err := shop.Bus.Subscribe([]byte(`{"source":["acs.ecs"]}`), func(event []byte) { f.FC.InvokeAsync(event, "forwarded") }); err != nil {
		t.Fatal(err)
	}
	shop.Bus.ImageStateChanged(shop.image, ecsd.StatusAvailable)
	f.follow(t, "the event's image is exported", func() bool { return shop.state(t, shop.image) == manifest.Exported })
	if f.targets[1].state(t, f.targets[1].image) != "" {
		t.Error("the event of one target has swept another")
	}

	at := "?target=" + url.QueryEscape(shop.name)
	var list struct{ Exports []manifest.Manifest }
	f.call(t, http.MethodGet, "/exports"+at, "").decode(t, &list)
	if len(list.Exports) != 1 || list.Exports[0].Image.ID != shop.image {
		t.Errorf("lists %+v", list)
	}
	f.call(t, http.MethodGet, "/exports", "").decode(t, &list)
	if len(list.Exports) != 0 {
		t.Errorf("its own are %+v", list)
	}
	second := shop.ECS.AddImage(ecsd.Image{Name: "second"})
	if r := f.call(t, http.MethodPost, "/exports"+at, `{"imageId":"`+second+`"}`); r.status != http.StatusAccepted ||
		r.header.Get("Location") != "/exports/"+second+at {
		t.Errorf("submit: %d %v %s", r.status, r.header, r.body)
	}
	if r := f.call(t, http.MethodGet, "/exports/"+second+at, ""); r.status != http.StatusOK {
		t.Errorf("get: %d %s", r.status, r.body)
	}
	if r := f.call(t, http.MethodGet, "/exports/"+second, ""); r.status != http.StatusNotFound {
		t.Errorf("get from its own: %d %s", r.status, r.body)
	}
	for _, path := range []string{"/exports?target=none", "/?target=" + shop.name} {
		if r := f.call(t, http.MethodGet, path, ""); r.status/100 != 4 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	third := f.targets[0].ECS.AddImage(ecsd.Image{Name: "third"})
	if a := f.tick(t, `{"imageId":"`+third+`","target":"beijing"}`); len(a.Results) != 1 || a.Results[0].State != manifest.Exporting {
		t.Errorf("by hand: %+v", a)
	}
	a := f.tick(t, `{"action":"sweep","dryRun":true,"target":"shop-hangzhou"}`)
	if len(a.Targets) != 0 || len(a.Rounds) != 1 || a.Rounds[0].Seen != 1 || !a.Rounds[0].DryRun {
		t.Errorf("dry run: %+v", a)
	}
	if state := f.targets[2].state(t, f.targets[2].image); state != "" {
		t.Errorf("the dry run made it %s", state)
	}
}

// TestOneSpecForSeveralRegions deploys the same s.yaml into other regions, by its variables alone.
func TestOneSpecForSeveralRegions(t *testing.T) {
	t.Parallel()
	if text, err := os.ReadFile(filepath.Join(built.project, "s.yaml")); err != nil || strings.Count(string(text), "cn-hangzhou") != 1 {
		t.Errorf("the region is not in vars alone (%v)", err)
	}
	for _, region := range []string{"cn-beijing", "ap-southeast-1", "us-west-1"} {
		t.Run(region, func(t *testing.T) {
			t.Parallel()
			bucket := fmt.Sprintf("golden-%s", region)
			d := deploy(t, setup{Options: localcloud.Options{Region: region}, vars: map[string]string{"bucket": bucket, "manifestBucket": bucket}})
			m := d.wait(t, d.createImage(t), manifest.Exported, manifest.Failed)
			if m.State != manifest.Exported || m.Destination.Region != region || m.Destination.Bucket != bucket {
				t.Errorf("%s to %+v: %s", m.State, m.Destination, m.Detail)
			}
		})
	}
}

package ecsd_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/eventbus"
)

func ids(a answer) []string {
	var ids []string
	list, _ := a.at("Images", "Image").([]any)
	for n := range list {
		ids = append(ids, a.text("Images", "Image", n, "ImageId"))
	}
	return ids
}

func TestDescribeImagesSelects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	day := func(d int) time.Time { return time.Date(2026, 11, d, 12, 0, 30, 0, time.UTC) }
	for _, image := range []ecsd.Image{
		{ID: "m-1", Name: "web-golden-1", Family: "web", CreationTime: day(1), Tags: map[string]string{"team": "a", "env": "prod"}},
		{ID: "m-2", Name: "web-golden-2", Family: "web", CreationTime: day(2), Tags: map[string]string{"team": "b"}},
		{ID: "m-3", Name: "db", CreationTime: day(3), Status: ecsd.StatusCreating, Architecture: "arm64"},
		{ID: "m-4", Name: "old", CreationTime: day(4), Status: ecsd.StatusDeprecated},
		{ID: "m-5", Name: "shared", CreationTime: day(5), OwnerAlias: "others", OwnerAccount: "6543210987654321"},
		{ID: "m-6", Name: "win", CreationTime: day(6), OSType: "windows"},
	} {
		w.server.AddImage(image)
	}
	tests := []struct {
		params string
		want   string
	}{
		{"", "m-6 m-5 m-2 m-1"},
		{"ImageId=m-1", "m-1"},
		{"ImageId=m-3", ""},
		{"ImageId=m-3 Status=Waiting,Creating,CreateFailed,Available", "m-3"},
		{"ImageId=m-1,m-2", ""},
		{"Status=ALL", "m-6 m-5 m-4 m-3 m-2 m-1"},
		{"Status=Creating,Deprecated", "m-4 m-3"},
		{"ImageOwnerAlias=self", "m-6 m-2 m-1"},
		{"ImageName=golden", "m-2 m-1"},
		{"ImageFamily=web", "m-2 m-1"},
		{"OSType=windows", "m-6"},
		{"Architecture=arm64 Status=ALL", "m-3"},
		{"Tag.1.Key=team", "m-2 m-1"},
		{"Tag.1.Key=team Tag.1.Value=a Tag.2.Key=env", "m-1"},
		{"Tag.1.key=team Tag.1.value=b", "m-2"},
		{"Filter.1.Key=CreationStartTime Filter.1.Value=2026-11-02T00:00Z Filter.2.Key=CreationEndTime Filter.2.Value=2026-11-05T12:01Z", "m-5 m-2"},
		{"PageSize=2", "m-6 m-5"},
		{"PageSize=2 PageNumber=2", "m-2 m-1"},
		{"PageSize=2 PageNumber=3", ""},
	}
	for _, test := range tests {
		t.Run(test.params, func(t *testing.T) {
			t.Parallel()
			w := *w
			w.t = t
			got := ids(w.do("DescribeImages", split(test.params)...))
			if !slices.Equal(got, strings.Fields(test.want)) {
				t.Errorf("%v, want %s", got, test.want)
			}
		})
	}
	for params, code := range map[string]string{"PageSize=101": "InvalidParameter", "PageSize=0": "InvalidParameter",
		"PageNumber=0": "InvalidParameter", "Status=ALL,Available": "InvalidParameter", "DryRun=true": "DryRunOperation",
		"Filter.1.Key=CreationEndTime Filter.1.Value=today": "InvalidParameter", "RegionId=cn-nowhere": "InvalidRegionId.NotFound",
		"RegionId=": "MissingParameter"} {
		w.fails(400, code, "DescribeImages", split(params)...)
	}
}

func split(params string) []string {
	var pairs []string
	for field := range strings.FieldsSeq(params) {
		name, value, _ := strings.Cut(field, "=")
		pairs = append(pairs, name, value)
	}
	return pairs
}

func TestDescribeImagesPagesThroughMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 2500
	for i := range n {
		w.server.AddImage(ecsd.Image{ID: fmt.Sprintf("m-%04d", i), CreationTime: time.Unix(int64(i), 0)})
	}
	seen := map[string]bool{}
	for page := 1; page <= n/100; page++ {
		a := w.do("DescribeImages", "PageSize", "100", "PageNumber", strconv.Itoa(page))
		if a.at("TotalCount") != float64(n) {
			t.Fatalf("total is %v", a.at("TotalCount"))
		}
		for _, id := range ids(a) {
			seen[id] = true
		}
	}
	if len(seen) != n {
		t.Errorf("%d images on all pages", len(seen))
	}
}

func TestCreateImage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		create := []string{"InstanceId", "i-1", "ImageName", "golden", "ImageFamily", "web", "Tag.1.Key", "team", "Tag.1.Value", "a", "ClientToken", "once"}
		id := w.do("CreateImage", create...).text("ImageId")
		if again := w.do("CreateImage", create...).text("ImageId"); again != id {
			t.Errorf("repeated: %s, not %s", again, id)
		}
		w.fails(400, "IdempotentParameterMismatch", "CreateImage", "InstanceId", "i-2", "ClientToken", "once")
		w.fails(400, "InvalidImageName.Duplicated", "CreateImage", "InstanceId", "i-1", "ImageName", "golden")
		w.fails(400, "InvalidImageName.Malformed", "CreateImage", "InstanceId", "i-1", "ImageName", "1st")
		w.fails(400, "MissingParameter", "CreateImage", "ImageName", "nothing")
		if got := ids(w.do("DescribeImages", "ImageId", id)); len(got) != 0 {
			t.Errorf("a creating image is listed as available: %v", got)
		}
		w.fails(400, "IncorrectImageStatus", "ExportImage", "ImageId", id, "OSSBucket", "images")
		time.Sleep(4 * time.Minute)
		a := w.do("DescribeImages", "ImageId", id)
		if image := answer(a.at("Images", "Image", 0).(map[string]any)); image.text("Status") != "Available" ||
			image.text("ImageFamily") != "web" || image.text("Tags", "Tag", 0, "TagKey") != "team" || image.text("CreationTime") != "2000-01-01T00:00:00Z" {
			t.Errorf("image %v", image)
		}
		w.do("DeleteImage", "ImageId", id)
		w.fails(404, "InvalidImageId.NotFound", "DeleteImage", "ImageId", id)
		states, calls := w.events.all()
		if want := []string{id + " Creating", id + " Available", id + " Deleted"}; !slices.Equal(states, want) {
			t.Errorf("states %v, want %v", states, want)
		}
		checkCalls(t, w, id, calls)
	})
}

func checkCalls(t *testing.T, w *world, id string, calls []eventbus.APICall) {
	t.Helper()
	call := calls[0]
	if call.EventName != "CreateImage" || call.RequestParameters["ImageName"] != "golden" || call.ResponseElements["ImageId"] != id ||
		call.PrincipalARN != w.caller.ARN || call.PrincipalType != "ram-user" || call.AccountID != accountID ||
		!slices.Equal(call.ReferencedResources["ACS::ECS::Image"], []string{id}) || call.RequestID == "" || call.ErrorCode != "" {
		t.Errorf("call %+v", call)
	}
	for _, call := range calls {
		for _, name := range []string{"AccessKeyId", "Signature", "SecurityToken"} {
			if _, ok := call.RequestParameters[name]; ok {
				t.Errorf("%s tells %s", call.EventName, name)
			}
		}
		if strings.HasPrefix(call.EventName, "Describe") {
			t.Errorf("a read is reported: %s", call.EventName)
		}
	}
	if call := calls[2]; call.ErrorCode != "IdempotentParameterMismatch" || call.ResponseElements != nil {
		t.Errorf("failed call %+v", call)
	}
}

func TestFailedCreationStaysFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id := w.do("CreateImage", "SnapshotId", "s-1").text("ImageId")
		w.server.SetImage(id, func(i *ecsd.Image) { i.Status = ecsd.StatusCreateFailed })
		time.Sleep(time.Hour)
		if image, ok := w.server.Image(id); !ok || image.Status != ecsd.StatusCreateFailed {
			t.Errorf("image %+v", image)
		}
		if states, _ := w.events.all(); states[len(states)-1] != id+" CreateFailed" {
			t.Errorf("states %v", states)
		}
	})
}

func TestDeleteImageIsGuarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.AddImage(ecsd.Image{ID: "m-busy"})
	w.server.AddImage(ecsd.Image{ID: "m-used", Usage: "instance"})
	w.server.AddImage(ecsd.Image{ID: "m-theirs", OwnerAlias: "others"})
	w.export("m-busy")
	w.fails(403, "ImageIsExporting", "DeleteImage", "ImageId", "m-busy", "Force", "true")
	w.fails(403, "ImageUsingByInstance", "DeleteImage", "ImageId", "m-used")
	w.fails(404, "InvalidImageId.NotFound", "DeleteImage", "ImageId", "m-theirs")
	w.fails(400, "DryRunOperation", "DeleteImage", "ImageId", "m-used", "Force", "true", "DryRun", "true")
	w.do("DeleteImage", "ImageId", "m-used", "Force", "true")
}

func TestModifyAndTag(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.AddImage(ecsd.Image{ID: "m-1", Name: "before"})
	w.do("ModifyImageAttribute", "ImageId", "m-1", "Status", "Deprecated", "Description", "old")
	w.do("TagResources", "ResourceType", "image", "ResourceId.1", "m-1", "Tag.1.Key", "kept", "Tag.1.Value", "yes")
	image, _ := w.server.Image("m-1")
	if image.Status != ecsd.StatusDeprecated || image.Name != "before" || image.Description != "old" || image.Tags["kept"] != "yes" {
		t.Errorf("image %+v", image)
	}
	if states, _ := w.events.all(); !slices.Equal(states, []string{"m-1 Deprecated"}) {
		t.Errorf("states %v", states)
	}
	w.fails(404, "InvalidImageId.NotFound", "TagResources", "ResourceType", "image", "ResourceId.1", "m-1", "ResourceId.2", "m-2", "Tag.1.Key", "k")
}

func TestPermissionsAreOnResources(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.AddImage(ecsd.Image{ID: "m-1"})
	w.server.AddImage(ecsd.Image{ID: "m-2"})
	allow := func(action, resource string) {
		w.caller = w.dir.PutUser("narrow", account.Policy{Version: "1", Statement: []account.Statement{
			{Effect: "Allow", Action: account.Strings{action}, Resource: account.Strings{resource}}}})
	}
	allow("ecs:ExportImage", "acs:ecs:cn-hangzhou:"+accountID+":image/m-1")
	w.export("m-1")
	w.fails(403, "Forbidden.RAM", "ExportImage", "ImageId", "m-2", "OSSBucket", "images")
	w.fails(403, "Forbidden.RAM", "DescribeImages")
	allow("ecs:DescribeImages", "acs:ecs:*:*:image/m-1")
	w.do("DescribeImages", "ImageId", "m-1")
	w.fails(403, "Forbidden.RAM", "DescribeImages")
	allow("ecs:DescribeTasks", "acs:ecs:*:*:image/*")
	w.fails(403, "Forbidden.RAM", "DescribeTasks") // tasks need "*"
	allow("ecs:DescribeTasks", "*")
	w.do("DescribeTasks")
}

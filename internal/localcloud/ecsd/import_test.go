package ecsd_test

import (
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/ecsd"
)

const importRole = "AliyunECSImageImportDefaultRole"

// importActions are what the import role needs.
var importActions = []string{"oss:GetObject", "oss:GetBucketLocation", "oss:GetBucketInfo"}

// newImporter is a world with the import role and a raw disk of 1 MiB in OSS.
func newImporter(t testing.TB, change ...func(*ecsd.Options)) *world {
	t.Helper()
	w := newWorld(t, change...)
	w.setImportRole(importActions...)
	w.buckets.put("disk.raw", ecsd.SampleDisk("disk", 1<<20))
	return w
}

func (w *world) setImportRole(actions ...string) {
	w.dir.PutRole(importRole, trust("ecs.aliyuncs.com"), account.Policy{Version: "1", Statement: []account.Statement{
		{Effect: "Allow", Action: actions, Resource: account.Strings{"*"}}}})
}

// imports are the parameters of an import of objects.
func imports(objects ...string) []string {
	var pairs []string
	for n, object := range objects {
		prefix := "DiskDeviceMapping." + strconv.Itoa(n+1)
		pairs = append(pairs, prefix+".OSSBucket", "images", prefix+".OSSObject", object)
	}
	return pairs
}

func (w *world) image(id string) answer {
	w.t.Helper()
	a := w.do("DescribeImages", "ImageId", id, "Status", "ALL")
	image, _ := a.at("Images", "Image", 0).(map[string]any)
	return image
}

func (w *world) disk(image, device string) content.Content {
	w.t.Helper()
	c, ok := w.server.DiskContent(image, device)
	if !ok {
		w.t.Fatalf("image %s has no disk at %s", image, device)
	}
	return c
}

// An image and the task that makes it go through their states at different times.
func TestImportStates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newImporter(t)
		a := w.do("ImportImage", append(imports("disk.raw"), "ImageName", "restored", "DiskDeviceMapping.1.DiskImageSize", "40")...)
		id, task := a.text("ImageId"), a.text("TaskId")
		if id == "" || task == "" || a.text("RegionId") != "cn-hangzhou" {
			t.Fatalf("answered %v", a)
		}
		for _, step := range []struct {
			after                           time.Duration
			image, task, progress, finished string
		}{
			{0, "Waiting", "Processing", "0%", ""},
			{time.Minute, "Creating", "Processing", "9%", ""},
			{8*time.Minute + 59*time.Second, "Creating", "Processing", "98%", ""},
			{2 * time.Second, "Creating", "Finished", "99%", "2000-01-01T00:10Z"},
			{time.Minute, "Available", "Finished", "100%", "2000-01-01T00:10Z"},
		} {
			time.Sleep(step.after + time.Nanosecond)
			synctest.Wait()
			image := w.image(id)
			if image.text("Status") != step.image || w.status(task) != step.task {
				t.Errorf("image %s, task %s; want %s and %s", image.text("Status"), w.status(task), step.image, step.task)
			}
			if got := image.text("Progress"); got != step.progress {
				t.Errorf("progress %s, want %s", got, step.progress)
			}
			list := answer(w.do("DescribeTasks", "TaskAction", "ImportImage", "ResourceIds.1", id).at("TaskSet", "Task", 0).(map[string]any))
			if list.text("TaskId") != task || list.text("TaskAction") != "ImportImage" || list.text("FinishedTime") != step.finished {
				t.Errorf("listed %v", list)
			}
			if step.image != "Available" {
				w.fails(403, "ImageIsImporting", "DeleteImage", "ImageId", id)
				w.fails(403, "IncorrectImageStatus", "ModifyImageAttribute", "ImageId", id, "ImageFamily", "web")
				w.fails(400, "IncorrectImageStatus", "ExportImage", "ImageId", id, "OSSBucket", "images")
			}
		}
		attribute := w.do("DescribeTaskAttribute", "TaskId", task)
		items := answer(attribute.at("OperationProgressSet", "OperationProgress", 0).(map[string]any))
		if attribute.text("TaskAction") != "ImportImage" || attribute.at("SuccessCount") != 1.0 || items.text("OperationStatus") != "Success" ||
			items.text("RelatedItemSet", "RelatedItem", 1, "Value") != "disk.raw" {
			t.Errorf("attribute %v", attribute)
		}
		mapping := answer(w.image(id).at("DiskDeviceMappings", "DiskDeviceMapping", 0).(map[string]any))
		if mapping.text("Size") != "40" || mapping.text("ImportOSSBucket") != "images" || mapping.text("ImportOSSObject") != "disk.raw" ||
			mapping.text("Format") != "raw" || mapping.text("Device") != "/dev/xvda" || mapping.text("Type") != "system" {
			t.Errorf("disk %v", mapping)
		}
		if !content.Equal(w.disk(id, "/dev/xvda"), ecsd.SampleDisk("disk", 1<<20)) {
			t.Error("the disk's bytes differ from the object's")
		}
		states, _ := w.events.all()
		if want := []string{id + " Waiting", id + " Creating", id + " Available"}; !slices.Equal(states, want) {
			t.Errorf("states %v, want %v", states, want)
		}
		w.do("DeleteImage", "ImageId", id)
	})
}

// What the image is like follows the request, and the defaults that the platform documents.
func TestImportedImage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newImporter(t)
		w.buckets.put("data", ecsd.SampleDisk("data", 3<<30))
		full := w.do("ImportImage", append(imports("disk.raw", "data"), "ImageName", "golden-1.2_x:y", "Description", "from a backup",
			"Architecture", "arm64", "OSType", "linux", "Platform", "Rocky Linux", "Features.NvmeSupport", "supported",
			"Features.ImdsSupport", "v2", "ResourceGroupId", "rg-bp67acfmxazb4p", "Tag.1.Key", "team", "Tag.1.Value", "a", "Tag.2.Key", "empty",
			"RoleName", importRole, "DetectionStrategy", "Standard", "LicenseType", "BYOL", "DiskDeviceMapping.1.Format", "RAW",
			"DiskDeviceMapping.1.DiskImSize", "20", "DiskDeviceMapping.2.Device", "/dev/xvdz")...).text("ImageId")
		plain := w.do("ImportImage", imports("disk.raw")...).text("ImageId")
		time.Sleep(time.Hour)
		for id, want := range map[string]map[string]string{
			full: {"ImageName": "golden-1.2_x:y", "Description": "from a backup", "Architecture": "arm64", "OSType": "linux",
				"Platform": "Rocky Linux", "BootMode": "UEFI", "ResourceGroupId": "rg-bp67acfmxazb4p", "Status": "Available"},
			plain: {"ImageName": plain, "Architecture": "x86_64", "OSType": "linux", "Platform": "Others Linux", "BootMode": "BIOS",
				"ImageFamily": "", "ImageOwnerAlias": "self"},
		} {
			image := w.image(id)
			for field, value := range want {
				if got := image.text(field); got != value {
					t.Errorf("%s is %q, want %q", field, got, value)
				}
			}
		}
		image := w.image(full)
		if image.text("Features", "NvmeSupport") != "supported" || image.text("Features", "ImdsSupport") != "v2" ||
			image.text("Tags", "Tag", 1, "TagKey") != "team" || image.text("DiskDeviceMappings", "DiskDeviceMapping", 0, "Size") != "20" ||
			image.text("DiskDeviceMappings", "DiskDeviceMapping", 1, "Size") != "3" ||
			image.text("DiskDeviceMappings", "DiskDeviceMapping", 1, "Device") != "/dev/xvdb" ||
			image.text("DiskDeviceMappings", "DiskDeviceMapping", 1, "Type") != "data" {
			t.Errorf("image %v", image)
		}
		image = w.image(plain)
		if image.text("Features", "NvmeSupport") != "unsupported" || image.text("Features", "ImdsSupport") != "v1" ||
			image.text("DiskDeviceMappings", "DiskDeviceMapping", 0, "Size") != "1" {
			t.Errorf("image %v", image)
		}
		// What an import cannot set is set afterwards.
		w.do("ModifyImageAttribute", "ImageId", plain, "ImageFamily", "web", "BootMode", "UEFI-Preferred", "ImageName", "renamed",
			"Description", "later", "Features.NvmeSupport", "supported")
		image = w.image(plain)
		if image.text("ImageFamily") != "web" || image.text("BootMode") != "UEFI-Preferred" || image.text("ImageName") != "renamed" ||
			image.text("Features", "NvmeSupport") != "supported" {
			t.Errorf("image %v", image)
		}
		w.fails(400, "InvalidParameter.FeaturesImdsSupport", "ModifyImageAttribute", "ImageId", full, "Features.ImdsSupport", "v1")
		w.fails(400, "InvalidBootMode.Malformed", "ModifyImageAttribute", "ImageId", full, "BootMode", "Legacy")
		w.fails(400, "InvalidImageFamily.Malformed", "ModifyImageAttribute", "ImageId", full, "ImageFamily", "acs:web")
	})
}

func TestImportQuota(t *testing.T) {
	t.Parallel()
	w := newImporter(t, func(o *ecsd.Options) { o.Quotas = ecsd.Quotas{Images: 2} })
	w.server.AddImage(ecsd.Image{ID: "m-1"})
	w.server.AddImage(ecsd.Image{ID: "m-2", OwnerAlias: "others"})
	w.do("ImportImage", imports("disk.raw")...)
	w.fails(403, "QuotaExceed.Image", "ImportImage", imports("disk.raw")...)
}

// The role is needed when the import is asked for, and again when it reads.
func TestImportNeedsEveryRightOfTheRole(t *testing.T) {
	t.Parallel()
	w := newImporter(t)
	for _, missing := range importActions {
		w.setImportRole(slices.DeleteFunc(slices.Clone(importActions), func(a string) bool { return a == missing })...)
		w.fails(403, "InvalidOSS.NotAuthorized", "ImportImage", imports("disk.raw")...)
	}
	w.dir.PutRole(importRole, trust("fc.aliyuncs.com"), account.Administrator())
	w.fails(403, "NoSetRoletoECSServiceAcount", "ImportImage", imports("disk.raw")...)
	w.dir.DeleteRole(importRole)
	w.fails(403, "NoSetRoletoECSServiceAcount", "ImportImage", imports("disk.raw")...)
	w.caller = w.dir.PutUser("narrow", account.Policy{Version: "1", Statement: []account.Statement{
		{Effect: "Allow", Action: account.Strings{"ecs:ImportImage"}, Resource: account.Strings{"acs:ecs:cn-hangzhou:" + accountID + ":image/*"}}}})
	w.setImportRole(importActions...)
	w.do("ImportImage", imports("disk.raw")...)
	w.fails(403, "Forbidden.RAM", "DescribeImages")
}

func TestImportIsIdempotent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newImporter(t)
		order := append(imports("disk.raw"), "ImageName", "once", "ClientToken", "token-1")
		w.fails(400, "DryRunOperation", "ImportImage", append(slices.Clone(order), "DryRun", "true")...)
		first := w.do("ImportImage", order...)
		time.Sleep(time.Hour)
		w.dir.DeleteRole(importRole) // a repetition is answered from memory
		again := w.do("ImportImage", order...)
		if again.text("ImageId") != first.text("ImageId") || again.text("TaskId") != first.text("TaskId") || len(w.server.Tasks()) != 1 {
			t.Errorf("first %v, again %v", first, again)
		}
		w.fails(400, "IdempotentParameterMismatch", "ImportImage", append(imports("disk.raw"), "ClientToken", "token-1")...)
		w.setImportRole(importActions...)
		w.fails(400, "InvalidImageName.Duplicated", "ImportImage", append(imports("disk.raw"), "ImageName", "once", "ClientToken", "token-2")...)
	})
}

func TestCancelImport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newImporter(t)
		for _, wait := range []time.Duration{0, 10 * time.Second} { // of the 15 that the smallest disk takes
			a := w.do("ImportImage", append(imports("disk.raw"), "ImageName", "restored")...)
			time.Sleep(wait)
			synctest.Wait()
			w.do("CancelTask", "TaskId", a.text("TaskId"))
			if w.status(a.text("TaskId")) != "Deleted" || w.image(a.text("ImageId")) != nil {
				t.Errorf("task %s, image %v", w.status(a.text("TaskId")), w.image(a.text("ImageId")))
			}
			time.Sleep(time.Hour)
			states, _ := w.events.all()
			if last := states[len(states)-1]; last != a.text("ImageId")+" Deleted" {
				t.Errorf("states %v", states)
			}
		}
		a := w.do("ImportImage", imports("disk.raw")...)
		time.Sleep(time.Hour)
		w.fails(403, "InvalidTaskId.IncorrectTaskStatus", "CancelTask", "TaskId", a.text("TaskId"))
	})
}

func TestCloseStopsImports(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newImporter(t)
		id := w.do("ImportImage", imports("disk.raw")...).text("ImageId")
		w.server.Close()
		time.Sleep(time.Hour)
		if image, _ := w.server.Image(id); image.Status != ecsd.StatusWaiting {
			t.Errorf("image is %s", image.Status)
		}
	})
}

// The platform's own client imports.
func TestPlatformClientImports(t *testing.T) {
	t.Parallel()
	w := newImporter(t, func(o *ecsd.Options) { o.Speed = 1e6 })
	c := client(t, w)
	request := ecs.CreateImportImageRequest()
	request.ImageName, request.Platform, request.ClientToken = "restored", "Ubuntu", "token"
	request.Features.NvmeSupport = "supported"
	request.Tag = &[]ecs.ImportImageTag{{Key: "team", Value: "a"}}
	request.DiskDeviceMapping = &[]ecs.ImportImageDiskDeviceMapping{{OSSBucket: "images", OSSObject: "disk.raw", Format: "RAW", DiskImageSize: "40"}}
	imported, err := c.ImportImage(request)
	if err != nil || imported.ImageId == "" || imported.TaskId == "" {
		t.Fatalf("%+v %v", imported, err)
	}
	describe := ecs.CreateDescribeImagesRequest()
	describe.ImageId, describe.Status, describe.PageSize = imported.ImageId, "ALL", requests.NewInteger(1)
	images, err := c.DescribeImages(describe)
	if err != nil || len(images.Images.Image) != 1 {
		t.Fatalf("%+v %v", images, err)
	}
	image := images.Images.Image[0]
	if image.Features.NvmeSupport != "supported" || image.Platform != "Ubuntu" || image.Tags.Tag[0].TagKey != "team" ||
		image.DiskDeviceMappings.DiskDeviceMapping[0].ImportOSSObject != "disk.raw" {
		t.Errorf("image %+v", image)
	}
}

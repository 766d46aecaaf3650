package ecsd_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
)

// prepare fills the SDK's map of endpoints, which its first clients would race for.
var prepare = sync.OnceFunc(func() { ecs.GetEndpointMap() })

// client is the platform's own client, with temporary keys.
func client(t *testing.T, w *world) *ecs.Client {
	t.Helper()
	prepare()
	server := httptest.NewServer(w.server)
	t.Cleanup(server.Close)
	w.dir.PutRole("caller", trust("fc.aliyuncs.com"), account.Administrator())
	id, err := w.dir.AssumeByService("fc.aliyuncs.com", "caller", "s", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ecs.NewClientWithOptions("cn-hangzhou", sdk.NewConfig().WithScheme("HTTP"),
		credentials.NewStsTokenCredential(id.AccessKeyID, id.Secret, id.Token))
	if err != nil {
		t.Fatal(err)
	}
	c.Domain = strings.TrimPrefix(server.URL, "http://")
	return c
}

func TestPlatformClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := client(t, w)
	w.server.AddImage(ecsd.Image{ID: "m-1", Name: "golden *~+ image", Tags: map[string]string{"k": "v"}})

	describe := ecs.CreateDescribeImagesRequest()
	describe.ImageName, describe.PageSize = "golden *~+", requests.NewInteger(100)
	describe.Tag = &[]ecs.DescribeImagesTag{{Key: "k", Value: "v"}}
	images, err := c.DescribeImages(describe)
	if err != nil {
		t.Fatal(err)
	}
	if images.TotalCount != 1 || len(images.Images.Image) != 1 {
		t.Fatalf("images %+v", images)
	}
	image := images.Images.Image[0]
	if image.ImageId != "m-1" || image.Size != 40 || image.ImageOwnerId != 1234567890123456 || image.Tags.Tag[0].TagKey != "k" ||
		image.DiskDeviceMappings.DiskDeviceMapping[0].Size != "40" || image.Features.NvmeSupport != "unsupported" {
		t.Errorf("image %+v", image)
	}

	export := ecs.CreateExportImageRequest()
	export.ImageId, export.OSSBucket, export.OSSPrefix = "m-1", "images", "p"
	exported, err := c.ExportImage(export)
	if err != nil || exported.TaskId == "" || exported.RequestId == "" {
		t.Fatalf("export %+v (%v)", exported, err)
	}
	list := ecs.CreateDescribeTasksRequest()
	list.ResourceIds, list.TaskAction = &[]string{"m-1"}, "ExportImage"
	tasks, err := c.DescribeTasks(list)
	if err != nil || len(tasks.TaskSet.Task) != 1 || tasks.TaskSet.Task[0].TaskId != exported.TaskId {
		t.Errorf("tasks %+v (%v)", tasks, err)
	}
	attribute := ecs.CreateDescribeTaskAttributeRequest()
	attribute.TaskId = exported.TaskId
	task, err := c.DescribeTaskAttribute(attribute)
	if err != nil || task.SupportCancel != "true" || len(task.OperationProgressSet.OperationProgress) != 1 || task.TaskStatus != "Processing" {
		t.Errorf("task %+v (%v)", task, err)
	}
	cancel := ecs.CreateCancelTaskRequest()
	cancel.TaskId = exported.TaskId
	if _, err := c.CancelTask(cancel); err != nil {
		t.Error(err)
	}
	create := ecs.CreateCreateImageRequest()
	create.InstanceId = "i-1"
	create.DiskDeviceMapping = &[]ecs.CreateImageDiskDeviceMapping{{SnapshotId: "s-1", Size: "20"}, {SnapshotId: "s-2", Size: "30"}}
	created, err := c.CreateImage(create)
	if err != nil {
		t.Fatal(err)
	}
	if image, ok := w.server.Image(created.ImageId); !ok || len(image.Disks) != 2 || image.Disks[1].SizeGiB != 30 || image.Disks[1].Device != "/dev/xvdb" {
		t.Errorf("created %+v", image)
	}
	regions, err := c.DescribeRegions(ecs.CreateDescribeRegionsRequest())
	if err != nil || len(regions.Regions.Region) == 0 {
		t.Errorf("regions %+v (%v)", regions, err)
	}
}

func TestPlatformClientSeesErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := client(t, w)
	export := ecs.CreateExportImageRequest()
	export.ImageId, export.OSSBucket = "m-none", "images"
	_, err := c.ExportImage(export)
	var server *sdkerrors.ServerError
	if !errors.As(err, &server) || server.ErrorCode() != "InvalidImageId.NotFound" || server.HttpStatus() != 404 ||
		server.Message() != "The specified ImageId does not exist." || server.RequestId() == "" || server.HostId() != c.Domain {
		t.Errorf("%v", err)
	}
}

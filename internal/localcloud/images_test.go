package localcloud_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/localcloud/samples"
)

const bucket = "images-backup"

// start is a cloud with a bucket that goes so fast that nobody waits for it.
func start(t *testing.T, options localcloud.Options) *localcloud.Cloud {
	t.Helper()
	options.Speed = 1e5
	cloud, err := localcloud.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	if err := cloud.OSS.CreateBucket(ossd.BucketSpec{Name: bucket}); err != nil {
		t.Fatal(err)
	}
	return cloud
}

func client(t *testing.T, cloud *localcloud.Cloud) *ecs.Client {
	t.Helper()
	c, err := samples.Client(cloud)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// receive takes a value off the channel, or fails the test.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("nothing came within 30 s")
		panic("unreachable")
	}
}

func importOf(object string) *ecs.ImportImageRequest {
	r := ecs.CreateImportImageRequest()
	r.ImageName = "restored"
	r.DiskDeviceMapping = &[]ecs.ImportImageDiskDeviceMapping{{OSSBucket: bucket, OSSObject: object, DiskImageSize: "20"}}
	return r
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var refused *sdkerrors.ServerError
	if !errors.As(err, &refused) || refused.ErrorCode() != code {
		t.Errorf("error is %v, want %s", err, code)
	}
}

// A disk of 20 GiB goes through OSS and comes back, with every call recorded as that of the role that ECS makes it as.
func TestImportThroughOSS(t *testing.T) {
	t.Parallel()
	cloud := start(t, localcloud.Options{ImportRole: true})
	c := client(t, cloud)
	states := make(chan string, 8)
	if err := cloud.Bus.SubscribeCloudMonitor(func(body []byte) {
		var event struct {
			Content struct{ ImageID, CurrentState string }
		}
		if err := json.Unmarshal(body, &event); err == nil {
			states <- event.Content.CurrentState
		}
	}); err != nil {
		t.Fatal(err)
	}
	disk := ecsd.SampleDisk("large", 20<<30)
	raw := "unpacked.raw"
	if err := cloud.OSS.PutContentAs(t.Context(), cloud.Administrator, bucket, raw, disk); err != nil {
		t.Fatal(err)
	}
	imported, err := c.ImportImage(importOf(raw))
	if err != nil {
		t.Fatal(err)
	}
	for receive(t, states) != ecsd.StatusAvailable {
	}
	if got, ok := cloud.ECS.DiskContent(imported.ImageId, "/dev/xvda"); !ok || !content.Equal(got, disk) {
		t.Errorf("the imported disk has %d bytes that differ from the object's", got.Size())
	}
	var made []string
	for _, call := range cloud.Tap.Calls() {
		if strings.Contains(call.Principal, "assumed-role/"+strings.ToLower(localcloud.ImportRole)) {
			made = append(made, call.Action+" "+call.Operation)
		}
	}
	want := []string{"oss:GetBucketInfo GetBucketInfo", "oss:GetBucketLocation GetBucketLocation", "oss:GetObject HeadObject", "oss:GetObject GetObject"}
	if !slices.Equal(made, want) {
		t.Errorf("the role called %v, want %v", made, want)
	}
	_, err = c.ImportImage(importOf("m-1_system.raw.tar.gz"))
	wantCode(t, err, "UnsupportedSuffix.OSSObject")
	absent := importOf("absent")
	absent.ImageName = "another"
	_, err = c.ImportImage(absent)
	wantCode(t, err, "InvalidOSSObject.NotFound")
}

func TestImportNeedsItsRole(t *testing.T) {
	t.Parallel()
	cloud := start(t, localcloud.Options{})
	c := client(t, cloud)
	if err := cloud.OSS.PutContentAs(t.Context(), cloud.Administrator, bucket, "disk.raw", content.Zeros(512)); err != nil {
		t.Fatal(err)
	}
	_, err := c.ImportImage(importOf("disk.raw"))
	wantCode(t, err, "NoSetRoletoECSServiceAcount")
	cloud.PutImportRole()
	if _, err := c.ImportImage(importOf("disk.raw")); err != nil {
		t.Error(err)
	}
}

// An export of 20 GiB, almost all of them zeros, is a small object that is made at once.
func TestLongDiskIsExported(t *testing.T) {
	t.Parallel()
	cloud := start(t, localcloud.Options{})
	cloud.Directory.PutRole(localcloud.ExportRole, account.Policy{Version: "1", Statement: []account.Statement{{Effect: "Allow",
		Action: account.Strings{"sts:AssumeRole"}, Principal: &account.Principal{Service: account.Strings{"ecs.aliyuncs.com"}}}}},
		account.Administrator())
	written := make(chan ossd.ObjectCreated, 1)
	cloud.OSS.Subscribe(func(e ossd.ObjectCreated) { written <- e })
	id := cloud.ECS.AddImage(ecsd.Image{Disks: []ecsd.Disk{
		{Device: "/dev/xvda", Type: "system", SizeGiB: 20, Content: ecsd.SampleDisk("large", 20<<30)}}})
	export := ecs.CreateExportImageRequest()
	export.ImageId, export.OSSBucket = id, bucket
	if _, err := client(t, cloud).ExportImage(export); err != nil {
		t.Fatal(err)
	}
	if e := receive(t, written); e.Key != id+"_system.raw.tar.gz" || e.Size > 32<<20 {
		t.Errorf("%s has %d bytes", e.Key, e.Size)
	}
}

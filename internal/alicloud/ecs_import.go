package alicloud

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

var (
	_ restore.Images  = (*ECS)(nil)
	_ restore.Tasks   = (*ECS)(nil)
	_ restore.Objects = (*OSS)(nil)
)

// Restores is the session as the domain of restores uses it, with the journal in a bucket.
func (s *Session) Restores(manifestBucket string) restore.Cloud {
	return restore.Cloud{
		Images: s.ECS, Tasks: s.ECS, Objects: s.OSS, Bucket: s.OSS.Unpacking, Store: s.OSS.Store(manifestBucket),
	}
}

// Import calls ImportImage, once.
func (e *ECS) Import(ctx context.Context, r restore.Request) (restore.Accepted, error) {
	var answer importAnswer
	f := e.call(ctx, 1, func() requests.AcsRequest { return importRequest(r) }, func(body []byte) error {
		answer = importAnswer{}
		return decodeAnswer(body, &answer)
	})
	if f != nil {
		return restore.Accepted{}, f.CallError
	}
	task := answer.TaskID
	if task == "" {
		task = answer.ImportTaskID // as a sample of 2021 has it
	}
	return restore.Accepted{ImageID: string(answer.ImageID), TaskID: string(task), RequestID: string(answer.RequestID)}, nil
}

type importAnswer struct {
	RequestID    text `json:"RequestId"`
	ImageID      text `json:"ImageId"`
	TaskID       text `json:"TaskId"`
	ImportTaskID text `json:"ImportTaskId"`
}

// importRequest sends the same values in the same order for the same request: ECS compares them when a ClientToken comes again.
func importRequest(r restore.Request) requests.AcsRequest {
	request := ecs.CreateImportImageRequest()
	request.ImageName = r.Name
	request.Description = r.Description
	request.Architecture = r.Architecture
	request.OSType = r.OSType
	request.Platform = r.Platform
	request.BootMode = r.BootMode
	request.LicenseType = r.LicenseType
	request.RoleName = r.Role
	request.ResourceGroupId = r.ResourceGroupID
	request.ClientToken = r.ClientToken
	request.Features = ecs.ImportImageFeatures{NvmeSupport: r.NvmeSupport, ImdsSupport: r.ImdsSupport}
	var tags []ecs.ImportImageTag
	for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
		tags = append(tags, ecs.ImportImageTag{Key: key, Value: r.Tags[key]})
	}
	request.Tag = &tags
	disks := make([]ecs.ImportImageDiskDeviceMapping, len(r.Disks))
	for i, d := range r.Disks {
		disks[i] = ecs.ImportImageDiskDeviceMapping{OSSBucket: d.Bucket, OSSObject: d.Key, Format: d.Format}
		if d.SizeGiB > 0 {
			disks[i].DiskImageSize = strconv.Itoa(d.SizeGiB)
		}
	}
	request.DiskDeviceMapping = &disks
	return request
}

// Named finds the account's own image with a name. ECS searches for parts of names.
func (e *ECS) Named(ctx context.Context, name string) (manifest.Image, bool, error) {
	for page := 1; ; page++ {
		var answer imagesAnswer
		f := e.read(ctx, func() requests.AcsRequest {
			request := ecs.CreateDescribeImagesRequest()
			request.ImageOwnerAlias = "self"
			request.ImageName = name
			request.Status = everyStatus
			request.PageNumber = requests.NewInteger(page)
			request.PageSize = requests.NewInteger(export.ImagePageSize)
			return request
		}, answer.decode)
		if f != nil {
			return manifest.Image{}, false, f.CallError
		}
		for _, w := range answer.Images {
			if string(w.ImageName) == name {
				return e.image(w, answer.RegionID), true, nil
			}
		}
		if len(answer.Images) == 0 || page*export.ImagePageSize >= int(answer.TotalCount) {
			return manifest.Image{}, false, nil
		}
	}
}

// Modify sets attributes of an image.
func (e *ECS) Modify(ctx context.Context, id string, change restore.Change) error {
	return e.change(ctx, func() requests.AcsRequest {
		request := ecs.CreateModifyImageAttributeRequest()
		request.ImageId = id
		request.ImageFamily = change.Family
		request.BootMode = change.BootMode
		return request
	}, "")
}

// Delete removes an image, never by force.
func (e *ECS) Delete(ctx context.Context, id string) error {
	return e.change(ctx, func() requests.AcsRequest {
		request := ecs.CreateDeleteImageRequest()
		request.ImageId = id
		return request
	}, "InvalidImageId.NotFound")
}

// DeleteSnapshot removes a snapshot, never by force.
func (e *ECS) DeleteSnapshot(ctx context.Context, id string) error {
	return e.change(ctx, func() requests.AcsRequest {
		request := ecs.CreateDeleteSnapshotRequest()
		request.SnapshotId = id
		return request
	}, "InvalidSnapshotId.NotFound")
}

// change makes a call that does no harm when it is repeated; done is the code that says that there was nothing to do.
func (e *ECS) change(ctx context.Context, build func() requests.AcsRequest, done string) error {
	f := e.read(ctx, build, func(body []byte) error { return decodeAnswer(body, &struct{}{}) })
	if f != nil && (done == "" || f.Code != done) {
		return f.CallError
	}
	return nil
}

// ImportOf finds the newest import task of an image.
func (e *ECS) ImportOf(ctx context.Context, imageID string, since time.Time) (export.Task, bool, error) {
	answer, f := e.describeTasks(ctx, func(request *ecs.DescribeTasksRequest) {
		request.TaskAction = "ImportImage"
		request.ResourceIds = &[]string{imageID}
		request.StartTime = since.UTC().Truncate(time.Minute).Format("2006-01-02T15:04:05Z")
	})
	if f != nil {
		return export.Task{}, false, f.CallError
	}
	// The filters are applied once more here: another image's task would tell about another import.
	found := tasks(answer.Tasks, func(w taskWire) bool {
		return string(w.ResourceID) == imageID && (w.TaskAction == "" || w.TaskAction == "ImportImage")
	})
	if len(found) == 0 {
		return export.Task{}, false, nil
	}
	return slices.MaxFunc(found, func(a, b export.Task) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	}), true, nil
}

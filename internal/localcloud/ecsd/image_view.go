package ecsd

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"imageferry/internal/localcloud/openapi"
)

type imagesResult struct {
	openapi.Header
	page
	RegionID string `json:"RegionId" xml:"RegionId"`
	Images   struct {
		Image []imageView `json:"Image" xml:"Image"`
	} `json:"Images" xml:"Images"`
}

type imageView struct {
	ImageID                 string `json:"ImageId" xml:"ImageId"`
	ImageName               string `json:"ImageName" xml:"ImageName"`
	ImageFamily             string `json:"ImageFamily" xml:"ImageFamily"`
	ImageVersion            string `json:"ImageVersion" xml:"ImageVersion"`
	Description             string `json:"Description" xml:"Description"`
	Status                  string `json:"Status" xml:"Status"`
	Progress                string `json:"Progress" xml:"Progress"`
	Size                    int    `json:"Size" xml:"Size"`
	CreationTime            string `json:"CreationTime" xml:"CreationTime"`
	ImageOwnerAlias         string `json:"ImageOwnerAlias" xml:"ImageOwnerAlias"`
	ImageOwnerID            int64  `json:"ImageOwnerId" xml:"ImageOwnerId"`
	ProductCode             string `json:"ProductCode" xml:"ProductCode"`
	IsCopied                bool   `json:"IsCopied" xml:"IsCopied"`
	IsSubscribed            bool   `json:"IsSubscribed" xml:"IsSubscribed"`
	IsSelfShared            string `json:"IsSelfShared" xml:"IsSelfShared"`
	IsPublic                bool   `json:"IsPublic" xml:"IsPublic"`
	IsSupportCloudinit      bool   `json:"IsSupportCloudinit" xml:"IsSupportCloudinit"`
	IsSupportIoOptimized    bool   `json:"IsSupportIoOptimized" xml:"IsSupportIoOptimized"`
	LoginAsNonRootSupported bool   `json:"LoginAsNonRootSupported" xml:"LoginAsNonRootSupported"`
	OSType                  string `json:"OSType" xml:"OSType"`
	OSName                  string `json:"OSName" xml:"OSName"`
	OSNameEn                string `json:"OSNameEn" xml:"OSNameEn"`
	Platform                string `json:"Platform" xml:"Platform"`
	Architecture            string `json:"Architecture" xml:"Architecture"`
	BootMode                string `json:"BootMode" xml:"BootMode"`
	Usage                   string `json:"Usage" xml:"Usage"`
	ResourceGroupID         string `json:"ResourceGroupId" xml:"ResourceGroupId"`
	Features                struct {
		NvmeSupport string `json:"NvmeSupport" xml:"NvmeSupport"`
		ImdsSupport string `json:"ImdsSupport" xml:"ImdsSupport"`
	} `json:"Features" xml:"Features"`
	Tags struct {
		Tag []tagView `json:"Tag" xml:"Tag"`
	} `json:"Tags" xml:"Tags"`
	DiskDeviceMappings struct {
		DiskDeviceMapping []diskView `json:"DiskDeviceMapping" xml:"DiskDeviceMapping"`
	} `json:"DiskDeviceMappings" xml:"DiskDeviceMappings"`
}

type tagView struct {
	TagKey   string `json:"TagKey" xml:"TagKey"`
	TagValue string `json:"TagValue" xml:"TagValue"`
}

type diskView struct {
	Device       string `json:"Device" xml:"Device"`
	Type         string `json:"Type" xml:"Type"`
	Size         string `json:"Size" xml:"Size"` // GiB
	SnapshotID   string `json:"SnapshotId" xml:"SnapshotId"`
	Format       string `json:"Format" xml:"Format"`
	Progress     string `json:"Progress" xml:"Progress"`
	RemainTime   int    `json:"RemainTime" xml:"RemainTime"` // seconds
	Encrypted    bool   `json:"Encrypted" xml:"Encrypted"`
	ImportBucket string `json:"ImportOSSBucket" xml:"ImportOSSBucket"`
	ImportObject string `json:"ImportOSSObject" xml:"ImportOSSObject"`
}

// viewImage describes an image as it is now. The caller holds the lock.
func (s *Server) viewImage(i *Image, now time.Time) imageView {
	progress, remaining := i.Progress, 0
	if t := i.importing; t != nil {
		progress = t.snapshot(now).process()
		if t.Status == TaskProcessing {
			remaining = int(max(0, t.duration-now.Sub(t.Created)) / time.Second)
		} else {
			progress = "99%" // Guess: the image is not done before it is available
		}
	}
	owner, _ := strconv.ParseInt(i.OwnerAccount, 10, 64) // 0 for an owner such as the platform itself
	v := imageView{
		ImageID: i.ID, ImageName: i.Name, ImageFamily: i.Family, ImageVersion: i.Version, Description: i.Description,
		Status: i.Status, Progress: progress, Size: i.system(), CreationTime: i.CreationTime.Format(secondLayout),
		ImageOwnerAlias: i.OwnerAlias, ImageOwnerID: owner, ProductCode: i.ProductCode, IsCopied: i.Copied, IsPublic: i.Public,
		IsSupportCloudinit: i.CloudInit, IsSupportIoOptimized: true, LoginAsNonRootSupported: i.LoginAsNonRoot,
		OSType: i.OSType, OSName: i.OSName, OSNameEn: i.OSName, Platform: i.Platform, Architecture: i.Architecture,
		BootMode: i.BootMode, Usage: i.Usage, ResourceGroupID: i.ResourceGroupID,
	}
	v.Features.NvmeSupport, v.Features.ImdsSupport = "unsupported", "v1"
	if i.NvmeSupport {
		v.Features.NvmeSupport = "supported"
	}
	if i.ImdsV2 {
		v.Features.ImdsSupport = "v2"
	}
	v.Tags.Tag = []tagView{}
	for _, key := range slices.Sorted(maps.Keys(i.Tags)) {
		v.Tags.Tag = append(v.Tags.Tag, tagView{key, i.Tags[key]})
	}
	v.DiskDeviceMappings.DiskDeviceMapping = []diskView{}
	for _, d := range i.Disks {
		v.DiskDeviceMappings.DiskDeviceMapping = append(v.DiskDeviceMappings.DiskDeviceMapping, diskView{
			Device: d.Device, Type: d.Type, Size: strconv.Itoa(d.SizeGiB), SnapshotID: d.SnapshotID, Encrypted: d.Encrypted,
			Format: d.Format, Progress: importProgress(i, progress), RemainTime: remaining,
			ImportBucket: d.ImportBucket, ImportObject: d.ImportObject})
	}
	return v
}

// importProgress is a disk's progress, which only imported images have.
func importProgress(i *Image, progress string) string {
	if len(i.Disks) == 0 || i.Disks[0].ImportBucket == "" {
		return ""
	}
	return progress
}

package alicloud

import (
	"context"
	"strconv"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// Without a status DescribeImages finds Available images only. The statuses are listed one by one, like other clients do:
// so every server that knows them understands it.
const everyStatus = "Creating,Waiting,Available,UnAvailable,CreateFailed,Deprecated"

// Image finds an image whatever its status.
func (e *ECS) Image(ctx context.Context, id string) (manifest.Image, bool, error) {
	var answer imagesAnswer
	f := e.read(ctx, func() requests.AcsRequest {
		request := ecs.CreateDescribeImagesRequest()
		request.ImageId = id
		request.Status = everyStatus
		return request
	}, answer.decode)
	if f != nil {
		if f.Code == "InvalidImageId.NotFound" || f.Code == "ImageId.NotFound" {
			return manifest.Image{}, false, nil
		}
		return manifest.Image{}, false, f.CallError
	}
	for _, image := range answer.Images {
		if string(image.ImageID) == id {
			return e.image(image, answer.RegionID), true, nil
		}
	}
	return manifest.Image{}, false, nil
}

// Images returns one page of the account's own Available images. ECS compares whole minutes: images of the minute that
// since is in are included.
func (e *ECS) Images(ctx context.Context, since time.Time, page int) ([]manifest.Image, int, error) {
	var answer imagesAnswer
	f := e.read(ctx, func() requests.AcsRequest {
		request := ecs.CreateDescribeImagesRequest()
		request.ImageOwnerAlias = "self"
		request.Status = "Available"
		request.PageNumber = requests.NewInteger(page)
		request.PageSize = requests.NewInteger(export.ImagePageSize)
		if !since.IsZero() {
			request.Filter = &[]ecs.DescribeImagesFilter{{
				Key:   "CreationStartTime",
				Value: since.UTC().Format("2006-01-02T15:04Z"),
			}}
		}
		return request
	}, answer.decode)
	if f != nil {
		return nil, 0, f.CallError
	}
	images := make([]manifest.Image, 0, len(answer.Images))
	for _, image := range answer.Images {
		images = append(images, e.image(image, answer.RegionID))
	}
	return images, int(answer.TotalCount), nil
}

type imagesAnswer struct {
	RegionID   text            `json:"RegionId"`
	TotalCount number          `json:"TotalCount"`
	Images     list[imageWire] `json:"Images"`
}

func (a *imagesAnswer) decode(body []byte) error {
	*a = imagesAnswer{}
	return decodeAnswer(body, a)
}

type imageWire struct {
	ImageID                 text           `json:"ImageId"`
	ImageName               text           `json:"ImageName"`
	Description             text           `json:"Description"`
	ImageFamily             text           `json:"ImageFamily"`
	ImageVersion            text           `json:"ImageVersion"`
	Status                  text           `json:"Status"`
	ImageOwnerID            text           `json:"ImageOwnerId"`
	ImageOwnerAlias         text           `json:"ImageOwnerAlias"`
	ProductCode             text           `json:"ProductCode"`
	OSType                  text           `json:"OSType"`
	OSName                  text           `json:"OSName"`
	Platform                text           `json:"Platform"`
	Architecture            text           `json:"Architecture"`
	BootMode                text           `json:"BootMode"`
	LicenseType             text           `json:"LicenseType"`
	ResourceGroupID         text           `json:"ResourceGroupId"`
	IsSupportCloudinit      flag           `json:"IsSupportCloudinit"`
	LoginAsNonRootSupported flag           `json:"LoginAsNonRootSupported"`
	IsCopied                flag           `json:"IsCopied"`
	Size                    number         `json:"Size"`
	CreationTime            text           `json:"CreationTime"`
	Disks                   list[diskWire] `json:"DiskDeviceMappings"`
	Tags                    list[tagWire]  `json:"Tags"`
	Features                struct {
		NvmeSupport text `json:"NvmeSupport"`
		ImdsSupport text `json:"ImdsSupport"`
	} `json:"Features"`
	DetectionOptions struct {
		Status text           `json:"Status"`
		Items  list[itemWire] `json:"Items"`
	} `json:"DetectionOptions"`
}

type diskWire struct {
	Device          text   `json:"Device"`
	Type            text   `json:"Type"`
	Size            number `json:"Size"`
	SnapshotID      text   `json:"SnapshotId"`
	Format          text   `json:"Format"`
	Encrypted       flag   `json:"Encrypted"`
	ImportOSSBucket text   `json:"ImportOSSBucket"`
	ImportOSSObject text   `json:"ImportOSSObject"`
}

type tagWire struct {
	Key   text `json:"TagKey"`
	Value text `json:"TagValue"`
}

type itemWire struct {
	Name  text `json:"Name"`
	Value text `json:"Value"`
}

func (e *ECS) image(w imageWire, region text) manifest.Image {
	image := manifest.Image{
		ID:                    string(w.ImageID),
		Name:                  string(w.ImageName),
		Description:           string(w.Description),
		Family:                string(w.ImageFamily),
		Version:               string(w.ImageVersion),
		Status:                string(w.Status),
		Region:                string(region),
		AccountID:             string(w.ImageOwnerID),
		OwnerAlias:            string(w.ImageOwnerAlias),
		ProductCode:           string(w.ProductCode),
		OSType:                string(w.OSType),
		OSName:                string(w.OSName),
		Platform:              string(w.Platform),
		Architecture:          string(w.Architecture),
		BootMode:              string(w.BootMode),
		NvmeSupport:           string(w.Features.NvmeSupport),
		ImdsSupport:           string(w.Features.ImdsSupport),
		LicenseType:           string(w.LicenseType),
		ResourceGroupID:       string(w.ResourceGroupID),
		IsSupportCloudinit:    bool(w.IsSupportCloudinit),
		LoginAsNonRootSupport: bool(w.LoginAsNonRootSupported),
		IsCopied:              bool(w.IsCopied),
		SizeGiB:               int(w.Size),
		DetectionStatus:       string(w.DetectionOptions.Status),
	}
	if image.Region == "" {
		image.Region = e.region
	}
	if _, err := strconv.ParseUint(image.AccountID, 10, 64); err != nil || image.AccountID == "0" {
		image.AccountID = ""
		if image.OwnerAlias == "self" {
			image.AccountID = e.account
		}
	}
	if t := parseTime(w.CreationTime); !t.IsZero() {
		image.CreationTime = &t
	}
	addDisks(&image, w.Disks)
	for _, tag := range w.Tags {
		put(&image.Tags, tag.Key, tag.Value)
	}
	for _, item := range w.DetectionOptions.Items {
		put(&image.DetectionItems, item.Name, item.Value)
	}
	return image
}

// addDisks also tells what the image was imported from, which ECS notes on its disks.
func addDisks(image *manifest.Image, disks []diskWire) {
	for _, d := range disks {
		image.Disks = append(image.Disks, manifest.Disk{
			Device:     string(d.Device),
			Type:       string(d.Type),
			SizeGiB:    int(d.Size),
			SnapshotID: string(d.SnapshotID),
			Format:     string(d.Format),
			Encrypted:  bool(d.Encrypted),
		})
		if d.ImportOSSBucket != "" && image.ImportedFromOSSBucket == "" {
			image.ImportedFromOSSBucket = string(d.ImportOSSBucket)
		}
		if d.ImportOSSObject != "" {
			image.ImportedFromOSSObjects = append(image.ImportedFromOSSObjects, string(d.ImportOSSObject))
		}
	}
}

func put(into *map[string]string, key, value text) {
	if key == "" {
		return
	}
	if *into == nil {
		*into = map[string]string{}
	}
	(*into)[string(key)] = string(value)
}

package export

import (
	"fmt"
	"strings"

	"imageferry/internal/manifest"
)

// ECS's documented limits on the data disks of an image that is exported.
const (
	maxDataDisks   = 4
	maxDataDiskGiB = 500
)

// checkBucket is what can be known of the export bucket before ECS is asked; nil when nothing speaks against it.
func checkBucket(b Bucket, d manifest.Destination, accountID string, allowPublicRead bool) *finding {
	switch {
	case b.Location != "" && b.Location != "oss-"+d.Region:
		return found(bucketWrongRegion, fmt.Sprintf("bucket %s is in %s, the images are in oss-%s", b.Name, b.Location, d.Region))
	case b.OwnerID != "" && accountID != "" && b.OwnerID != accountID:
		return found(bucketNotOwned, fmt.Sprintf("bucket %s belongs to account %s", b.Name, b.OwnerID))
	case b.ACL == "public-read-write":
		return found(bucketPublicWrite, fmt.Sprintf("bucket %s has the ACL %s", b.Name, b.ACL))
	case b.ACL == "public-read" && !allowPublicRead:
		return found(bucketPublicRead, fmt.Sprintf("bucket %s has the ACL %s", b.Name, b.ACL))
	case b.SSEAlgorithm != "" && b.SSEAlgorithm != "None":
		return found(bucketEncrypted, fmt.Sprintf("bucket %s encrypts with %s", b.Name, b.SSEAlgorithm))
	case strings.Contains(b.StorageClass, "Archive"):
		return found(bucketArchive, fmt.Sprintf("bucket %s has the storage class %s", b.Name, b.StorageClass))
	}
	return nil
}

// checkManifestBucket refuses a bucket on which create-only writes mean nothing.
func checkManifestBucket(b Bucket) *finding {
	if b.Versioning == "" {
		return nil
	}
	return found(bucketVersioned, fmt.Sprintf("versioning of bucket %s is %s", b.Name, b.Versioning))
}

// checkImage is what can be known of the image before ECS is asked; nil when nothing speaks against it.
func checkImage(i manifest.Image, accountID string) *finding {
	if f := checkOwner(i, accountID); f != nil {
		return f
	}
	if IsRehearsal(i.Name) {
		return found(imageRehearsal, "the image is called "+i.Name)
	}
	if f := checkStatus(i); f != nil {
		return f
	}
	if i.ProductCode != "" {
		return found(imageMarketplace, "the image has the Marketplace product code "+i.ProductCode)
	}
	if strings.EqualFold(i.OSType, "windows") {
		return found(imageWindows, "the image's OS is "+strings.TrimSpace(i.OSType+" "+i.OSName))
	}
	return checkDisks(i.Disks)
}

func checkOwner(i manifest.Image, accountID string) *finding {
	switch {
	case i.OwnerAlias == "marketplace":
		return found(imageMarketplace, "the image belongs to the Marketplace")
	case i.OwnerAlias != "" && i.OwnerAlias != "self":
		return found(imageNotOwned, "the image's owner is "+i.OwnerAlias)
	case i.AccountID != "" && accountID != "" && i.AccountID != accountID:
		return found(imageNotOwned, "the image belongs to account "+i.AccountID)
	}
	return nil
}

func checkStatus(i manifest.Image) *finding {
	switch i.Status {
	case "", "Available":
		return nil
	case "CreateFailed":
		return found(imageCreateFailed, "the image is CreateFailed")
	case "UnAvailable":
		return found(imageUnavailable, "the image is UnAvailable")
	case "Deprecated":
		return found(imageDeprecated, "the image is Deprecated")
	}
	return found(imageNotAvailable, "the image is "+i.Status)
}

func checkDisks(disks []manifest.Disk) *finding {
	data := 0
	for _, d := range disks {
		if d.Encrypted {
			return found(imageEncrypted, fmt.Sprintf("disk %s is encrypted", d.Device))
		}
		if d.Type != "data" {
			continue
		}
		if data++; d.SizeGiB > maxDataDiskGiB {
			return found(imageDisks, fmt.Sprintf("data disk %s has %d GiB", d.Device, d.SizeGiB))
		}
	}
	if data > maxDataDisks {
		return found(imageDisks, fmt.Sprintf("the image has %d data disks", data))
	}
	return nil
}

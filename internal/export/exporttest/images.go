package exporttest

import (
	"slices"
	"testing"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// noImage has the form of an image's id.
const noImage = "m-bp1imageferrynosuchimage"

func findsImage(t *testing.T, a Account) {
	image, found, err := a.Images.Image(t.Context(), a.Image)
	must(t, err)
	if !found || image.ID != a.Image || image.Status != "Available" || image.OwnerAlias != "self" || image.Region != a.Destination.Region {
		t.Errorf("found is %t, the image is %+v", found, image)
	}
	if a.ID != "" && image.AccountID != a.ID {
		t.Errorf("it belongs to %q, not to %q", image.AccountID, a.ID)
	}
	isSystem := func(d manifest.Disk) bool { return d.Type == "system" && d.SizeGiB > 0 }
	if !slices.ContainsFunc(image.Disks, isSystem) || image.CreationTime.IsZero() {
		t.Errorf("disks are %+v, created at %v", image.Disks, image.CreationTime)
	}
}

func missesImage(t *testing.T, a Account) {
	image, found, err := a.Images.Image(t.Context(), noImage)
	if found || err != nil {
		t.Errorf("image is %+v, found is %t (%v)", image, found, err)
	}
}

func findsCreatingImage(t *testing.T, a Account) {
	if a.Creating == "" {
		t.Skip("there is no such image")
	}
	image, found, err := a.Images.Image(t.Context(), a.Creating)
	must(t, err)
	if !found || image.Status != "Creating" {
		t.Errorf("found is %t, the image is %+v", found, image)
	}
}

func pagesImages(t *testing.T, a Account) {
	seen := map[string]bool{}
	total := 0
	for page := 1; ; page++ {
		images, n, err := a.Images.Images(t.Context(), time.Time{}, page)
		must(t, err)
		if total = n; len(images) > export.ImagePageSize {
			t.Errorf("page %d has %d images", page, len(images))
		}
		for _, image := range images {
			if seen[image.ID] || image.Status != "Available" || image.OwnerAlias != "self" {
				t.Errorf("page %d has %+v, seen before: %t", page, image, seen[image.ID])
			}
			seen[image.ID] = true
		}
		if len(images) == 0 || page*export.ImagePageSize >= n {
			break
		}
	}
	if len(seen) != total || !seen[a.Image] || seen[a.Creating] {
		t.Errorf("%d images on all pages, the total is %d, the account's is among them: %t", len(seen), total, seen[a.Image])
	}
	images, _, err := a.Images.Images(t.Context(), time.Time{}, total/export.ImagePageSize+2)
	if err != nil || len(images) != 0 {
		t.Errorf("behind the last page there are %d images (%v)", len(images), err)
	}
	image, _, err := a.Images.Image(t.Context(), a.Image)
	must(t, err)
	for since, want := range map[time.Time]bool{*image.CreationTime: true, time.Now().Add(24 * time.Hour): false} {
		images, _, err := a.Images.Images(t.Context(), since, 1)
		must(t, err)
		for _, image := range images {
			if image.CreationTime.Before(since.Truncate(time.Minute)) {
				t.Errorf("created at %v: listed from %v on", image.CreationTime, since)
			}
		}
		if !want && len(images) != 0 {
			t.Errorf("created from %v on are %+v", since, images)
		}
	}
}

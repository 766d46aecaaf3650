package restore

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"imageferry/internal/manifest"
)

// facts compares an image that was made with what it was to become.
func facts(r *Record, image manifest.Image) []Fact {
	q := r.Request
	all := []Fact{
		{"name", q.Name, image.Name},
		{"architecture", q.Architecture, image.Architecture},
		{"osType", q.OSType, strings.ToLower(image.OSType)},
		{"platform", q.Platform, image.Platform},
		{"bootMode", cmp.Or(r.After.BootMode, q.BootMode), cmp.Or(image.BootMode, "BIOS")},
		{"nvmeSupport", q.NvmeSupport, cmp.Or(image.NvmeSupport, "unsupported")},
		{"imdsSupport", q.ImdsSupport, cmp.Or(image.ImdsSupport, "v1")},
		{"imageFamily", r.After.Family, image.Family},
		{"disks", fmt.Sprint(len(r.Disks)), fmt.Sprint(len(image.Disks))},
	}
	for i, d := range r.Disks {
		want, got := diskText(d.Role, d.Device, d.SizeGiB), ""
		if i < len(image.Disks) {
			is := image.Disks[i]
			got = diskText(is.Type, is.Device, is.SizeGiB)
			if d.Device == "" {
				got = diskText(is.Type, "", is.SizeGiB)
			}
		}
		all = append(all, Fact{fmt.Sprintf("disk %d", i+1), want, got})
	}
	for _, key := range slices.Sorted(maps.Keys(q.Tags)) {
		all = append(all, Fact{"tag " + key, q.Tags[key], image.Tags[key]})
	}
	return all
}

func diskText(role, device string, sizeGiB int) string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s %d GiB", role, device, sizeGiB)), " ")
}

// describe is what differs, in words.
func describe(different []Fact) string {
	var texts []string
	for _, f := range different {
		texts = append(texts, fmt.Sprintf("%s is %q instead of %q", f.Name, f.Got, f.Want))
	}
	return strings.Join(texts, "; ")
}

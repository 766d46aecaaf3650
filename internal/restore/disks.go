package restore

import (
	"cmp"
	"fmt"
	"strings"

	"imageferry/internal/manifest"
	"imageferry/internal/unpack"
)

// The limits of ImportImage. What comes after the 17th mapping it ignores without a word.
const (
	maxDisks   = 17
	maxDiskGiB = 2048
)

// disks decides what becomes of each object, in the order of the mappings.
func (p *planner) disks(layout manifest.Layout) {
	objects := p.originals()
	systems := 0
	for i, o := range objects {
		if o.Role == "system" {
			systems++
		}
		p.Disks = append(p.Disks, p.disk(i, o, layout))
	}
	if len(objects) > maxDisks {
		p.problem(tooManyDisks, "the export has %d objects", len(objects))
	}
	if len(objects) > 0 && systems != 1 {
		p.problem(manifestUnusable, "%d of the objects hold a system disk", systems)
	}
	for i, d := range p.Disks {
		p.value(fmt.Sprintf("disk %d", i+1), fmt.Sprintf("%s %s, %d GiB, %s %s", d.Role, cmp.Or(place(d.Device), "?"), d.SizeGiB, d.Work, d.Source.Key),
			fromManifest, "imported as "+d.Format+" from "+d.Key)
	}
	p.Request.Disks = mappings(p.Disks)
}

func (p *planner) disk(i int, o manifest.Object, layout manifest.Layout) Disk {
	d := Disk{Role: o.Role, Source: o}
	d.Device, d.SizeGiB = p.recorded(i, o)
	switch {
	case d.SizeGiB == 0:
		p.warn("The manifest does not know the size of %s: it is measured, and rounded up to whole GiB.", o.Key)
	case d.SizeGiB > maxDiskGiB:
		p.problem(imageSize, "the disk in %s has %d GiB, ECS imports at most %d", o.Key, d.SizeGiB, maxDiskGiB)
	}
	if o.Bucket != p.Bucket && (p.moved || o.Bucket == "") {
		d.Source.Bucket = p.Bucket
		d.Source.ETag = "" // a copy may have another one
	}
	suffix := ""
	switch o.Content {
	case "gzip":
		d.Work, d.Format, suffix = Unpack, string(unpack.FormatRAW), ".raw"
	case "qcow2", "vhd", "vmdk", "raw":
		d.Work, d.Format, suffix = Use, strings.ToUpper(o.Content), "."+o.Content
	default:
		p.problem(formatNotImportable, "%s is %s", o.Key, cmp.Or(o.Content, "of an unknown format"))
		return d
	}
	// Which names ImportImage refuses (UnsupportedSuffix.OSSObject) nobody documents. Guess: one that ends with the format is
	// what it takes.
	if d.Work == Use && !strings.HasSuffix(strings.ToLower(o.Key), suffix) {
		d.Work = Copy
	}
	d.Key = o.Key
	if d.Work != Use {
		d.Key = fmt.Sprintf("%s%d-%s%s", layout.Temporary(p.id), i+1, o.Role, suffix)
	}
	return d
}

// mappings are what ECS is told of the disks.
func mappings(disks []Disk) []Mapping {
	var all []Mapping
	for _, d := range disks {
		all = append(all, Mapping{Bucket: d.Source.Bucket, Key: d.Key, Format: d.Format, SizeGiB: d.SizeGiB})
	}
	return all
}

// recorded is the disk of the exported image that an object holds: the one with its device, or else the one in its place.
func (p *planner) recorded(i int, o manifest.Object) (device string, sizeGiB int) {
	for _, d := range p.image.Disks {
		if o.Role == "system" && d.Type == "system" || o.Device != "" && place(d.Device) == place(o.Device) {
			return d.Device, d.SizeGiB
		}
	}
	if i < len(p.image.Disks) && p.image.Disks[i].Type == o.Role {
		return p.image.Disks[i].Device, p.image.Disks[i].SizeGiB
	}
	if o.Role == "system" {
		return o.Device, p.image.SizeGiB
	}
	return o.Device, 0
}

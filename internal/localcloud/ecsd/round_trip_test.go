package ecsd_test

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/ecsd"
)

// What is exported comes back as it was: in every format that can be imported, for one disk and for three.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"raw", "qcow2", "vhd"} {
		for name, source := range map[string]ecsd.Image{
			"one disk": {ID: "m-1"},
			"three disks": {ID: "m-3", Disks: []ecsd.Disk{
				{Device: "/dev/xvda", Type: "system", SizeGiB: 20, Content: ecsd.SampleDisk("a", 20<<30)},
				{Device: "/dev/xvdb", Type: "data", SizeGiB: 1, Content: content.Zeros(1 << 30)},
				{Device: "/dev/xvdc", Type: "data", SizeGiB: 100}}},
		} {
			t.Run(name+" "+format, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { roundTrip(t, source, format) })
			})
		}
	}
}

func roundTrip(t *testing.T, source ecsd.Image, format string) {
	const region = "ap-southeast-1"
	w := newImporter(t, func(o *ecsd.Options) { o.Region = region })
	w.buckets.info["images"] = ecsd.BucketInfo{Region: region}
	w.server.AddImage(source)
	export := func(id, prefix string) []string {
		w.do("ExportImage", "ImageId", id, "OSSBucket", "images", "OSSPrefix", prefix, "ImageFormat", format, "RegionId", region)
		time.Sleep(24 * time.Hour)
		tasks := w.server.Tasks()
		task := tasks[len(tasks)-1]
		var keys []string
		for _, sub := range task.Subtasks {
			if sub.Status != "Success" {
				t.Fatalf("export %+v", task)
			}
			keys = append(keys, sub.Object)
		}
		return keys
	}
	keys := export(source.ID, "first")
	image, _ := w.server.Image(source.ID)
	pairs := []string{"RegionId", region, "ImageName", "restored"}
	for n, disk := range image.Disks {
		object := keys[n]
		if format == "raw" { // unpacked by whoever restores
			object = strings.TrimSuffix(object, ".tar.gz")
			w.buckets.put(object, w.disk(source.ID, disk.Device))
		}
		prefix := "DiskDeviceMapping." + strconv.Itoa(n+1)
		pairs = append(pairs, prefix+".OSSBucket", "images", prefix+".OSSObject", object, prefix+".Format", strings.ToUpper(format),
			prefix+".DiskImageSize", strconv.Itoa(disk.SizeGiB))
	}
	var disks []content.Content
	for _, disk := range image.Disks {
		disks = append(disks, w.disk(source.ID, disk.Device))
	}
	w.do("DeleteImage", "ImageId", source.ID, "RegionId", region)
	id := w.do("ImportImage", pairs...).text("ImageId")
	time.Sleep(24 * time.Hour)
	restored, _ := w.server.Image(id)
	if restored.Status != ecsd.StatusAvailable || len(restored.Disks) != len(disks) {
		t.Fatalf("restored %+v, tasks %+v", restored, w.server.Tasks())
	}
	for n, disk := range restored.Disks {
		if !content.Equal(w.disk(id, disk.Device), disks[n]) || disk.SizeGiB != image.Disks[n].SizeGiB || disk.Device != image.Disks[n].Device {
			t.Errorf("disk %d differs: %s of %d GiB", n, disk.Device, disk.SizeGiB)
		}
	}
	for n, key := range export(id, "second") {
		if format != "raw" && !content.Equal(w.buckets.object(key), w.buckets.object(keys[n])) {
			t.Errorf("%s differs from %s", key, keys[n])
		}
	}
}

func TestSampleDisks(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{512, 4 << 10, 1 << 20, 20 << 30} {
		a, b := ecsd.SampleDisk("a", size), ecsd.SampleDisk("b", size)
		if a.Size() != size || a.Stored() > 2<<20 || content.Equal(a, b) || !content.Equal(a, ecsd.SampleDisk("a", size)) {
			t.Errorf("a sample of %d bytes has %d, %d of them stored", size, a.Size(), a.Stored())
		}
		if end := a.Slice(size-64, size); end.Stored() == 0 {
			t.Errorf("a sample of %d bytes ends with zeros", size)
		}
	}
}

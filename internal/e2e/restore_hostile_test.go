package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/diskfile"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/restore"
)

// archive is a compressed tar archive of entries, each a header and as many bytes as it says.
func archive(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	w := tar.NewWriter(packed)
	for _, h := range entries {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte("disk"), int(h.Size/4))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestHostileArchivesAreRefused gives the command line manifests whose objects are what somebody hostile, or a broken disk, has
// made of them: it says why it refuses each, asks ECS for no import, and leaves nothing in the buckets.
func TestHostileArchivesAreRefused(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{noTimers: true, Options: localcloud.Options{ImportRole: true, Speed: 5000}})
	id := d.ECS.AddImage(ecsd.Image{Name: "golden", Disks: []ecsd.Disk{
		{Device: "/dev/xvda", Type: "system", SizeGiB: 1, Content: ecsd.SampleDisk("golden", 64<<20)},
	}})
	m := d.exported(t, id)
	good, ok := d.OSS.Content(d.at.Bucket, m.Objects[0].Key)
	if !ok {
		t.Fatal("there is no exported object")
	}
	bomb, err := diskfile.Pack("disk.raw", content.Zeros(64<<30))
	if err != nil {
		t.Fatal(err)
	}
	file := tar.Header{Name: "disk.raw", Typeflag: tar.TypeReg, Size: 1 << 20, Mode: 0o600}
	second := file
	second.Name = "other.raw"
	flipped := bytes.Clone(good.Bytes())
	flipped[len(flipped)-6] ^= 1 // in gzip's checksum
	for name, c := range map[string]struct {
		object content.Content
		crc    uint64 // what the manifest says; 0 is the object's own
		reason string
	}{
		"bomb":            {object: bomb, reason: "archive-size"},
		"bomb at the end": {object: content.Join(good, good), reason: "archive-trailing-data"},
		"symbolic link":   {object: content.Of(archive(t, tar.Header{Name: "disk.raw", Linkname: "/etc/shadow", Typeflag: tar.TypeSymlink})), reason: "archive-link"},
		"hard link":       {object: content.Of(archive(t, tar.Header{Name: "disk.raw", Linkname: "../disk", Typeflag: tar.TypeLink})), reason: "archive-link"},
		"two files":       {object: content.Of(archive(t, file, second)), reason: "archive-several-files"},
		"truncated":       {object: good.Slice(0, good.Size()*2/3), reason: "archive-truncated"},
		"flipped":         {object: content.Of(flipped), reason: "archive-corrupt"},
		"wrong checksum":  {object: good, crc: 1, reason: "object-changed"},
	} {
		t.Run(name, func(t *testing.T) {
			key := "hostile/" + strings.ReplaceAll(name, " ", "-") + ".raw.tar.gz"
			if err := d.OSS.PutContentAs(t.Context(), d.Administrator, d.at.Bucket, key, c.object); err != nil {
				t.Fatal(err)
			}
			forged := m.Clone()
			o := &forged.Objects[0]
			o.Key, o.Size, o.ETag, o.CRC64 = key, c.object.Size(), "", strconv.FormatUint(c.object.CRC64(), 10)
			if c.crc != 0 {
				o.CRC64 = strconv.FormatUint(c.crc, 10)
			}
			data, err := json.Marshal(forged)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "manifest.json")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			made := "restored-" + strings.ReplaceAll(name, " ", "-")
			done := d.run(t, "restore", path, "--name", made, "--wait", "--timeout", "1m", "--json")
			if done.exit != 2 || !strings.Contains(done.out, `"reason": "`+c.reason+`"`) || !strings.Contains(done.out, `"remedy": "`) {
				t.Errorf("exit %d, want 2 and the reason %s: %s\n%s", done.exit, c.reason, done.out, done.err)
			}
			if c.crc == 0 {
				if record := done.restored(t); record.State != restore.Failed || record.Remedy == "" {
					t.Errorf("it is %s: %s", record.State, record.Remedy)
				}
			}
			d.nothingLeft(t)
		})
	}
	for _, call := range d.Tap.Calls() {
		if call.Action == "ecs:ImportImage" {
			t.Errorf("ECS was asked: %+v", call)
		}
	}
}

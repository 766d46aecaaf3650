package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// command runs the built command line in the cloud of a process, and returns what it printed.
func (s stranger) command(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(built.cli, args...)
	cmd.Env = append(os.Environ(), "IMAGEFERRY_LOCAL="+s.ready["controlUrl"])
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("imageferry %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.Bytes())
	}
	return out
}

// ended waits until the image's export is over, and returns its manifest.
func (s stranger) ended(t *testing.T, id string) manifest.Manifest {
	t.Helper()
	var m manifest.Manifest
	poll(t, id+" is exported", func() bool {
		keys := s.keys(t, s.ready["manifestPrefix"]+"manifests/"+s.ready["region"]+"/", id)
		if len(keys) != 1 || json.Unmarshal(s.read(t, keys[0]), &m) != nil {
			return false
		}
		return m.State.Terminal()
	})
	if m.State != manifest.Exported {
		t.Fatalf("%s is %s: %s", id, m.State, m.Reason)
	}
	return m
}

// disks are the bytes of the exported disks, by device.
func (s stranger) disks(t *testing.T, m manifest.Manifest) map[string][]byte {
	t.Helper()
	disks := map[string][]byte{}
	for _, o := range m.Objects {
		unzipped, err := gzip.NewReader(bytes.NewReader(s.read(t, o.Key)))
		if err != nil {
			t.Fatal(err)
		}
		unpacked := tar.NewReader(unzipped)
		if _, err := unpacked.Next(); err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(unpacked)
		if err != nil {
			t.Fatal(err)
		}
		disks[o.Role+o.Device] = content
	}
	return disks
}

// TestRoundTrip: an image is created, exported by the function, deleted, and restored by the command line; the function exports
// the restored one, too, and its disks are the same byte for byte.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	p := startLocal(t, "--json", "--images", "0", "--speed", "2000")
	s := newStranger(t, p.firstLine(t))
	for _, disks := range []int{1, 3} {
		r := ecs.CreateCreateImageRequest()
		r.ImageName = fmt.Sprintf("golden-%d", disks)
		mappings := []ecs.CreateImageDiskDeviceMapping{{SnapshotId: "s-bp1golden000000000a", Size: "40", DiskType: "system"}}
		for n := 1; n < disks; n++ {
			mappings = append(mappings, ecs.CreateImageDiskDeviceMapping{
				SnapshotId: fmt.Sprintf("s-bp1golden00000000%d%d", disks, n), Size: fmt.Sprint(20 * n), DiskType: "data",
			})
		}
		r.DiskDeviceMapping = &mappings
		created, err := s.ecs.CreateImage(r)
		if err != nil {
			t.Fatal(err)
		}
		before := s.ended(t, created.ImageId)

		gone := ecs.CreateDeleteImageRequest()
		gone.ImageId = created.ImageId
		if _, err := s.ecs.DeleteImage(gone); err != nil {
			t.Fatal(err)
		}
		var plan struct {
			Plan restore.Plan `json:"plan"`
		}
		if err := json.Unmarshal(s.command(t, "restore", created.ImageId, "--dry-run", "--json"), &plan); err != nil || len(plan.Plan.Problems) > 0 || len(plan.Plan.Disks) != disks {
			t.Fatalf("plan %+v (%v)", plan.Plan, err)
		}
		var answer struct {
			Restore restore.Record `json:"restore"`
		}
		out := s.command(t, "restore", created.ImageId, "--wait", "--timeout", "1m", "--json")
		if err := json.Unmarshal(out, &answer); err != nil || answer.Restore.State != restore.Restored {
			t.Fatalf("restore printed %s (%v)", out, err)
		}
		after := s.ended(t, answer.Restore.Image.ID)
		want, got := s.disks(t, before), s.disks(t, after)
		if len(want) != disks || len(got) != disks {
			t.Errorf("%d disks became %d", len(want), len(got))
		}
		for device, content := range want {
			if !bytes.Equal(content, got[device]) || len(content) == 0 {
				t.Errorf("%s has other bytes", device)
			}
		}
		if left := s.keys(t, s.ready["manifestPrefix"]+"restore/", ""); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		rehearsed := s.command(t, "restore", "--rehearse", answer.Restore.Image.ID, "--timeout", "1m", "--json")
		if err := json.Unmarshal(rehearsed, &answer); err != nil || answer.Restore.State != restore.Rehearsed ||
			slices.ContainsFunc(answer.Restore.Warnings, func(w string) bool { return strings.Contains(w, "left") }) {
			t.Errorf("rehearsal printed %s (%v)", rehearsed, err)
		}
	}
	if out := string(s.command(t, "list", "--restores")); !slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
		return strings.Contains(line, "golden-3") && strings.Contains(line, "restored")
	}) {
		t.Errorf("list printed %s", out)
	}
}

//go:build linux

package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/restore"
)

// TestLargeRestoreTakesLittleMemory restores a mostly empty disk of 20 GiB from its archive with the command line, whose process
// never has more than 128 MB, and sends little.
func TestLargeRestoreTakesLittleMemory(t *testing.T) {
	t.Parallel()
	const size, limit = 20 << 30, 128_000_000
	d := deploy(t, setup{noTimers: true, Options: localcloud.Options{ImportRole: true, Speed: 20_000}})
	disk := ecsd.SampleDisk("large", size)
	id := d.ECS.AddImage(ecsd.Image{Name: "large", Disks: []ecsd.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: size >> 30, Content: disk}}})
	d.exported(t, id)
	begun := time.Now()
	done := d.run(t, "restore", id, "--name", "large-restored", "--wait", "--timeout", "10m", "--json")
	record := done.restored(t)
	if done.exit != 0 || record.State != restore.Restored {
		t.Fatalf("restore ended with %d: %s\n%s", done.exit, done.out, done.err)
	}
	got, ok := d.ECS.DiskContent(record.Image.ID, "/dev/xvda")
	if !ok || got.Size() != size || got.CRC64() != disk.CRC64() {
		t.Errorf("the disk has %d bytes with the CRC-64 %d, want %d with %d", got.Size(), got.CRC64(), int64(size), disk.CRC64())
	}
	usage, ok := done.state.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("the system does not tell how much memory the process had")
	}
	peak := usage.Maxrss << 10 // Linux counts KiB
	sent := record.Disks[0].Sent
	fmt.Printf("restored %d bytes from %d in %.1f s (%.1f s of CPU): at most %d bytes of memory, %d bytes sent\n", int64(size),
		record.Disks[0].Source.Size, time.Since(begun).Seconds(), (done.state.UserTime() + done.state.SystemTime()).Seconds(), peak, sent)
	if peak > limit {
		t.Errorf("the process had up to %d bytes of memory, more than %d", peak, limit)
	}
	if sent > 256<<20 {
		t.Errorf("%d bytes were sent for a disk with %d that are not zero", sent, disk.Stored())
	}
	d.nothingLeft(t)
}

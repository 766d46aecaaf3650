//go:build linux

package e2e

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/trace"
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
	var peak peakMemory
	d.Tap.Watch(func(trace.Call) { peak.look() })
	done := d.runWatched(t, peak.of, "restore", id, "--name", "large-restored", "--wait", "--timeout", "10m", "--json")
	record := done.restored(t)
	if done.exit != 0 || record.State != restore.Restored {
		t.Fatalf("restore ended with %d: %s\n%s", done.exit, done.out, done.err)
	}
	got, ok := d.ECS.DiskContent(record.Image.ID, "/dev/xvda")
	if !ok || got.Size() != size || got.CRC64() != disk.CRC64() {
		t.Errorf("the disk has %d bytes with the CRC-64 %d, want %d with %d", got.Size(), got.CRC64(), int64(size), disk.CRC64())
	}
	sent := record.Disks[0].Sent
	fmt.Printf("restored %d bytes from %d in %.1f s (%.1f s of CPU): at most %d bytes of memory, %d bytes sent\n", int64(size),
		record.Disks[0].Source.Size, time.Since(begun).Seconds(), (done.state.UserTime() + done.state.SystemTime()).Seconds(), peak.bytes.Load(), sent)
	if had := peak.bytes.Load(); had == 0 || had > limit {
		t.Errorf("the process had up to %d bytes of memory, more than %d", had, limit)
	}
	if sent > 256<<20 {
		t.Errorf("%d bytes were sent for a disk with %d that are not zero", sent, disk.Stored())
	}
	d.nothingLeft(t)
}

// peakMemory is how much memory a process has had at most. What the system says of one that has ended is not it: that counts
// the memory of whoever started it, too.
type peakMemory struct{ pid, bytes atomic.Int64 }

func (p *peakMemory) of(pid int) { p.pid.Store(int64(pid)) }

// look reads the peak so far, as long as there is the process.
func (p *peakMemory) look() {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid.Load()))
	if err != nil {
		return
	}
	var kib int64
	if _, after, ok := strings.Cut(string(status), "VmHWM:"); ok {
		_, _ = fmt.Sscan(after, &kib)
	}
	p.bytes.Store(max(p.bytes.Load(), kib<<10))
}

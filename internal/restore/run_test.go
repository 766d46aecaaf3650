package restore

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

func ordered(m *manifest.Manifest, o Options) func(*Restorer) Order {
	return func(r *Restorer) Order {
		return Order{Plan: r.Plan(m, o), Trigger: manifest.Trigger{Kind: "cli"}}
	}
}

// checkRestored compares the image that was made with the disks that were exported.
func (w *world) checkRestored(record *Record, disks int, format string) {
	w.t.Helper()
	if record.State != Restored || record.Reason != "" || w.imports != 1 || len(w.images) != 1 {
		w.t.Fatalf("%s %s %s, %d imports, %d images", record.State, record.Reason, record.Detail, w.imports, len(w.images))
	}
	m := w.images[record.Image.ID]
	if m.image.Family != "web" || m.image.BootMode != preferred {
		w.t.Errorf("family %q, boot mode %q", m.image.Family, m.image.BootMode)
	}
	for i := range disks {
		want := plain(i)
		if format == "QCOW2" {
			want = append([]byte("QFI\xfb\x00\x00\x00\x03"), want...)
		}
		if !bytes.Equal(m.disks[i], want) {
			w.t.Errorf("disk %d has other bytes", i+1)
		}
		if d := m.request.Disks[i]; d.Format != format || d.SizeGiB != 20+i {
			w.t.Errorf("disk %d was imported as %+v", i+1, d)
		}
	}
	if different := record.Verification.Differences(); len(different) > 0 {
		w.t.Errorf("the image differs: %s", describe(different))
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		disks  int
		format string
	}{{1, "raw"}, {3, "raw"}, {1, "qcow2"}, {3, "qcow2"}} {
		t.Run(fmt.Sprintf("%d disks, %s", c.disks, c.format), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				record := w.run(ordered(w.exported(c.disks, c.format), Options{}))
				w.checkRestored(record, c.disks, strings.ToUpper(c.format))
				w.checkNothingLeft()
				w.checkJournal("web-01")
			})
		})
	}
}

// TestKilled kills the process at each of its calls, before and after the call is applied, and lets another one go on.
func TestKilled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		disks     int
		format    string
		rehearsal bool
	}{"archive": {1, "raw", false}, "plain": {2, "qcow2", false}, "rehearsal": {1, "raw", true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := 0
			if c.rehearsal { // what comes before is the same as without
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.run(ordered(w.exported(c.disks, c.format), Options{Rehearsal: true}))
					first = slices.Index(w.calls, "ImportImage")
				})
			}
			for _, after := range []bool{false, true} {
				for at, calls := first, first+1; at < calls; at++ {
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t)
						m := w.exported(c.disks, c.format)
						w.killAt, w.after = at, after
						record := w.run(ordered(m, Options{Rehearsal: c.rehearsal}))
						calls = max(calls, len(w.calls))
						if w.imports != 1 {
							t.Errorf("killed at call %d (%s): %d imports", at, w.calls[at], w.imports)
						}
						if c.rehearsal {
							w.checkRehearsed(record)
						} else {
							w.checkRestored(record, c.disks, strings.ToUpper(c.format))
						}
						w.checkNothingLeft()
						w.checkJournal(record.Name)
						if t.Failed() {
							t.Logf("killed at call %d of %d, %s, applied %t", at, calls, w.calls[at], after)
						}
					})
					if t.Failed() {
						return
					}
					if at == 400 {
						t.Fatal("too many calls")
					}
				}
			}
		})
	}
}

func (w *world) checkRehearsed(record *Record) {
	w.t.Helper()
	if record.State != Rehearsed || len(w.images) != 0 || len(w.snapshots) != 0 {
		w.t.Errorf("%s %s %s, %d images and %d snapshots left", record.State, record.Reason, record.Detail, len(w.images), len(w.snapshots))
	}
	w.killAt = -1
	r := w.restorer()
	proven, err := r.Rehearsals(w.t.Context(), record.Source.Destination, record.Source.Image.ID)
	if err != nil || proven == nil || proven.Proven == nil || !proven.Last.OK || proven.Proven.Restore != record.Name || proven.Proven.ExportRevision != 3 {
		w.t.Errorf("rehearsals %+v (%v)", proven, err)
	}
}

// TestTakenOver: while one process holds the lease another leaves the restore alone; when the lease is over it goes on.
func TestTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.exported(1, "raw")
		w.killAt = 12 // somewhere in the unpacking
		r := w.restorer()
		_, _ = r.Run(t.Context(), ordered(m, Options{})(r))
		if !w.dead {
			t.Fatal("it was not killed")
		}
		r = w.restorer()
		record, err := r.Run(t.Context(), ordered(m, Options{})(r))
		if err != nil || record.State != Preparing || record.Revision != 1 || w.count("ImportImage") != 0 {
			t.Fatalf("%s in revision %d (%v)", record.State, record.Revision, err)
		}
		time.Sleep(leaseTime + 2*time.Second)
		w.killAt = -1
		w.checkRestored(w.run(ordered(m, Options{})), 1, "RAW")
	})
}

// TestRefused: what ECS refuses ends a restore, or lets it wait until somebody has repaired something; nothing stays behind.
func TestRefused(t *testing.T) {
	t.Parallel()
	for code, c := range map[string]struct {
		reason string
		state  State
	}{
		"NoSetRoletoECSServiceAcount":   {importRoleMissing, Queued},
		"QuotaExceed.Image":             {quotaImages, Queued},
		"Throttling.User":               {throttled, Queued},
		"InvalidImageName.Duplicated":   {nameTaken, Failed},
		"UnsupportedSuffix.OSSObject":   {formatNotImportable, Failed},
		"InvalidResourceGroup.NotFound": {resourceGroup, Failed},
		"SomethingNew":                  {importRefused, Failed},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				m := w.exported(1, "raw")
				w.refuse["ImportImage"] = &export.CallError{Op: "ImportImage", Code: code, Status: 403, Message: "no", RequestID: "R"}
				r := w.restorer()
				record, err := r.Run(t.Context(), ordered(m, Options{})(r))
				if err != nil || record.State != c.state || record.Reason != c.reason || record.Remedy == "" {
					t.Fatalf("%s %s (%v), want %s %s", record.State, record.Reason, err, c.state, c.reason)
				}
				a := record.Attempts[len(record.Attempts)-1]
				if a.Outcome != manifest.Refused || a.Code != code || a.RequestID != "R" {
					t.Errorf("attempt %+v", a)
				}
				if c.state == Failed {
					w.checkNothingLeft()
				}
				w.refuse = map[string]error{}
				again := func(r *Restorer) Order { o := ordered(m, Options{})(r); o.Again = true; return o }
				w.checkRestored(w.run(again), 1, "RAW")
				w.checkNothingLeft()
			})
		})
	}
}

// TestImportFails: the reason is ECS's own, and the failed image is removed with everything else.
func TestImportFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.exported(1, "raw")
		r := w.restorer()
		record, err := r.Run(t.Context(), ordered(m, Options{})(r))
		if err != nil || record.State != Importing {
			t.Fatalf("%s (%v)", record.State, err)
		}
		w.images[record.Image.ID].failure = "InvalidImageSize"
		record = w.run(ordered(m, Options{}))
		if record.State != Failed || record.Reason != imageSize || !strings.Contains(record.Detail, "it did not work") || len(w.images)+len(w.snapshots) != 0 {
			t.Errorf("%s %s %s, %d images, %d snapshots", record.State, record.Reason, record.Detail, len(w.images), len(w.snapshots))
		}
		w.checkNothingLeft()
	})
}

// TestCancelled: a cancelled restore leaves nothing, and can be begun again.
func TestCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.exported(1, "raw")
		r := w.restorer()
		if _, err := r.Run(t.Context(), ordered(m, Options{})(r)); err != nil {
			t.Fatal(err)
		}
		record, err := r.Cancel(t.Context(), "web-01", manifest.Trigger{Kind: "cli", ID: "me"})
		if err != nil || record.State != Cancelled || record.Reason != cancelledByRequest || len(w.images) != 0 {
			t.Fatalf("%+v (%v), %d images", record, err, len(w.images))
		}
		w.checkNothingLeft()
		record, err = r.Run(t.Context(), ordered(m, Options{})(r))
		if err != nil || record.State != Cancelled {
			t.Errorf("without being asked to begin again: %s (%v)", record.State, err)
		}
	})
}

// TestRehearsalDiffers: an image that is not as the manifest says is no proof.
func TestRehearsalDiffers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.exported(1, "raw")
		order := ordered(m, Options{Rehearsal: true})
		r := w.restorer()
		record, err := r.Run(t.Context(), order(r))
		if err != nil {
			t.Fatal(err)
		}
		w.images[record.Image.ID].image.Disks[0].SizeGiB = 7
		record = w.run(func(r *Restorer) Order { return order(r) })
		if record.State != Failed || record.Reason != rehearsalDiffers || !strings.Contains(record.Detail, "7 GiB") || len(w.images) != 0 {
			t.Errorf("%s %s %s", record.State, record.Reason, record.Detail)
		}
		all, err := w.restorer().Rehearsals(t.Context(), m.Destination, m.Image.ID)
		if err != nil || all == nil || all.Last.OK || all.Proven != nil || all.Last.Reason != rehearsalDiffers {
			t.Errorf("rehearsals %+v (%v)", all, err)
		}
	})
}

// TestHostile: what is not what was exported is refused with a reason before ECS is asked, and nothing stays behind.
func TestHostile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*world, *manifest.Manifest)
		reason string
	}{
		"two files": {func(w *world, m *manifest.Manifest) {
			a := archive(w.t, "a.raw", plain(0))
			w.put(&m.Objects[0], append(a, archive(w.t, "b.raw", plain(1))...))
		}, ""},
		"missing":  {func(w *world, m *manifest.Manifest) { m.Objects[0].Key = "gone" }, objectMissing},
		"size":     {func(w *world, m *manifest.Manifest) { m.Objects[0].Size++ }, objectChanged},
		"checksum": {func(w *world, m *manifest.Manifest) { m.Objects[0].CRC64 = "1" }, objectChanged},
		"content": {func(w *world, m *manifest.Manifest) {
			w.put(&m.Objects[0], append([]byte("QFI\xfb\x00\x00\x00\x03"), plain(0)...))
		}, objectContent},
		"truncated": {func(w *world, m *manifest.Manifest) {
			a := archive(w.t, "a.raw", plain(0))
			w.put(&m.Objects[0], a[:len(a)/2])
		}, "archive-truncated"},
		"bomb":      {func(w *world, m *manifest.Manifest) { m.Image.Disks[0].SizeGiB = 0; m.Image.SizeGiB = 0 }, ""},
		"encrypted": {func(w *world, m *manifest.Manifest) { w.bucket.SSEAlgorithm = "KMS" }, bucketEncrypted},
		"foreign":   {func(w *world, m *manifest.Manifest) { w.bucket.OwnerID = "2" }, bucketForeign},
		"elsewhere": {func(w *world, m *manifest.Manifest) { w.bucket.Location = "oss-cn-beijing" }, objectsElsewhere},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				m := w.exported(1, "raw")
				c.change(w, m)
				r := w.restorer()
				record, err := r.Run(t.Context(), ordered(m, Options{})(r))
				switch {
				case err != nil:
					t.Fatal(err)
				case name == "bomb":
					if record.State != Importing || record.Request.Disks[0].SizeGiB != 1 {
						t.Errorf("an unknown size: %s, %+v", record.State, record.Request.Disks)
					}
					return
				case c.reason != "" && record.Reason != c.reason, record.Reason == "", w.imports != 0:
					t.Errorf("%s %s %s, %d imports", record.State, record.Reason, record.Detail, w.imports)
				}
				if record.State == Failed {
					w.checkNothingLeft()
				}
			})
		})
	}
}

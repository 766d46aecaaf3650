package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

// revisionKey is the key of a revision of an image, without the layout.
func (w *world) revisionKey(id string, revision int) string {
	return fmt.Sprintf("%s%08d.json", strings.TrimPrefix(testLayout.Journal(w.settings.Destination, id), string(testLayout)), revision)
}

func (w *world) manifestKey(id string) string {
	return strings.TrimPrefix(testLayout.Manifest(w.settings.Destination, id), string(testLayout))
}

func (w *world) plantObject(key string, data []byte) { w.store.Plant(string(testLayout)+key, data) }
func (w *world) uproot(key string)                   { w.store.Uproot(string(testLayout) + key) }

// rewritten is an image's newest revision as somebody else would have written it.
func (w *world) rewritten(id string, change func(*manifest.Manifest)) []byte {
	m := w.head(id).Clone()
	change(m)
	data, err := manifest.Encode(m)
	if err != nil {
		w.Fatal(err)
	}
	return data
}

// journalDamages are what can have happened to the journal of an export at revision 2, whose task has ended or whose turn
// has come. The reason is "" where nothing is wrong with the journal itself.
var journalDamages = map[string]struct {
	reason string
	damage func(w *world, id string)
}{
	"corrupted": {journalUnreadable, func(w *world, id string) {
		key := w.revisionKey(id, 2)
		w.plantObject(key, bytes.Replace(w.store.Object(key), []byte(`"revision"`), []byte("\"rev\x00sion\""), 1))
	}},
	"truncated": {journalUnreadable, func(w *world, id string) {
		key := w.revisionKey(id, 2)
		data := w.store.Object(key)
		w.plantObject(key, data[:len(data)/2])
	}},
	"empty":      {journalUnreadable, func(w *world, id string) { w.plantObject(w.revisionKey(id, 2), nil) }},
	"empty next": {journalUnreadable, func(w *world, id string) { w.plantObject(w.revisionKey(id, 3), nil) }},
	"newer schema": {journalNewer, func(w *world, id string) {
		w.plantObject(w.revisionKey(id, 3), []byte(`{"schema":"imageferry.manifest/v2","revision":{"number":3}}`))
	}},
	"newer schema, manifest too": {journalNewer, func(w *world, id string) {
		w.plantObject(w.revisionKey(id, 3), []byte(`{"schema":"imageferry.manifest/v2"}`))
		w.plantObject(w.manifestKey(id), []byte(`{"schema":"imageferry.manifest/v2"}`))
	}},
	"revisions deleted": {journalUnreadable, func(w *world, id string) {
		w.uproot(w.revisionKey(id, 1))
		w.uproot(w.revisionKey(id, 2))
	}},
	"revision 4 without a third": {journalUnreadable, func(w *world, id string) {
		w.plantObject(w.revisionKey(id, 4), w.rewritten(id, func(m *manifest.Manifest) { m.Revision = 4 }))
		w.uproot(w.manifestKey(id))
	}},
	"foreign document": {journalUnreadable, func(w *world, id string) {
		w.plantObject(w.revisionKey(id, 3), []byte(`{"name":"backup","files":[]}`))
	}},
	"foreign archive": {journalUnreadable, func(w *world, id string) {
		w.plantObject(w.revisionKey(id, 3), []byte("PK\x03\x04\x14\x00\x08\x00"))
	}},
	"of another image": {journalUnreadable, func(w *world, id string) {
		w.plantObject(w.revisionKey(id, 3), w.rewritten(id, func(m *manifest.Manifest) { m.Revision, m.Image.ID = 3, "m-9" }))
	}},
	"of another destination": {journalUnreadable, func(w *world, id string) {
		w.plantObject(w.revisionKey(id, 3), w.rewritten(id, func(m *manifest.Manifest) { m.Revision, m.Destination.Bucket = 3, "elsewhere" }))
	}},
	"of another revision": {journalUnreadable, func(w *world, id string) {
		w.plantObject(w.revisionKey(id, 3), w.store.Object(w.revisionKey(id, 2)))
	}},
	"huge": {journalUnreadable, func(w *world, id string) {
		w.plantObject(w.revisionKey(id, 3), bytes.Repeat([]byte(`{"schema":`), 1<<20))
	}},
	"not UTF-8": {journalUnreadable, func(w *world, id string) {
		data := w.rewritten(id, func(m *manifest.Manifest) { m.Revision, m.Image.Name = 3, "a name" })
		w.plantObject(w.revisionKey(id, 3), bytes.Replace(data, []byte("a name"), []byte("a \xff\xfe"), 1))
	}},

	"first revision deleted": {"", func(w *world, id string) { w.uproot(w.revisionKey(id, 1)) }},
	"a key of nine digits": {"", func(w *world, id string) {
		key := w.revisionKey(id, 3)
		w.plantObject(strings.Replace(key, "/00000003", "/000000003", 1), []byte("{"))
		w.uproot(w.manifestKey(id)) // so that the journal is listed
	}},
	"foreign keys": {"", func(w *world, id string) {
		key := w.revisionKey(id, 3)
		w.plantObject(key+".bak", []byte("{"))
		w.plantObject(strings.Replace(key, "/00000003", "/3", 1), []byte("{"))
		w.plantObject(strings.Replace(key, "/00000003", "/+0000003", 1), []byte("{"))
		w.plantObject(strings.TrimPrefix(testLayout.Manifests(w.settings.Destination), string(testLayout))+"notes.json", []byte(`{"of":"somebody"}`))
		w.plantObject("active/queued/notes.txt", nil)
		w.plantObject("active/exporting/t-1", nil)
		w.plantObject("active/hold", []byte("{"))
		w.uproot(w.manifestKey(id))
	}},
	"manifest damaged": {"", func(w *world, id string) { w.plantObject(w.manifestKey(id), []byte("{")) }},
	"manifest newer": {"", func(w *world, id string) {
		w.plantObject(w.manifestKey(id), []byte(`{"schema":"imageferry.manifest/v2"}`))
	}},
	"manifest of another destination": {"", func(w *world, id string) {
		w.plantObject(w.manifestKey(id), w.rewritten(id, func(m *manifest.Manifest) { m.Revision, m.Destination.Prefix = 40, "weekly" }))
	}},
	"manifest of another image": {"", func(w *world, id string) {
		w.plantObject(w.manifestKey(id), w.rewritten(id, func(m *manifest.Manifest) { m.Revision, m.Image.ID = 40, "m-9" }))
	}},
}

// An export whose journal cannot be read is left to a person: everybody is told why, nothing of it is written over, ECS is
// not asked, and the others go on. Where only a copy of the journal, or something beside it, is wrong, nothing is lost.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	for _, state := range []manifest.State{manifest.Queued, manifest.Exporting} {
		for name, c := range journalDamages {
			t.Run(string(state)+" "+name, func(t *testing.T) {
				t.Parallel()
				inWorld(t, func(w *world) {
					w.bringTwo(state)
					c.damage(w, "m-1")
					if c.reason == "" {
						w.goesOn(state)
						return
					}
					w.unmarked = true // the invariants' markers cannot be told from an unreadable journal
					before, calls := w.untouched(), w.calls(opExport)
					w.isQuarantined("m-1", c.reason)
					w.showsInRounds("m-1", c.reason, state)
					after := w.untouched()
					if name == "revisions deleted" { // a free first revision is claimed before anybody can look
						first := w.revisionKey("m-1", 1)
						after = strings.Replace(after, first+"\n"+string(w.store.Object(first))+"\n", "", 1)
					}
					if after != before {
						t.Errorf("it was changed from\n%s to\n%s", before, after)
					}
					others := 0
					if state == manifest.Queued {
						others = 1 // m-2
					}
					w.wantCalls(opExport, calls+others)
					w.pass(time.Hour)
					w.wantHead("m-2", manifest.Exported, "")
				})
			})
		}
	}
}

// bringTwo brings m-1 and m-2 to revision 2, with work to do on both.
func (w *world) bringTwo(state manifest.State) {
	for _, id := range []string{"m-1", "m-2"} {
		if state == manifest.Queued {
			w.add(id, func(i *manifest.Image) { i.Status = "Creating" })
		} else {
			w.add(id)
		}
		w.submit(id)
		w.wantStates(id, "submitting "+string(state))
	}
	if state == manifest.Queued {
		w.addAfter(0, goodImage("m-1"))
		w.addAfter(0, goodImage("m-2"))
	}
	time.Sleep(w.cloud.duration)
}

// goesOn: both exports end well.
func (w *world) goesOn(state manifest.State) {
	w.Helper()
	page, err := w.ferry().List(w.Context(), ListOrder{})
	if err != nil || len(page.Unreadable) != 0 {
		w.Errorf("page is %+v (%v)", page, err)
	}
	for _, m := range page.Exports {
		if m.State != state || m.Revision != 2 || m.Destination != w.settings.Destination {
			w.Errorf("%s is listed as %s", m.Image.ID, describe(m))
		}
	}
	w.submit("m-1")                                             // an event comes first
	if round := w.sweep(SweepOrder{}); len(round.Results) > 1 { // one without a manifest is looked at
		w.Errorf("round is %+v", round)
	}
	w.pass(2 * time.Hour)
	for _, id := range []string{"m-1", "m-2"} {
		w.wantHead(id, manifest.Exported, "")
		w.wantMarkers(id)
		w.wantPublished(id)
	}
	w.wantCalls(opExport, 2)
}

// isQuarantined gives every order about an image.
func (w *world) isQuarantined(id, reason string) {
	w.Helper()
	w.wantResult(w.submit(id), "", reason)
	w.wantResult(w.force(id), "", reason)
	r, err := w.ferry().Cancel(w.Context(), id, w.trigger("http"))
	if err != nil {
		w.Fatalf("cancel: %v", err)
	}
	w.wantResult(r, "", reason)
	if r.Detail == "" || len(r.Detail) > 400 {
		w.Errorf("detail is %.500q", r.Detail)
	}
	want := manifest.ErrUnreadable
	if reason == journalNewer {
		want = manifest.ErrNewer
	}
	if _, err := w.ferry().Get(w.Context(), id); !errors.Is(err, want) {
		w.Errorf("get: %v, want %v", err, want)
	}
	page, err := w.ferry().List(w.Context(), ListOrder{})
	if err != nil {
		w.Fatalf("list: %v", err)
	}
	manifestOfIt := slices.ContainsFunc(page.Exports, func(m *manifest.Manifest) bool { return m.Image.ID == id })
	if data := w.store.Object(w.manifestKey(id)); data != nil && !manifestOfIt {
		if len(page.Unreadable) != 1 || page.Unreadable[0].ImageID != id {
			w.Fatalf("page is %+v", page)
		}
		w.wantResult(page.Unreadable[0], "", reason)
	}
}

// showsInRounds: every round that meets the export tells of it, and leaves one marker that leads there.
func (w *world) showsInRounds(id, reason string, state manifest.State) {
	w.Helper()
	w.mark(w.dueMarker(id, time.Now().Add(-time.Minute)))
	w.mark(w.dueMarker(id, time.Now().Add(-time.Second)))
	for range 2 {
		w.wantTold(w.drain(), id, reason)
		queued := slices.DeleteFunc(w.markers(id), func(key string) bool { return !strings.HasPrefix(key, "queued/") })
		due := slices.DeleteFunc(queued, func(key string) bool { return key > "queued/"+time.Now().UTC().Format("20060102T150405") })
		if len(due) != 1 {
			w.Errorf("due markers are %q", due)
		}
	}
	if state == manifest.Exporting {
		w.wantTold(w.follow(), id, reason)
	}
	listed := w.store.Object(w.manifestKey(id)) != nil
	if round := w.sweep(SweepOrder{}); listed {
		w.wantTold(round, id, reason) // the index is built for the first time
	}
}

func (w *world) wantTold(round Round, id, reason string) {
	w.Helper()
	for _, r := range round.Results {
		if r.ImageID == id {
			w.wantResult(r, "", reason)
			return
		}
	}
	w.Errorf("%s does not tell of %s: %+v", round.Action, id, round)
}

// A task that ECS has accepted while somebody spoilt the journal cannot be written down, but it is told.
func TestTaskOfASpoiltJournalIsTold(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.unmarked = true
		w.add("m-1")
		w.cloud.beforeExport = func(Request) { w.plantObject(w.revisionKey("m-1", 2), []byte("{")) }
		r := w.submit("m-1")
		w.wantResult(r, "", journalUnreadable)
		if r.TaskID != "t-1" {
			t.Errorf("result is %+v", r)
		}
	})
}

// An export whose objects the store does not give out keeps the others from their turn neither now nor on the next tick;
// when all fail, the round ends soon.
func TestDrainPassesOverTrouble(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const n = 12
		for i := range n {
			id := fmt.Sprintf("m-%02d", i)
			w.add(id, func(image *manifest.Image) { image.Status = "Creating" })
			w.submit(id)
			w.addAfter(0, goodImage(id))
		}
		time.Sleep(2 * time.Minute)
		denied := func(parts ...string) manifesttest.Fault {
			return func(op, key string) (bool, error) {
				if op == manifesttest.Get && slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(key, p) }) {
					return false, &CallError{Op: opRead, Status: 403, Code: "AccessDenied", Message: "no"}
				}
				return false, nil
			}
		}
		w.store.SetFault(denied("journal/"))
		round, err := w.ferry().Drain(w.Context())
		if err == nil || round.Seen != maxTroubles || len(round.Results) != 0 {
			t.Errorf("round is %+v (%v)", round, err)
		}
		w.store.SetFault(denied("/m-00/", "/m-01/", "/m-05/"))
		round, err = w.ferry().Drain(w.Context())
		var call *CallError
		if !errors.As(err, &call) || round.Seen != n || len(round.Results) != n-3 {
			t.Errorf("round is %+v (%v)", round, err)
		}
		w.store.SetFault(nil)
		if round := w.drain(); len(round.Results) != 3 {
			t.Errorf("round is %+v", round)
		}
		w.wantCalls(opExport, n)
	})
}

// A store that says of itself that something is too large to be a manifest is believed.
func TestTooLargeForTheStore(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.bringTwo(manifest.Queued)
		w.store.SetFault(func(op, key string) (bool, error) {
			if op == manifesttest.Get && strings.HasSuffix(key, "/m-1/00000002.json") {
				return false, fmt.Errorf("get %s: %w: it is longer than 8388608 bytes", key, manifest.ErrUnreadable)
			}
			return false, nil
		})
		w.wantResult(w.submit("m-1"), "", journalUnreadable)
		round := w.drain()
		w.wantTold(round, "m-1", journalUnreadable)
		w.wantHead("m-2", manifest.Exporting, "")
		w.store.SetFault(nil)
		w.pass(2 * time.Hour)
		w.wantHead("m-1", manifest.Exported, "")
	})
}

// A context that ends in the middle of a walk ends the walk.
func TestDrainEndsWithItsContext(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.bringTwo(manifest.Queued)
		ctx, cancel := context.WithCancel(w.Context())
		w.store.SetFault(func(op, key string) (bool, error) {
			if op == manifesttest.Get && strings.Contains(key, "manifests/") {
				cancel()
				return false, ctx.Err()
			}
			return false, nil
		})
		round, err := w.ferry().Drain(ctx)
		if !errors.Is(err, context.Canceled) || round.Seen != 1 {
			t.Errorf("round is %+v (%v)", round, err)
		}
	})
}

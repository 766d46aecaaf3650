package page_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/handler/page"
	"imageferry/handler/page/pagetest"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

const layout = manifest.Layout("imageferry/")

// countedStore counts what is listed and read.
type countedStore struct {
	manifesttest.Memory
	lists, gets atomic.Int32
}

func (s *countedStore) List(ctx context.Context, prefix, after string, limit int) ([]string, bool, error) {
	s.lists.Add(1)
	return s.Memory.List(ctx, prefix, after, limit)
}

func (s *countedStore) Get(ctx context.Context, key string) ([]byte, error) {
	s.gets.Add(1)
	return s.Memory.Get(ctx, key)
}

// knownTasks answers for the progress of tasks, and counts how often it is asked; the tasks of the others are unknown.
type knownTasks struct {
	otherTasks
	progress map[string]string
	err      error
	asked    atomic.Int32
}

type otherTasks interface{ export.Tasks } // the field has a name of its own

func (k *knownTasks) Detail(_ context.Context, id string) (export.TaskDetail, bool, error) {
	k.asked.Add(1)
	text, known := k.progress[id]
	return export.TaskDetail{Progress: text}, known, k.err
}

// ferryOver is the real domain over a store that an account has filled.
func ferryOver(t *testing.T, store manifest.Store, tasks export.Tasks, account *pagetest.Memory) page.Ferry {
	t.Helper()
	if err := account.Fill(t.Context(), store, layout); err != nil {
		t.Fatal(err)
	}
	settings := export.Settings{Destination: account.Destination(), ManifestBucket: "imageferry-exports", Layout: layout, MaxAttempts: 3, RetryDelay: time.Minute}
	ferry := export.New(export.Cloud{Tasks: tasks, Store: store}, settings, export.NewBucketMemory(),
		func() time.Time { return sampleNow }, slog.New(slog.DiscardHandler))
	return page.Ferry{Ferry: ferry, To: settings.Destination}
}

// thousands are n exported images and what the sample account has at work.
func thousands(n int) *pagetest.Memory {
	account := pagetest.Account(sampleNow)
	for i := range n {
		at := sampleNow.Add(-time.Duration(i+1) * 11 * time.Minute)
		m := exportOf(fmt.Sprintf("m-many%05d", i), fmt.Sprintf("nightly-%05d", i), at)
		m.State, m.Writer, m.Image.SizeGiB = manifest.Exported, "0f", 40
		m.Attempts = []manifest.Attempt{{Number: 1, StartedAt: at.Add(-20 * time.Minute), EndedAt: &at, Outcome: manifest.Finished}}
		m.Verification = &manifest.Verification{VerifiedAt: at, Objects: 1, Bytes: 3 << 30}
		account.Add(m)
	}
	return account
}

// TestFerry shows the sample account as the real domain reads it from a store.
func TestFerry(t *testing.T) {
	t.Parallel()
	account := pagetest.Account(sampleNow)
	tasks := &knownTasks{progress: map[string]string{}}
	for id, n := range account.Percents {
		tasks.progress[id] = fmt.Sprintf(" %d%%", n)
	}
	source := ferryOver(t, &countedStore{}, tasks, account)
	h := handlerOf(source, nil, sampleOptions())
	d := parse(t, get(t, h, "/"))
	mustContain(t, text(d.one("main")), "On hold: nothing is submitted", "383 all", "5 exporting", "362 exported", "5 skipped", "5 failed", "2 cancelled",
		"follow on time 2 min ago , every 5 min", "47 % · about 14 min left", "100 % · to be verified", "waits for the end of the hold", "took 16 min",
		"Oldest queued 25 min ago", "Not known yet: the next sweep")
	if rows := d.all("tr", "data-row="); len(rows) != 50 {
		t.Errorf("%d rows", len(rows))
	}
	// What is at work comes first, and the pages hold every export once.
	seen := map[string]bool{}
	for target := "/?limit=100"; target != ""; {
		d := parse(t, get(t, h, target))
		for _, row := range d.all("tr", "data-row=") {
			seen[attr(row, "data-row")] = true
		}
		target = ""
		if next := d.all("a", "rel=next"); len(next) == 1 {
			target = attr(next[0], "href")
		}
	}
	if len(seen) != 383 {
		t.Errorf("%d exports on all pages", len(seen))
	}
	mustContain(t, text(parse(t, get(t, h, "/?state=failed&name=ANALYTICS")).one("main")), "task-failed", "SnapshotReadFailed")
	mustContain(t, text(parse(t, get(t, h, "/images/"+idOf(t, account, "edge-proxy"))).one("main")), "Restore", "imageferry restore m-", "revision 3")
	if w := get(t, h, "/images/m-none"); w.Code != http.StatusNotFound {
		t.Errorf("an unknown image: status %d", w.Code)
	}
	if w := get(t, h, "/?cursor=x"); w.Code != http.StatusBadRequest {
		t.Errorf("a strange cursor: status %d", w.Code)
	}
	tasks.err = errors.New("throttled")
	mustContain(t, text(parse(t, get(t, h, "/")).one("main")), "running for 21 min")
}

// TestFerryQuarantine puts what cannot be read at the head of the list.
func TestFerryQuarantine(t *testing.T) {
	t.Parallel()
	store, account := &countedStore{}, pagetest.Account(sampleNow)
	source := ferryOver(t, store, &knownTasks{}, account)
	id := idOf(t, account, "edge-proxy")
	for _, key := range []string{layout.Manifest(account.Destination(), id), layout.Journal(account.Destination(), id) + "00000003.json"} {
		if err := store.Put(t.Context(), key, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	h := handlerOf(source, nil, sampleOptions())
	mustContain(t, text(parse(t, get(t, h, "/")).one("section", "class=unread")), "A journal cannot be read", id, "journal-unreadable", "Restore the damaged")
	mustContain(t, text(parse(t, get(t, h, "/images/"+id)).one("main")), "unreadable revision 3", "it is damaged")
}

// TestFerryCost: what a look costs does not grow with the exports that are over, and progress is asked for a few.
func TestFerryCost(t *testing.T) {
	t.Parallel()
	cost := map[int][2]int32{}
	for _, n := range []int{0, 1, 5000} {
		store, tasks := &countedStore{}, &knownTasks{}
		options := sampleOptions()
		options.Remember = page.DefaultRemember
		h := handlerOf(ferryOver(t, store, tasks, thousands(n)), nil, options)
		store.lists.Store(0)
		store.gets.Store(0)
		body := get(t, h, "/").Body.String()
		cost[n] = [2]int32{store.lists.Load(), store.gets.Load()}
		if want := fmt.Sprintf("%d,%03d", (383+n)/1000, (383+n)%1000); n == 5000 && !strings.Contains(body, want) {
			t.Errorf("%d exports are not counted", n)
		}
		get(t, h, "/")
		get(t, h, "/badge.svg")
		if again := [2]int32{store.lists.Load(), store.gets.Load()}; again != cost[n] {
			t.Errorf("looking again costs %v, not nothing", again)
		}
		if got := tasks.asked.Load(); got != 5 {
			t.Errorf("%d tasks were asked for", got)
		}
	}
	t.Logf("lists and reads: %v", cost)
	// The index has a page for each thousand that is over, and two sections of what is at work; the list reads its 50 manifests.
	if got := cost[5000]; got[0] > cost[0][0]+5 || got[0] > 15 || got[1] > cost[0][1] {
		t.Errorf("a look at 5,000 exports costs %d lists and %d reads, at none of them %v", got[0], got[1], cost[0])
	}
}

// TestProgressOfMany asks for the first tasks only.
func TestProgressOfMany(t *testing.T) {
	t.Parallel()
	tasks := &knownTasks{progress: map[string]string{"t-0": "7%", "t-1": "-3%", "t-2": "512%", "t-3": "soon", "t-4": "8"}}
	f := page.Ferry{Ferry: export.New(export.Cloud{Tasks: tasks, Store: &countedStore{}}, export.Settings{Layout: layout}, export.NewBucketMemory(), time.Now, slog.New(slog.DiscardHandler))}
	var ids []string
	for i := range 100 {
		ids = append(ids, fmt.Sprintf("t-%d", i))
	}
	got, err := f.Progress(t.Context(), ids)
	if want := map[string]int{"t-0": 7, "t-1": 0, "t-2": 100, "t-4": 8}; err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if n := tasks.asked.Load(); n != 20 {
		t.Errorf("%d tasks were asked for", n)
	}
	tasks.err = errors.New("throttled")
	if _, err := f.Progress(t.Context(), ids); err == nil {
		t.Error("no error")
	}
	if n := tasks.asked.Load(); n > 20+5 {
		t.Errorf("%d tasks were asked for after an error", n-20)
	}
}

package page_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"imageferry/handler/page/pagetest"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// restoreOf is a restore of an export in a state, as the journal has it.
func restoreOf(m *manifest.Manifest, name string, state restore.State) *restore.Record {
	at := sampleNow.Add(-3 * time.Minute)
	r := &restore.Record{
		Revision: 2, State: state, Name: name, UpdatedAt: at, BegunAt: at, Region: "cn-hangzhou", Source: m,
		Disks: []restore.Disk{{Ready: true}, {}},
	}
	switch state {
	case restore.Queued:
		due := sampleNow.Add(5 * time.Minute)
		r.DueAt, r.Reason, r.Remedy, r.Detail = &due, "import-role-missing", "Create the role.", "ECS says so"
	case restore.Preparing:
		r.Lease = &manifest.Lease{Until: sampleNow.Add(time.Minute)}
	case restore.Submitting:
		r.Lease = &manifest.Lease{Until: sampleNow.Add(-time.Minute)}
	case restore.Importing:
		r.Image = &restore.Imported{ID: "m-new"}
	case restore.Failed:
		r.Reason, r.Remedy, r.Detail = "import-failed", "Read the detail.", "no system disk"
	case restore.Restored:
		r.Image = &restore.Imported{ID: "m-new"}
		r.Verification = &restore.Verification{Facts: []restore.Fact{{Name: "platform", Want: "a", Got: "b"}}}
	}
	return r
}

// TestRestores: the overview shows the restores at work, the page of an image all of its own.
func TestRestores(t *testing.T) {
	t.Parallel()
	account := pagetest.Account(sampleNow)
	id := idOf(t, account, "edge-proxy-2026-11-23")
	own := exportOf(id, "edge-proxy", sampleNow)
	other := exportOf("m-other", "other", sampleNow)
	for name, c := range map[string]struct {
		of     *manifest.Manifest
		state  restore.State
		atWork bool
		want   []string
	}{
		"a-queued":     {own, restore.Queued, true, []string{"queued", "import-role-missing Create the role. due in 5 min ECS says so"}},
		"b-preparing":  {own, restore.Preparing, true, []string{"preparing", "1 of 2 disks ready to import"}},
		"c-submitting": {own, restore.Submitting, true, []string{"submitting", "the next round takes it over"}},
		"d-importing":  {other, restore.Importing, true, []string{"importing", "m-new", "m-other"}},
		"e-failed":     {own, restore.Failed, false, []string{"failed", "import-failed Read the detail. no system disk"}},
		"f-restored":   {own, restore.Restored, false, []string{"restored", "m-new", "1 difference from the manifest"}},
		"g-rehearsed":  {own, restore.Rehearsed, false, []string{"rehearsed", "and deleted again"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			account := pagetest.Account(sampleNow)
			account.Restores = []*restore.Record{restoreOf(c.of, name, c.state)}
			h := handlerOf(account, nil, sampleOptions())
			for target, shown := range map[string]bool{"/": c.atWork, "/images/" + id: c.of == own} {
				all := parse(t, get(t, h, target)).all("section", "aria-labelledby=h-restores")
				if (len(all) == 1) != shown {
					t.Errorf("%s: %d lists of restores", target, len(all))
					continue
				}
				var document struct{ Restores []*restore.Record }
				if err := json.Unmarshal(get(t, h, target+"?format=json").Body.Bytes(), &document); err != nil || (len(document.Restores) == 1) != shown {
					t.Errorf("%s: as JSON %+v (%v)", target, document.Restores, err)
				}
				if shown {
					mustContain(t, text(all[0]), append(c.want, name, c.of.Image.ID, "3 min ago")...)
				}
			}
		})
	}
}

// A page without restores is a page, and what outsiders have put into them does no harm.
func TestRestoresUnreadable(t *testing.T) {
	t.Parallel()
	account := accountOf(1)
	m := hostileExport("m-00000", manifest.Exported)
	for _, state := range []restore.State{restore.Queued, restore.Failed} {
		r := restoreOf(m, hostile, state)
		r.Reason, r.Remedy, r.Detail, r.Image = hostile, hostile, hostile, &restore.Imported{ID: hostile}
		account.Restores = append(account.Restores, r)
	}
	h := handlerOf(account, nil, sampleOptions())
	for _, target := range []string{"/", "/images/m-00000"} {
		w := get(t, h, target)
		if !strings.Contains(w.Body.String(), "h-restores") {
			t.Errorf("%s shows no restores", target)
		}
		checkHarmless(t, target, parse(t, w), w)
	}
	account.Fail = func(call string) error {
		if call == "AtWork" || call == "RestoresOf" {
			return errors.New("no answer")
		}
		return nil
	}
	h = handlerOf(account, nil, sampleOptions())
	for _, target := range []string{"/", "/images/m-00000"} {
		if w := get(t, h, target); w.Code != 200 || strings.Contains(w.Body.String(), "h-restores") || !strings.Contains(w.Body.String(), "m-00000") {
			t.Errorf("%s: status %d: %s", target, w.Code, w.Body)
		}
	}
}

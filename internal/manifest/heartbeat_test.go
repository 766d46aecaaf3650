package manifest_test

import (
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := &manifesttest.Memory{}
	index := manifest.NewIndex(store, "imageferry/")
	if beats, err := index.Heartbeats(ctx); err != nil || len(beats) != 0 {
		t.Fatalf("%v, %v before the first", beats, err)
	}
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, h := range []manifest.Heartbeat{
		{Action: "sweep", At: at, Failed: true},
		{Action: "follow", At: at.Add(-time.Hour)},
		{Action: "follow", At: at, RequestID: "req-2", Held: "quota-weekly"},
	} {
		if err := index.PutHeartbeat(ctx, h); err != nil {
			t.Fatal(err)
		}
	}
	for key, text := range map[string]string{
		"imageferry/active/seen/damaged": "{",
		"imageferry/active/seen/foreign": `{"at":"2026-11-23T10:00:00Z","action":"follow"}`,
		"imageferry/active/seen/empty":   "",
	} {
		if err := store.Put(ctx, key, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	beats, err := index.Heartbeats(ctx)
	if err != nil || len(beats) != 2 {
		t.Fatalf("%+v, %v", beats, err)
	}
	if want := (manifest.Heartbeat{Action: "follow", At: at, RequestID: "req-2", Held: "quota-weekly"}); beats[0] != want {
		t.Errorf("%+v, want %+v", beats[0], want)
	}
	if beats[1].Action != "sweep" || !beats[1].Failed {
		t.Errorf("%+v", beats[1])
	}
	// Nothing of it is taken for an export at work.
	if markers, _, err := index.Queued(ctx, manifest.Marker{}); err != nil || len(markers) != 0 {
		t.Errorf("%+v, %v", markers, err)
	}
	for after, late := range map[time.Duration]bool{0: false, 10 * time.Minute: false, 10*time.Minute + 1: true} {
		if beats[0].Late(at.Add(after), 5*time.Minute) != late {
			t.Errorf("late is not %t after %v", late, after)
		}
	}
}

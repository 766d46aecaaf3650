package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"imageferry/internal/restore"
	"imageferry/internal/terminal"
	"imageferry/internal/words"
)

// A restoreStage is what is shown while somebody waits for it.
type restoreStage struct {
	what    string
	percent int
	// since and from are when the stage was first seen to move, and how far it was: its end is estimated from there.
	since time.Time
	from  int
}

// left estimates how long the stage still takes; ok is false while nobody can know.
func (t restoreStage) left(now time.Time) (left time.Duration, ok bool) {
	done := t.percent - t.from
	if t.since.IsZero() || done <= 0 || t.percent >= 100 {
		return 0, false
	}
	return now.Sub(t.since) / time.Duration(done) * time.Duration(100-t.percent), true
}

// A restoreView shows how far a restore is: a bar on a terminal, and a line for each change elsewhere. The unpacking tells its
// progress from goroutines of its own.
type restoreView struct {
	name string
	w    io.Writer
	now  func() time.Time
	zone *time.Location
	bars bool

	mu       sync.Mutex
	stage    restoreStage
	progress *mpb.Progress
	bar      *mpb.Bar
	stopped  bool
}

func (s *session) newRestoreView(name string) *restoreView {
	return &restoreView{name: name, w: s.err, now: s.now, zone: s.zone, bars: s.watches && s.getenv("TERM") != "dumb"}
}

// unpacking shows how far the objects are.
func (v *restoreView) unpacking(p restore.Progress) {
	percent := 0
	if p.ReadTotal > 0 {
		percent = int(100 * p.Read / p.ReadTotal)
	}
	v.set(fmt.Sprintf("unpacking %d of %d", p.Disk, p.Disks), percent)
}

// show shows a revision; percent is that of ECS's task.
func (v *restoreView) show(record *restore.Record, percent int) {
	what := string(record.State)
	if record.Reason != "" {
		what += " " + record.Reason
		if !v.bars {
			what += ": " + record.Remedy
		}
	}
	if record.State == restore.Importing {
		what += " " + record.Image.ID
	}
	if record.State == restore.Restored || record.State == restore.Rehearsed {
		percent = 100
	}
	v.set(what, percent)
}

func (v *restoreView) set(what string, percent int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.stopped {
		return
	}
	changed := v.stage.what != what
	if changed {
		v.stage = restoreStage{what: what, percent: percent, from: percent}
	}
	v.stage.percent = percent
	if v.stage.since.IsZero() && percent > 0 && percent < 100 {
		v.stage.since, v.stage.from = v.now(), percent
	}
	switch {
	case v.bars:
		v.draw(percent)
	case changed:
		_, _ = fmt.Fprintf(v.w, "%s  %s\n", v.now().In(v.zone).Format(time.TimeOnly), words.Safe(v.name+"  "+what))
	}
}

// draw moves the bar. The caller holds the lock, which the drawing takes for itself.
func (v *restoreView) draw(percent int) {
	if v.progress == nil {
		v.progress = mpb.New(mpb.WithOutput(v.w), mpb.WithWidth(24), mpb.WithRefreshRate(200*time.Millisecond))
		v.bar = v.progress.AddBar(101, // one more than all: only stop ends it
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return v.label() }, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return v.tail() })))
	}
	v.bar.SetCurrent(int64(min(percent, 100)))
}

func (v *restoreView) current() restoreStage {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.stage
}

func (v *restoreView) label() string {
	stage := v.current()
	return terminal.Clip(words.Safe(v.name), 32) + "  " + words.Safe(stage.what)
}

func (v *restoreView) tail() string {
	stage := v.current()
	text := fmt.Sprintf("%3d%%", stage.percent)
	if left, ok := stage.left(v.now()); ok {
		text += "  " + words.Clock(left) + " left"
	}
	return text
}

// stop ends the drawing. Stopping again does nothing.
func (v *restoreView) stop() {
	v.mu.Lock()
	progress, bar, stopped := v.progress, v.bar, v.stopped
	v.stopped = true
	v.mu.Unlock()
	if stopped || progress == nil {
		return
	}
	bar.Abort(false)
	progress.Wait()
}

// percentOf reads ECS's "42%".
func percentOf(text string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(text), "%"))
	if err != nil {
		return 0
	}
	return min(max(n, 0), 100)
}

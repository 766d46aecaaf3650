package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/terminal"
	"imageferry/internal/words"
)

// tracked is what is shown of an image while somebody waits for it.
type tracked struct {
	id, name string
	state    manifest.State
	reason   string
	percent  int
	// since and from are when the progress was first seen, and how much it was: the end is estimated from there.
	since time.Time
	from  int
}

func newTracked(o outcome) tracked {
	t := tracked{id: o.ImageID, name: o.Name, state: o.State, reason: o.Reason}
	if o.err != nil {
		t.reason = "error"
	}
	return t
}

func (t *tracked) take(m *manifest.Manifest) {
	t.name, t.state, t.reason = m.Image.Name, m.State, m.Reason
	if m.State != manifest.Exporting {
		t.percent, t.from, t.since = 0, 0, time.Time{}
	}
}

func (t tracked) ended() bool { return t.state == "" || t.state.Terminal() }

// label is what a person calls the image.
func (t tracked) label() string {
	return terminal.Clip(words.Safe(firstOf(t.name, t.id)), 32)
}

// describe is the state, and why.
func (t tracked) describe() string {
	if t.reason == "" {
		return string(t.state)
	}
	return string(t.state) + " " + t.reason
}

// left estimates how long the task still takes; ok is false while nobody can know.
func (t tracked) left(now time.Time) (left time.Duration, ok bool) {
	done := t.percent - t.from
	if t.state != manifest.Exporting || t.since.IsZero() || done <= 0 || t.percent >= 100 {
		return 0, false
	}
	return now.Sub(t.since) / time.Duration(done) * time.Duration(100-t.percent), true
}

// A progress shows images until stop.
type progress interface {
	show([]tracked)
	stop()
}

// newProgress draws bars on a terminal, and writes a line for each change elsewhere.
func (s *session) newProgress() progress {
	if s.watches && s.getenv("TERM") != "dumb" {
		return &bars{w: s.err, now: s.now}
	}
	return s.newLines()
}

func (s *session) newLines() *lines {
	return &lines{w: s.err, zone: s.zone, now: s.now, seen: map[string]string{}}
}

// lines are for logs, and for what no bar can show.
type lines struct {
	w    io.Writer
	zone *time.Location
	now  func() time.Time
	seen map[string]string
}

func (l *lines) show(all []tracked) {
	for _, t := range all {
		text := t.describe()
		if l.seen[t.id] == text || t.state == "" {
			continue
		}
		l.seen[t.id] = text
		_, _ = fmt.Fprintf(l.w, "%s  %s  %s  %s\n", l.now().In(l.zone).Format(time.TimeOnly), t.id, t.label(), text)
	}
}

func (l *lines) stop() {}

// decided shows what rounds have decided.
func (l *lines) decided(rounds []export.Round) {
	for _, round := range rounds {
		for _, r := range round.Results {
			l.show([]tracked{newTracked(outcome{Result: r})})
		}
	}
}

// maxBars is how many images have a bar of their own; more of them share one.
const maxBars = 12

// bars draws. Its bars are read by a goroutine of their own.
type bars struct {
	w   io.Writer
	now func() time.Time

	mu       sync.Mutex
	all      []tracked
	progress *mpb.Progress
	each     []*mpb.Bar
	stopped  bool
}

func (b *bars) show(all []tracked) {
	b.mu.Lock()
	b.all = append([]tracked(nil), all...)
	b.mu.Unlock()
	if b.progress == nil {
		b.start(len(all))
	}
	for i, bar := range b.each {
		if b.shared() {
			bar.SetCurrent(int64(b.sum()))
			continue
		}
		switch t := all[i]; {
		case t.state == manifest.Exported:
			bar.SetCurrent(100)
		case t.ended():
			bar.Abort(false)
		default:
			bar.SetCurrent(int64(min(t.percent, 99)))
		}
	}
}

func (b *bars) shared() bool { return len(b.each) == 1 && len(b.all) > 1 }

func (b *bars) start(n int) {
	b.progress = mpb.New(mpb.WithOutput(b.w), mpb.WithWidth(24), mpb.WithRefreshRate(200*time.Millisecond))
	if n > maxBars {
		b.each = append(b.each, b.progress.AddBar(int64(100*n),
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return b.total() }, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.eta() }))))
		return
	}
	for i := range n {
		b.each = append(b.each, b.progress.AddBar(100,
			mpb.PrependDecorators(
				decor.Any(func(decor.Statistics) string { return b.get(i).label() }, decor.WCSyncSpaceR),
				decor.Any(func(decor.Statistics) string { return fmt.Sprintf("%-10s", b.get(i).state) }, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.tail(b.get(i)) }))))
	}
}

func (b *bars) get(i int) tracked {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all[i]
}

func (b *bars) tail(t tracked) string {
	text := t.reason
	if !t.ended() && t.state == manifest.Exporting {
		text = fmt.Sprintf("%3d%%", t.percent)
	}
	if left, ok := t.left(b.now()); ok {
		text += "  " + words.Clock(left) + " left"
	}
	return text
}

// sum is the progress of all together. An image that ended other than exported counts as done.
func (b *bars) sum() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := 0
	for _, t := range b.all {
		if t.ended() {
			sum += 100
		} else {
			sum += min(t.percent, 99)
		}
	}
	return sum
}

// total is how many have ended.
func (b *bars) total() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	ended := 0
	for _, t := range b.all {
		if t.ended() {
			ended++
		}
	}
	return fmt.Sprintf("%d of %d ended", ended, len(b.all))
}

// eta is that of the slowest task that runs; what is queued is not in it.
func (b *bars) eta() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var longest time.Duration
	queued := 0
	for _, t := range b.all {
		if left, ok := t.left(b.now()); ok {
			longest = max(longest, left)
		}
		if t.state == manifest.Queued {
			queued++
		}
	}
	text := ""
	if longest > 0 {
		text = words.Clock(longest) + " left"
	}
	if queued > 0 {
		text += fmt.Sprintf(", %d queued", queued)
	}
	return text
}

// stop ends the drawing; what has not ended stays as it is. Stopping again does nothing.
func (b *bars) stop() {
	if b.progress == nil || b.stopped {
		return
	}
	b.stopped = true
	for _, bar := range b.each {
		if !bar.Completed() {
			bar.Abort(false)
		}
	}
	b.progress.Wait()
}

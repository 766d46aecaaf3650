package export

import (
	"context"
	"fmt"
	"strings"
	"time"

	"imageferry/internal/manifest"
)

const (
	// calmTicks is how many ticks everything has to come to rest in.
	calmTicks = 200
	// calmTime is how much time.
	calmTime = 14 * 24 * time.Hour
)

// calm lets the timers go on without disturbances, until nothing is left to do. It waits each time until something can
// have happened, because ticks in between would find nothing.
func (s *simulation) calm(ctx context.Context) {
	s.mu.Lock()
	s.trail("from here on all is calm")
	s.mu.Unlock()
	end := time.Now().Add(calmTime)
	wait, seen := time.Minute, 0
	for n := range calmTicks {
		p := &simProcess{sim: s, name: fmt.Sprintf("calm-%d", n+1), calm: true, calls: map[string]int{}, skew: s.plan.instances[0],
			memory: s.instances[0]}
		p.chance = s.chance.derive("process "+p.name, 0)
		f := s.ferry(p)
		_, err := f.Follow(ctx)
		if err == nil {
			_, err = f.Drain(ctx)
		}
		if err == nil && n%8 == 0 {
			_, err = f.Sweep(ctx, SweepOrder{Trigger: manifest.Trigger{Kind: "timer", RequestID: p.name}})
		}
		if err != nil {
			s.mu.Lock()
			s.violate("%s: %v", p.name, err)
			s.mu.Unlock()
		}
		next, rest := s.nextWork()
		if rest && n > 0 || next.After(end) {
			return
		}
		if wait *= 2; s.revisions > seen {
			wait, seen = time.Minute, s.revisions
		}
		time.Sleep(max(min(wait, 8*time.Hour), time.Until(next)+time.Second))
	}
}

// nextWork is when a tick has something to do, and whether nothing is left at all.
func (s *simulation) nextWork() (next time.Time, rest bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	next, rest = now.Add(time.Hour), true
	held := s.store.get(string(testLayout)+"active/hold") != nil
	for key, o := range s.store.objects {
		if o.data == nil || !strings.HasPrefix(key, string(testLayout)+"active/") || outlasts(key) {
			continue
		}
		rest = false
		at := s.nextOf(key)
		if at.Before(now) && held {
			continue // until a task ends, a probe would be refused
		}
		if at.Before(next) {
			next = at
		}
	}
	return next, rest
}

// outlasts tells whether a key of the index is there when nothing is left to do.
func outlasts(key string) bool {
	rest := strings.TrimPrefix(key, string(testLayout)+"active/")
	return rest == "complete" || rest == "census" || strings.HasPrefix(rest, "ended/")
}

// nextOf is when a marker gives a tick something to do. The hold has no time of its own.
func (s *simulation) nextOf(key string) time.Time {
	if _, rest, ok := strings.Cut(key, "active/queued/"); ok {
		due, _ := time.Parse("20060102T150405.000000000Z", rest[:strings.IndexByte(rest, '/')])
		return due.Add(-s.plan.instances[0])
	}
	for _, t := range s.ecs.tasks {
		if strings.Contains(key, "/exporting/"+t.id+"/") {
			return t.ends
		}
	}
	return time.Now().Add(time.Hour)
}

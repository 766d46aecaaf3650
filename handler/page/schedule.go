package page

import (
	"maps"
	"slices"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// A schedule is one action of the timers and the trace of its newest round. At is zero when none has been seen.
type schedule struct {
	manifest.Heartbeat
	period time.Duration // how often it should run; 0 when that is not known
}

// schedules are the expected ones first; none while no timer has ever run.
func (p *site) schedules(o export.Overview) []schedule {
	if len(o.Heartbeats) == 0 {
		return nil
	}
	seen := map[string]manifest.Heartbeat{}
	for _, h := range o.Heartbeats {
		seen[h.Action] = h
	}
	var all []schedule
	for _, action := range slices.Sorted(maps.Keys(p.opts.Periods)) {
		h := seen[action]
		h.Action = action
		all = append(all, schedule{h, p.opts.Periods[action]})
		delete(seen, action)
	}
	for _, action := range slices.Sorted(maps.Keys(seen)) {
		all = append(all, schedule{seen[action], 0})
	}
	return all
}

// status says in a word how a schedule is doing.
func (p *site) status(s schedule) string {
	switch {
	case s.At.IsZero():
		return "never"
	case s.period > 0 && s.Late(p.opts.Now(), s.period):
		return "late"
	case s.Failed:
		return "failed"
	case s.Incomplete:
		return "unfinished"
	}
	return "on time"
}

// overdue tells whether somebody has to look at a timer. One that has never run may be new: it is overdue when exports have
// ended long ago.
func (p *site) overdue(s schedule, o export.Overview) bool {
	switch p.status(s) {
	case "late":
		return true
	case "never":
		return slices.ContainsFunc(o.Days, func(d export.Day) bool {
			day, err := time.Parse(time.DateOnly, d.Date)
			return err == nil && p.opts.Now().Sub(day.AddDate(0, 0, 1)) > 2*s.period
		})
	}
	return false
}

func (p *site) lateAlert(s schedule) alert {
	a := alert{Kind: "late", Title: "The timer of " + say(s.Action) + " is late",
		Remedy: "Look whether the function's timer trigger is enabled, and at the function's log."}
	a.Facts = "no round has been seen"
	if !s.At.IsZero() {
		a.Facts = "last round " + p.when(s.At).Ago
	}
	a.Facts += " · expected every " + span(s.period)
	return a
}

// A round is a line about one schedule.
type round struct {
	Action string
	Icon   string
	Status string
	Last   *when
	Every  string
	Held   string
}

func (p *site) rounds(o export.Overview) []round {
	icons := map[string]string{"never": "late", "late": "late", "failed": "failed", "unfinished": "queued", "on time": "exported"}
	var all []round
	for _, s := range p.schedules(o) {
		status := p.status(s)
		line := round{Action: say(s.Action), Icon: icons[status], Status: status, Last: p.maybe(&s.At), Held: say(s.Held)}
		if s.period > 0 {
			line.Every = "every " + span(s.period)
		}
		all = append(all, line)
	}
	return all
}

// A scheduleDocument is a schedule as JSON.
type scheduleDocument struct {
	Action string `json:"action"`
	// Status is on time, late, failed, unfinished, or never.
	Status        string     `json:"status"`
	At            *time.Time `json:"at,omitempty"` // the end of the newest round
	PeriodSeconds int64      `json:"periodSeconds,omitempty"`
}

func (p *site) scheduleDocuments(o export.Overview) []scheduleDocument {
	all := []scheduleDocument{}
	for _, s := range p.schedules(o) {
		d := scheduleDocument{Action: s.Action, Status: p.status(s), PeriodSeconds: int64(s.period / time.Second)}
		if !s.At.IsZero() {
			d.At = &s.At
		}
		all = append(all, d)
	}
	return all
}

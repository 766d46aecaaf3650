package page

import (
	"time"

	"imageferry/internal/manifest"
)

// An alert is what keeps exports from going on, at the head of the overview.
type alert struct {
	Kind   string // hold, late or unread
	Title  string
	Code   string // the reason
	Href   string // the exports of that reason
	Remedy string
	Detail string
	Facts  string
}

func (p *site) alerts(l look) []alert {
	var all []alert
	if l.overviewErr != nil {
		all = append(all, alert{Kind: "unread", Title: "The counts cannot be read for now",
			Remedy: "The log says why. The list below is complete."})
	}
	if l.recentErr != nil {
		all = append(all, alert{Kind: "unread", Title: "The list of exports cannot be read for now",
			Remedy: "The log says why. Load the page again in a moment."})
	}
	if h := l.overview.Hold; h != nil {
		all = append(all, p.holdAlert(h))
	}
	for _, s := range l.overview.Schedules {
		if status := p.status(s); status == "late" || status == "never" {
			all = append(all, p.lateAlert(s))
		}
	}
	return all
}

func (p *site) holdAlert(h *manifest.Hold) alert {
	facts := "since " + p.when(h.Since).Ago
	if h.Until.After(p.opts.Now()) {
		facts += " · until " + p.when(h.Until).Full + " (" + p.when(h.Until).Ago + ") at the latest"
	} else {
		facts += " · the next export tries again"
	}
	if h.Probes > 0 {
		facts += " · " + counted(h.Probes, "refused probe")
	}
	return alert{
		Kind: "hold", Title: "On hold: nothing is submitted", Code: say(h.Reason), Remedy: say(h.Remedy), Detail: say(h.Detail),
		Href: address("/", withParam(nil, "reason", h.Reason)), Facts: facts,
	}
}

func (p *site) lateAlert(s Schedule) alert {
	a := alert{Kind: "late", Title: "The timer of " + say(s.Action) + " is late",
		Remedy: "Look whether the function's timer trigger is enabled, and at the function's log."}
	a.Facts = "no round has been seen"
	if !s.At.IsZero() {
		a.Facts = "last round " + p.when(s.At).Ago
	}
	if s.PeriodSeconds > 0 {
		a.Facts += " · expected every " + span(s.period())
	}
	return a
}

func (s Schedule) period() time.Duration { return time.Duration(s.PeriodSeconds) * time.Second }

// status says in a word how a schedule is doing.
func (p *site) status(s Schedule) string {
	switch {
	case s.At.IsZero():
		return "never"
	case s.PeriodSeconds > 0 && s.Late(p.opts.Now(), s.period()):
		return "late"
	case s.Heartbeat.Failed:
		return "failed"
	case s.Incomplete:
		return "unfinished"
	}
	return "on time"
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

func (p *site) rounds(schedules []Schedule) []round {
	icons := map[string]string{"never": "late", "late": "late", "failed": "failed", "unfinished": "queued", "on time": "exported"}
	var all []round
	for _, s := range schedules {
		status := p.status(s)
		line := round{Action: say(s.Action), Icon: icons[status], Status: status, Last: p.maybe(&s.At), Held: say(s.Held)}
		if s.PeriodSeconds > 0 {
			line.Every = "every " + span(s.period())
		}
		all = append(all, line)
	}
	return all
}

// A coverageView is how much of what is wanted is safe.
type coverageView struct {
	Known   bool
	Percent string
	Part    int
	Whole   int
	Text    string
	At      *when
	Kept    string
	Oldest  *when
}

func (p *site) coverage(o Overview) coverageView {
	v := coverageView{Kept: size(o.Bytes), Oldest: p.maybe(o.OldestQueued)}
	if c := o.Coverage; c != nil {
		v.Known, v.Percent, v.Part, v.Whole = true, percent(c.Exported, c.Wanted), c.Exported, max(c.Wanted, 1)
		v.Text = count(c.Exported) + " of " + counted(c.Wanted, "image")
		v.At = p.maybe(&c.At)
		if c.Wanted <= 0 {
			v.Part = 1
			v.Text = "no image is wanted"
		}
	}
	return v
}

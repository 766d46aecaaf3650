package page

import (
	"imageferry/internal/export"
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
	for _, s := range p.schedules(l.overview) {
		if p.overdue(s, l.overview) {
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

// A coverageView is how much of what is wanted is safe.
type coverageView struct {
	Known   bool
	Percent string
	Part    int
	Whole   int
	Text    string
	At      *when
	Since   *when // only images created since then were looked at
	Kept    string
	Oldest  *when
}

func (p *site) coverage(o export.Overview) coverageView {
	v := coverageView{Kept: size(o.Bytes), Oldest: p.maybe(o.OldestQueued)}
	if c := o.Coverage; c != nil {
		v.Known, v.Percent, v.Part, v.Whole = true, percent(c.Exported, c.Wanted), c.Exported, max(c.Wanted, 1)
		v.Text = count(c.Exported) + " of " + counted(c.Wanted, "image")
		v.At, v.Since = p.maybe(&c.At), p.maybe(&c.Since)
		if c.Wanted <= 0 {
			v.Part = 1
			v.Text = "no image is wanted"
		}
	}
	return v
}

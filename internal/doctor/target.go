package doctor

import (
	"context"
	"fmt"
	"strings"

	"imageferry/internal/config"
)

// A Target is one that the function exports from beside its own region and account, as its own credentials see it.
type Target struct {
	Name   string
	Region string
	Config config.Config // see config.Config.For
	// Cloud is called with the credentials of the target's role, which RAM is not asked with.
	Cloud Cloud
}

// targets checks of each target its credentials, the region, the buckets and the timers. The findings are named after it.
func (e *examination) targets(ctx context.Context) {
	for _, t := range e.options.Targets {
		o := e.options
		o.Targets, o.Region, o.Config = nil, t.Region, t.Config
		visit := &examination{Doctor: New(t.Cloud, o)}
		visit.target(ctx, t.Name)
		for _, f := range visit.report.Findings {
			f.Check, f.Seen = "target-"+f.Check, t.Name+": "+f.Seen
			f.About = strings.TrimSpace(t.Name + " " + f.About)
			e.report.add(f)
		}
	}
}

func (e *examination) target(ctx context.Context, name string) {
	usable, err := e.credentials(ctx)
	if err != nil {
		// The role trusts the function, and rarely a person, too.
		e.unknown("credentials", "", err.Error(), fmt.Sprintf(`s invoke -e '{"action":"sweep","dryRun":true,"target":%q}'`, name))
		return
	}
	if !usable {
		return
	}
	e.region(ctx)
	e.compute(ctx)
	if e.buckets(ctx) && e.store(ctx) {
		e.timers(ctx)
	}
}

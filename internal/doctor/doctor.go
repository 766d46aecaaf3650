// Package doctor checks everything that has to be true for imageferry to work, before it is deployed and after: the
// configuration, the credentials, the buckets, the roles, the queue, the timers, and whether the journal, the manifests and
// the objects agree. It changes nothing; only a write probe, which has to be asked for, writes and removes one object.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"imageferry/internal/config"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/policy"
)

// Options say what is checked, and against what.
type Options struct {
	// Region is where the images, the bucket and the function are.
	Region string
	// Config is the function's configuration, which is valid.
	Config config.Config
	// Targets are those of the configuration.
	Targets []Target
	// FunctionRole is the name of the role that the function runs as; imageferry when empty.
	FunctionRole string
	// FailureQueue is the name of the MNS queue in the function's policy; imageferry-failed when empty.
	FailureQueue string
	// FollowEvery and SweepEvery are the periods that the timers should have at most; 5 minutes and 1 hour when 0.
	FollowEvery time.Duration
	SweepEvery  time.Duration
	// MaxExporting is how long a task may run before it is reported; 24 hours when 0.
	MaxExporting time.Duration
	// Deep compares every export and all of its objects, not only the newest ones.
	Deep bool
	// WriteProbe creates, reads and removes one object under active/, to see that create-only writes work.
	WriteProbe bool
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// A Doctor makes reports. It is safe for concurrent use.
type Doctor struct {
	Cloud
	options Options
	at      manifest.Destination
	layout  manifest.Layout
	journal *manifest.Journal
	index   *manifest.Index
	reasons map[string]export.Reason
}

// New returns a doctor.
func New(cloud Cloud, o Options) *Doctor {
	orString(&o.FunctionRole, "imageferry")
	orString(&o.FailureQueue, "imageferry-failed")
	orDuration(&o.FollowEvery, 5*time.Minute)
	orDuration(&o.SweepEvery, time.Hour)
	orDuration(&o.MaxExporting, 24*time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Doctor{
		Cloud:   cloud,
		options: o,
		at:      manifest.Destination{Region: o.Region, Bucket: o.Config.Bucket, Prefix: o.Config.Prefix, Format: o.Config.Format},
		layout:  manifest.Layout(o.Config.ManifestPrefix),
		reasons: map[string]export.Reason{},
	}
	d.journal = manifest.NewJournal(cloud.Store, d.layout)
	d.index = manifest.NewIndex(cloud.Store, d.layout)
	for _, r := range export.Reasons() {
		d.reasons[r.Code] = r
	}
	return d
}

func orString(field *string, preset string) {
	if *field == "" {
		*field = preset
	}
}

func orDuration(field *time.Duration, preset time.Duration) {
	if *field <= 0 {
		*field = preset
	}
}

// Misconfigured is the report when the configuration could not be read: nothing else can be checked then.
func Misconfigured(region string, problem error, at time.Time) Report {
	e := &examination{report: Report{At: at.UTC().Round(0), Region: region, Findings: []Finding{}}}
	e.configuration(problem)
	e.unknown("everything", "", "nothing else was checked: that needs a valid configuration")
	return e.report
}

// An examination is one run of all checks.
type examination struct {
	*Doctor
	report Report
	caller Caller
	// hold is what the index says is held, nil when nothing is.
	hold *manifest.Hold
}

// Run makes every check. The error is nil unless nothing at all could be checked, or ctx has ended: what cannot be seen is
// an Unknown finding.
func (d *Doctor) Run(ctx context.Context) (Report, error) {
	if d.options.Region == "" {
		return Report{}, errors.New("check: no region is given")
	}
	e := &examination{Doctor: d, report: Report{At: d.now(), Region: d.options.Region, Findings: []Finding{}}}
	usable, err := e.credentials(ctx)
	if err != nil {
		return e.report, fmt.Errorf("check credentials: %w", err)
	}
	e.ok("configuration", "", "the variables are valid")
	if usable {
		e.cloud(ctx)
		e.targets(ctx)
	}
	if err := ctx.Err(); err != nil {
		return e.report, fmt.Errorf("check: %w", err)
	}
	return e.report, nil
}

// cloud makes the checks that need usable credentials.
func (e *examination) cloud(ctx context.Context) {
	e.region(ctx)
	e.compute(ctx)
	e.clock(ctx)
	found := e.buckets(ctx)
	e.roles(ctx)
	if !found {
		e.unknown("journal", "", "neither timers nor queue nor journal were checked: their bucket cannot be used", "imageferry doctor")
		return
	}
	if !e.store(ctx) {
		e.unknown("journal", "", "neither timers nor queue nor journal were checked: you may not read them")
		return
	}
	e.timers(ctx)
	e.queue(ctx)
	e.running(ctx)
	e.drift(ctx)
	e.restores(ctx)
}

func (d *Doctor) now() time.Time { return d.options.Now().UTC().Round(0) }

func (e *examination) ok(check, about, seen string) {
	e.report.add(Finding{Check: check, About: about, Status: OK, Seen: seen})
}

func (e *examination) problem(check, about, seen string, repair ...string) {
	e.report.add(Finding{Check: check, About: about, Status: Problem, Seen: seen, Repair: repair})
}

func (e *examination) unknown(check, about, seen string, repair ...string) {
	e.report.add(Finding{Check: check, About: about, Status: Unknown, Seen: seen, Repair: repair})
}

// denied tells whether a call was refused for want of permission.
func denied(err error) bool {
	call, ok := errors.AsType[*export.CallError](err)
	return ok && call.Status == 403
}

// vars are the values of the policies' placeholders.
func (e *examination) vars() policy.Vars {
	return policy.Vars{
		Region:         e.options.Region,
		AccountID:      e.caller.AccountID,
		Bucket:         e.options.Config.Bucket,
		ManifestBucket: e.options.Config.ManifestBucket,
		ManifestPrefix: e.options.Config.ManifestPrefix,
		FailureQueue:   e.options.FailureQueue,
	}
}

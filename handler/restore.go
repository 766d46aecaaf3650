package handler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
	"imageferry/internal/unpack"
)

// Restores is the domain of restores; *restore.Restorer says what each call does. All are idempotent, safe for concurrent use,
// and stop in time before ctx ends.
type Restores interface {
	Consider(ctx context.Context, m *manifest.Manifest, o restore.Options, force bool) (*restore.Plan, error)
	Queue(ctx context.Context, o restore.Order) (*restore.Record, error)
	Run(ctx context.Context, o restore.Order) (*restore.Record, error)
	ResumeAll(ctx context.Context) ([]*restore.Record, error)
	Clean(ctx context.Context, bucket string) (unpack.Cleaned, error)
	Get(ctx context.Context, name string) (*restore.Record, error)
	Page(ctx context.Context, after string, limit int) ([]restore.Listed, string, error)
	Cancel(ctx context.Context, name string, t manifest.Trigger) (*restore.Record, error)
}

// A RestoreAnswer is what is told of a restore in few words.
type RestoreAnswer struct {
	Name      string        `json:"name"`
	State     restore.State `json:"state,omitempty"` // empty when there is none, because of Reason
	Reason    string        `json:"reason,omitempty"`
	Remedy    string        `json:"remedy,omitempty"`
	Detail    string        `json:"detail,omitempty"`
	From      string        `json:"from,omitempty"`    // the exported image
	ImageID   string        `json:"imageId,omitempty"` // the image that is made
	Rehearsal bool          `json:"rehearsal,omitempty"`
	Revision  int           `json:"revision,omitempty"`
	UpdatedAt *time.Time    `json:"updatedAt,omitempty"`
}

func answerOf(r *restore.Record) RestoreAnswer {
	a := RestoreAnswer{
		Name: r.Name, State: r.State, Reason: r.Reason, Remedy: r.Remedy, Detail: r.Detail, From: r.Source.Image.ID,
		Rehearsal: r.Rehearsal, Revision: r.Revision, UpdatedAt: &r.UpdatedAt,
	}
	if r.Image != nil {
		a.ImageID = r.Image.ID
	}
	return a
}

// restoring is the domain of restores, or the problem of a function that is not to restore.
func (in *invocation) restoring() (Restores, error) {
	if in.restores == nil {
		return nil, newProblem(http.StatusForbidden, reasonRestoreOff, "this function does not restore images")
	}
	return in.restores, nil
}

// restore does as much of a restore as the invocation has time for. What cannot be restored is an answer, and no error: FC would
// repeat it.
func (in *invocation) restore(ctx context.Context, c Restore) (Answer, error) {
	domain, err := in.restoring()
	if err != nil {
		ignored := Ignored{Reason: reasonRestoreOff, Detail: "a restore was asked for", ImageID: c.ImageID, Trigger: c.Trigger}
		in.logIgnored(ctx, ignored)
		return Answer{Ignored: []Ignored{ignored}}, nil
	}
	order, refused, err := in.orderRestore(ctx, domain, c)
	if err != nil {
		in.logFailure(ctx, "restore", c.ImageID, c.Trigger, err)
		return Answer{}, fmt.Errorf("restore %s: %w", c.ImageID, err)
	}
	if refused != nil {
		in.logRestore(ctx, c.Trigger, *refused)
		return Answer{Restores: []RestoreAnswer{*refused}}, nil
	}
	record, err := domain.Run(ctx, order)
	switch {
	case errors.Is(err, restore.ErrState) && record != nil:
		taken := RestoreAnswer{Name: record.Name, Reason: reasonState, Remedy: remedyOf(reasonState), Detail: err.Error(), From: c.ImageID}
		in.logRestore(ctx, c.Trigger, taken)
		return Answer{Restores: []RestoreAnswer{taken}}, nil
	case err != nil:
		in.logFailure(ctx, "restore", c.ImageID, c.Trigger, err)
		return Answer{}, fmt.Errorf("restore %s: %w", order.Plan.Name, err)
	}
	answer := answerOf(record)
	in.logRestore(ctx, c.Trigger, answer)
	return Answer{Restores: []RestoreAnswer{answer}}, nil
}

// orderRestore plans what was asked for, of the image, or of any that is exported. What speaks against it is refused.
func (in *invocation) orderRestore(ctx context.Context, domain Restores, c Restore) (o restore.Order, refused *RestoreAnswer, err error) {
	ctx, cancel := in.brief(ctx)
	defer cancel()
	var m *manifest.Manifest
	if c.ImageID == "" {
		m, err = in.ferry.AnyExported(ctx)
	} else {
		m, err = in.ferry.Get(ctx, c.ImageID)
	}
	if errors.Is(err, export.ErrUnknown) {
		return o, &RestoreAnswer{Reason: reasonUnknownExport, Remedy: remedyOf(reasonUnknownExport), Detail: err.Error(), From: c.ImageID}, nil
	}
	if err != nil {
		return o, nil, err
	}
	plan, err := domain.Consider(ctx, m, c.Options, c.Force)
	if err != nil {
		return o, nil, err
	}
	if len(plan.Problems) > 0 {
		p := plan.Problems[0]
		return o, &RestoreAnswer{Name: plan.Name, Reason: p.Reason, Remedy: p.Remedy, Detail: p.Detail, From: m.Image.ID}, nil
	}
	return restore.Order{Plan: plan, Trigger: c.Trigger, Again: true, Force: c.Force}, nil, nil
}

// resume goes on with the restores that have not ended, and after a sweep removes what forgotten ones have left. It comes last in
// a tick, because it takes all the time that the invocation has, up to a day, which is why nobody waits for it over HTTP. Its
// failure is none of the tick's: FC would repeat all of it, and the next tick goes on anyway.
func (in *invocation) resume(ctx context.Context, c Tick) []RestoreAnswer {
	if in.restores == nil || c.Trigger.Kind == "http" {
		return nil
	}
	var answers []RestoreAnswer
	err := in.guard(ctx, func() error {
		if c.Sweep != nil && !c.Sweep.DryRun {
			within, cancel := in.brief(ctx)
			cleaned, err := in.restores.Clean(within, in.bucket)
			cancel()
			if err != nil {
				in.logFailure(ctx, "clean", "", c.Trigger, err)
			}
			if cleaned.Targets > 0 {
				in.log.LogAttrs(ctx, slog.LevelInfo, "cleaned", slog.Int("targets", cleaned.Targets), slog.Int("uploads", cleaned.Uploads),
					slog.Int("objects", cleaned.Objects))
			}
		}
		if !c.Drain {
			return nil
		}
		records, err := in.restores.ResumeAll(ctx)
		for _, r := range records {
			answer := answerOf(r)
			in.logRestore(ctx, c.Trigger, answer)
			answers = append(answers, answer)
		}
		return err
	})
	if err != nil {
		in.logFailure(ctx, "restore", "", c.Trigger, err)
	}
	return answers
}

func (in *invocation) logRestore(ctx context.Context, t manifest.Trigger, a RestoreAnswer) {
	attrs := append(triggerAttrs(t), some(
		slog.String("action", "restore"),
		slog.String("restore", a.Name),
		slog.String("from", a.From),
		slog.String("imageId", a.ImageID),
		slog.String("state", string(a.State)),
		slog.String("reason", a.Reason),
		slog.String("detail", a.Detail),
	)...)
	in.log.LogAttrs(ctx, slog.LevelInfo, "decided", append(attrs, slog.Int("revision", a.Revision))...)
}

package handler

import (
	"context"
	"log/slog"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// The log has one line for each decision, with the same names everywhere, and one for each invocation. Headers, bodies and
// query strings are never logged.

func triggerAttrs(t manifest.Trigger) []slog.Attr {
	return some(slog.String("trigger", t.Kind), slog.String("source", t.Source), slog.String("eventId", t.ID))
}

// some leaves out the empty ones.
func some(attrs ...slog.Attr) []slog.Attr {
	kept := attrs[:0]
	for _, a := range attrs {
		if a.Value.String() != "" {
			kept = append(kept, a)
		}
	}
	return kept
}

func (in *invocation) logResult(ctx context.Context, action string, t manifest.Trigger, r export.Result) {
	in.summary.decided(action, r)
	attrs := append(triggerAttrs(t), some(
		slog.String("action", action),
		slog.String("imageId", r.ImageID),
		slog.String("state", string(r.State)),
		slog.String("reason", r.Reason),
		slog.String("detail", r.Detail),
		slog.String("taskId", r.TaskID),
	)...)
	attrs = append(attrs, slog.Int("revision", r.Revision), slog.Bool("new", r.New))
	in.log.LogAttrs(ctx, slog.LevelInfo, "decided", attrs...)
}

func (in *invocation) logRound(ctx context.Context, t manifest.Trigger, r export.Round) {
	in.summary.round(r)
	for _, result := range r.Results {
		in.logResult(ctx, r.Action, t, result)
	}
	attrs := append(triggerAttrs(t), slog.String("action", r.Action), slog.Int("seen", r.Seen),
		slog.Int("decided", len(r.Results)+r.Omitted), slog.Bool("incomplete", r.Incomplete), slog.Bool("dryRun", r.DryRun))
	if r.Held != nil {
		attrs = append(attrs, slog.String("reason", r.Held.Reason), slog.Time("heldUntil", r.Held.Until))
	}
	in.log.LogAttrs(ctx, slog.LevelInfo, "round", attrs...)
}

func (in *invocation) logIgnored(ctx context.Context, c Ignored) {
	in.summary.ignore()
	attrs := append(triggerAttrs(c.Trigger), some(
		slog.String("imageId", c.ImageID),
		slog.String("reason", c.Reason),
		slog.String("detail", c.Detail),
	)...)
	in.log.LogAttrs(ctx, slog.LevelInfo, "ignored", attrs...)
}

// logFailure logs an outcome that could not be stored.
func (in *invocation) logFailure(ctx context.Context, action, imageID string, t manifest.Trigger, err error) {
	in.summary.failed(action)
	attrs := append(triggerAttrs(t), some(
		slog.String("action", action),
		slog.String("imageId", imageID),
		slog.String("error", err.Error()),
	)...)
	in.log.LogAttrs(ctx, slog.LevelError, "failed", attrs...)
}

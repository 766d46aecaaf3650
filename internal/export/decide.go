package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"imageferry/internal/manifest"
)

// A verdict is what became of a claimed export: a task, or a finding, or neither when ECS's answer is unknown.
type verdict struct {
	taskID    string
	requestID string
	adopted   bool
	finding   *finding
}

// decide looks for a task whose answer was lost, checks bucket and image, and asks ECS for the export.
func (f *Ferry) decide(ctx context.Context, m *manifest.Manifest, s sight, look, probe bool) verdict {
	if look {
		task, err := f.lostTask(ctx, m)
		if err != nil {
			// As long as nobody could look, the attempt stays open, and so does the export.
			bad := explain(err, ecsUnavailable)
			if bad.Class != Shared && bad.Class != Quota {
				bad.Reason = reasons[ecsUnavailable]
			}
			bad.open = true
			return verdict{finding: bad}
		}
		if task != "" {
			return verdict{taskID: task, adopted: true}
		}
		closeAttempt(m, f.now(), manifest.Lost, nil)
		openNew(m, f.now())
	}
	if held := heldBy(s.hold, f.now()); held != nil && !probe {
		return verdict{finding: held}
	}
	if bad := f.preflight(m, s); bad != nil {
		return verdict{finding: bad}
	}
	if ctx.Err() != nil {
		return verdict{} // the budget is over: no further call is begun
	}
	return f.ask(ctx, m)
}

// heldBy is the hold as a finding; nil when there is none, or one that this version does not know.
func heldBy(h *manifest.Hold, now time.Time) *finding {
	if h == nil || !h.Until.After(now) || reasons[h.Reason].Code == "" {
		return nil
	}
	held := found(h.Reason, h.Detail)
	held.held = true
	return held
}

// preflight is what speaks against the export before ECS is asked.
func (f *Ferry) preflight(m *manifest.Manifest, s sight) *finding {
	bad := f.preflightBucket(m.Destination, s)
	if bad != nil {
		f.forgetBucket(m.Destination.Bucket)
		return bad
	}
	if s.imageErr != nil {
		return explain(s.imageErr, ecsUnavailable)
	}
	if s.image == nil {
		return found(imageNotFound, "ECS knows no image "+m.Image.ID+" in "+m.Destination.Region)
	}
	return checkImage(*s.image, f.settings.AccountID)
}

func (f *Ferry) preflightBucket(d manifest.Destination, s sight) *finding {
	if s.bucketErr != nil {
		bad := explain(s.bucketErr, ossUnavailable)
		if bad.Code == permissionDenied {
			bad.Reason = reasons[bucketForbidden]
		}
		return bad
	}
	if !s.bucketFound {
		return found(bucketNotFound, "there is no bucket "+d.Bucket)
	}
	return checkBucket(s.bucket, d, f.settings.AccountID, f.settings.AllowPublicRead)
}

// ask calls ExportImage, once. When its answer does not tell whether there is a task, the tasks do.
func (f *Ferry) ask(ctx context.Context, m *manifest.Manifest) verdict {
	accepted, err := f.Tasks.Export(ctx, Request{
		ImageID:     m.Image.ID,
		Destination: m.Destination,
		Role:        f.settings.Role,
		ClientToken: clientToken(m),
	})
	if err == nil && accepted.TaskID != "" {
		return verdict{taskID: accepted.TaskID, requestID: accepted.RequestID}
	}
	var call *CallError
	isCall := errors.As(err, &call)
	switch {
	case isCall && reasonOf(call, "") == imageExporting:
		return f.askWhoExports(ctx, m, call)
	case err == nil, !isCall, call.Ambiguous:
		if task, lookErr := f.lostTask(ctx, m); lookErr == nil && task != "" {
			return verdict{taskID: task, requestID: accepted.RequestID, adopted: true}
		}
		return verdict{}
	}
	return verdict{finding: explain(err, exportRefused)}
}

// askWhoExports finds the task because of which ECS refused: ours, whose answer was lost, or somebody else's.
func (f *Ferry) askWhoExports(ctx context.Context, m *manifest.Manifest, call *CallError) verdict {
	task, err := f.unknownTask(ctx, m, m.CreatedAt.Add(-longestTask), true)
	if err != nil {
		return verdict{finding: explain(err, ecsUnavailable)}
	}
	if task == "" {
		return verdict{finding: explain(call, imageExporting)}
	}
	return verdict{taskID: task, adopted: true}
}

// clientToken is the same for every repetition of one attempt, and differs between attempts.
func clientToken(m *manifest.Manifest) string {
	number := 0
	if a := openAttempt(m); a != nil {
		number = a.Number
	}
	d := m.Destination
	sum := sha256.Sum256(fmt.Appendf(nil, "imageferry\n%s\n%s\n%s\n%s\n%s\n%d\n%d", m.Image.ID, d.Region, d.Bucket, d.Prefix, d.Format,
		m.CreatedAt.UnixNano(), number))
	return hex.EncodeToString(sum[:])
}

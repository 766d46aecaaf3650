package restore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"imageferry/internal/manifest"
)

// following is the revision after a record in a new state, with nothing of the old one that does not outlast it.
func (r *Restorer) following(head *Record, state State) *Record {
	next := head.clone()
	next.Revision++
	next.State = state
	next.UpdatedAt = r.now()
	next.Lease, next.DueAt = nil, nil
	next.Reason, next.Remedy, next.Detail = "", "", ""
	next.Program = r.settings.Program
	return next
}

// leased gives a revision a lease from now on, which need not outlast the process: nothing is done after ctx's deadline.
func (r *Restorer) leased(ctx context.Context, next *Record) *Record {
	now := r.now()
	until := now.Add(leaseTime)
	if deadline, ok := ctx.Deadline(); ok && deadline.After(now) && deadline.Before(until) {
		until = deadline
	}
	next.Lease = &manifest.Lease{Until: until.UTC().Round(0).Add(r.settings.ClockSkew)}
	return next
}

// commit stores a revision, and then under its stable key. That copy is a projection: what it lacks when this writer dies, the
// next revision brings, and readers of the journal never rest on it. It is done although ctx has ended: that is what Reserve
// is kept back for.
func (r *Restorer) commit(ctx context.Context, next *Record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.settings.Reserve)
	defer cancel()
	if err := r.journal.Append(ctx, next); err != nil {
		return fmt.Errorf("record %s of %s: %w", next.State, next.Name, err)
	}
	if err := r.journal.Publish(ctx, next); err != nil {
		r.log.WarnContext(ctx, "record is not published", "restore", next.Name, "error", err.Error())
	}
	return nil
}

// settle is the revision for a finding, in the journal: the restore waits, or it ends and is cleaned up.
func (r *Restorer) settle(ctx context.Context, head *Record, bad *finding) (*Record, error) {
	ends, over := bad.ends()
	if over {
		return r.end(ctx, head, ends)
	}
	next := r.following(head, Queued)
	next.Reason, next.Remedy, next.Detail = bad.Code, bad.Remedy, bad.detail
	next.Waits++
	due := next.UpdatedAt.Add(r.wait(next.Waits))
	if bad.Code == interrupted {
		due = next.UpdatedAt
	}
	next.DueAt = &due
	return next, r.commit(ctx, next)
}

// end is the revision that decides how a restore ends, in the journal.
func (r *Restorer) end(ctx context.Context, head *Record, ends Ends) (*Record, error) {
	next := r.following(head, Cleaning)
	next.Ends = &ends
	next.Reason, next.Detail = ends.Reason, ends.Detail
	next.Remedy = reasons[ends.Reason].Remedy
	next.Waits = 0
	return next, r.commit(ctx, next)
}

// openAttempt is the attempt whose end is not known, nil when there is none. At most the last one is open.
func openAttempt(r *Record) *manifest.Attempt {
	if n := len(r.Attempts); n > 0 && r.Attempts[n-1].Outcome == "" {
		return &r.Attempts[n-1]
	}
	return nil
}

// begin opens an attempt, unless one is open: that is repeated, with the same token.
func (r *Restorer) begin(next *Record) {
	if openAttempt(next) != nil {
		return
	}
	number := 1
	if n := len(next.Attempts); n > 0 {
		number = next.Attempts[n-1].Number + 1
	}
	next.Attempts = append(next.Attempts, manifest.Attempt{Number: number, StartedAt: next.UpdatedAt})
	if n := len(next.Attempts); n > manifest.MaxAttemptsKept {
		next.Attempts = next.Attempts[n-manifest.MaxAttemptsKept:]
	}
}

// closeAttempt ends the open attempt.
func (r *Restorer) closeAttempt(next *Record, o manifest.Outcome, bad *finding) {
	a := openAttempt(next)
	if a == nil {
		return
	}
	at := r.now()
	a.Outcome, a.EndedAt = o, &at
	if bad != nil {
		a.Reason, a.Code, a.Message, a.RequestID = bad.Code, bad.code, bad.message, bad.request
	}
}

// clientToken is the same for every repetition of one attempt, and differs between attempts and restores.
func clientToken(r *Record) string {
	number := 0
	if a := openAttempt(r); a != nil {
		number = a.Number
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "imageferry restore\n%s\n%s\n%s\n%d", r.Region, r.Name, r.ID, number))
	return hex.EncodeToString(sum[:])
}

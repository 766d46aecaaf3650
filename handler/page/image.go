package page

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// timelineLimit is how many revisions one page shows.
const timelineLimit = 50

func (p *site) getImage(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("imageId")
	unknown := Failure{Status: http.StatusNotFound, Reason: reasonUnknown, Title: "No export of this image",
		Text: "Nothing is recorded for this image and destination. It may not be selected, or no event or sweep has told of it yet."}
	if !manifest.ValidImageID(id) {
		p.fail(w, r, unknown)
		return
	}
	entries, err := p.source.History(r.Context(), id)
	switch {
	case errors.Is(err, export.ErrUnknown), err == nil && len(entries) == 0:
		p.fail(w, r, unknown)
		return
	case err != nil:
		p.unreadable(w, r, "journal of the export", err)
		return
	}
	newest := newestOf(entries)
	var percents map[string]int
	var back returns
	if newest != nil {
		percents, back = p.progress(r.Context(), newest), p.returns(r.Context(), id)
	}
	if !WantsHTML(r) {
		p.json(w, http.StatusOK, "application/json", imageDocumentOf(id, newest, entries, percents, back))
		return
	}
	title := id
	if newest != nil && newest.Image.Name != "" {
		title = say(newest.Image.Name)
	}
	p.html(w, r, http.StatusOK, "image", title, p.imageView(w, r, id, newest, entries, percents, back))
}

// returns are what is known of the ways back of an export.
type returns struct {
	restores []*restore.Record
	proof    *restore.Rehearsals
}

// returns asks the Source; a page without them is a page.
func (p *site) returns(ctx context.Context, id string) (back returns) {
	var err, proofErr error
	var both sync.WaitGroup
	both.Go(func() { back.restores, err = p.source.RestoresOf(ctx, id) })
	both.Go(func() { back.proof, proofErr = p.source.Rehearsals(ctx, id) })
	both.Wait()
	if err := errors.Join(err, proofErr); err != nil {
		p.log.WarnContext(ctx, "restores or rehearsals are not shown", "imageId", id, "error", err.Error())
	}
	return back
}

// newestOf is the newest revision that can be read, nil when none can.
func newestOf(entries []manifest.Entry) *manifest.Manifest {
	for i := len(entries) - 1; i >= 0; i-- {
		if entries[i].Manifest != nil {
			return entries[i].Manifest
		}
	}
	return nil
}

// An imageDocument is the page of an image as JSON.
type imageDocument struct {
	ImageID   string             `json:"imageId"`
	Export    *manifest.Manifest `json:"export"`
	Revisions []revision         `json:"revisions"`
	Progress  map[string]int     `json:"progress,omitempty"` // percent by task id
	// Rehearsals is what rehearsals of restores have shown of the export.
	Rehearsals *restore.Rehearsals `json:"rehearsals,omitempty"`
	Restores   []*restore.Record   `json:"restores,omitempty"` // the newest first
}

type revision struct {
	Revision int                `json:"revision"`
	Manifest *manifest.Manifest `json:"manifest,omitempty"`
	Error    string             `json:"error,omitempty"`
}

func imageDocumentOf(id string, newest *manifest.Manifest, entries []manifest.Entry, percents map[string]int, back returns) imageDocument {
	d := imageDocument{ImageID: id, Export: newest, Revisions: []revision{}, Progress: percents, Rehearsals: back.proof, Restores: back.restores}
	for _, e := range entries {
		r := revision{Revision: e.Revision, Manifest: e.Manifest}
		if e.Err != nil {
			r.Error = broken(e.Err)
		}
		d.Revisions = append(d.Revisions, r)
	}
	return d
}

// broken says why a revision cannot be shown, without the Source's own words: they may name what is none of a reader's business.
func broken(err error) string {
	switch {
	case errors.Is(err, manifest.ErrNewer):
		return "a newer version of imageferry wrote it"
	case errors.Is(err, manifest.ErrNotFound):
		return "it is missing: somebody has deleted it"
	}
	return "it is damaged"
}

// An imageView is an export as a page.
type imageView struct {
	ID       string
	Name     string
	Summary  string
	Row      *row // nil when no revision can be read
	Detail   string
	Facts    []fact
	Tags     []fact
	Disks    []diskRow
	Objects  []objectRow
	Verified *when
	Attempts []attemptRow
	Steps    []step
	Older    string // address of earlier revisions
	Newest   string
	Revision int
	JSON     string
	Restore  string
	Restores []restoreRow
	Did      string
	Actions  *imageActions
}

// A form is what a form needs beside its words.
type form struct{ Action, Token string }

type imageActions struct {
	Retry, Cancel *form
	Overwrites    bool // another export overwrites the objects
}

func (p *site) imageView(w http.ResponseWriter, r *http.Request, id string, m *manifest.Manifest, entries []manifest.Entry,
	percents map[string]int, back returns) imageView {
	v := imageView{ID: say(id), Did: did(r)}
	v.Steps, v.Older, v.Newest = p.timeline(r, entries)
	if m == nil {
		return v
	}
	line := p.row(m, percents, false, nil)
	v.Row, v.Name, v.Detail, v.Revision = &line, say(m.Image.Name), say(m.Detail), m.Revision
	v.Summary = joined(" ", line.ID, line.State, line.Reason)
	v.Facts, v.Tags, v.Disks = append(p.facts(m), p.proven(back.proof)...), tags(m.Image), disks(m.Image)
	v.Objects, v.Attempts, v.JSON = p.objects(m), p.attempts(m), document(m)
	v.Restores = p.restores(back.restores)
	if m.Verification != nil {
		v.Verified = p.maybe(&m.Verification.VerifiedAt)
	}
	if m.State == manifest.Exported {
		v.Restore = say(p.opts.RestoreCommand(m))
	}
	if p.opts.AllowActions {
		v.Actions = p.imageActions(m, p.guard.token(w, r, p.opts.Now()))
	}
	return v
}

// did is what a form has just asked for; the address may say anything, the page says one of three things.
func did(r *http.Request) string {
	return map[string]string{
		"submit": "The image was submitted.", "retry": "The export was started again.", "cancel": "The export was cancelled.",
	}[r.URL.Query().Get("did")]
}

func (p *site) imageActions(m *manifest.Manifest, token string) *imageActions {
	a := &imageActions{Overwrites: m.State == manifest.Exported}
	if m.State != manifest.Exporting && m.State != manifest.Submitting {
		a.Retry = &form{imagePath(m.Image.ID) + "/retry", token}
	}
	if !m.State.Terminal() {
		a.Cancel = &form{imagePath(m.Image.ID) + "/cancel", token}
	}
	return a
}

// A step is one revision in the timeline.
type step struct {
	Revision int
	State    string // empty when the revision cannot be read
	Error    string
	At       when
	After    string // since the revision before
	Reason   string
	Detail   string
	Facts    string
}

// timeline is a page of revisions, the newest first; ?before=N goes on to earlier ones.
func (p *site) timeline(r *http.Request, entries []manifest.Entry) (steps []step, older, newest string) {
	end := len(entries)
	query := r.URL.Query()
	if before, err := strconv.Atoi(query.Get("before")); err == nil && before > 1 && before <= len(entries) {
		end = before - 1
		newest = address(r.URL.Path, withParam(query, "before", "")) + "#timeline"
	}
	begin := max(end-timelineLimit, 0)
	if begin > 0 {
		older = address(r.URL.Path, withParam(query, "before", strconv.Itoa(begin+1))) + "#timeline"
	}
	for i := end - 1; i >= begin; i-- {
		var before *manifest.Manifest
		if i > 0 {
			before = entries[i-1].Manifest
		}
		steps = append(steps, p.step(entries[i], before))
	}
	return steps, older, newest
}

func (p *site) step(e manifest.Entry, before *manifest.Manifest) step {
	m := e.Manifest
	if m == nil {
		return step{Revision: e.Revision, Error: broken(e.Err)}
	}
	s := step{Revision: e.Revision, State: string(m.State), At: p.when(m.UpdatedAt), Reason: say(m.Reason), Detail: say(m.Detail)}
	if before != nil {
		s.After = span(m.UpdatedAt.Sub(before.UpdatedAt)) + " later"
	}
	task := ""
	if m.Task != nil && m.State == manifest.Exporting {
		task = "task " + m.Task.ID
	}
	due := ""
	if m.State == manifest.Queued && m.DueAt != nil {
		due = "due " + p.when(*m.DueAt).Full
	}
	asked := ""
	if m.Trigger.Kind != "" && (before == nil || !sameTrigger(before.Trigger, m.Trigger)) {
		asked = "asked by " + joined(" ", m.Trigger.Kind, m.Trigger.Source)
	}
	s.Facts = say(joined(" · ", asked, due, task, verified(m)))
	return s
}

func sameTrigger(a, b manifest.Trigger) bool {
	return a.Kind == b.Kind && a.Source == b.Source && a.ID == b.ID && a.RequestID == b.RequestID
}

func verified(m *manifest.Manifest) string {
	if m.Verification == nil || m.State != manifest.Exported {
		return ""
	}
	return counted(m.Verification.Objects, "object") + " verified, " + size(m.Verification.Bytes)
}

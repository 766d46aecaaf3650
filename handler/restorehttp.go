package handler

import (
	"fmt"
	"net/http"
	"strconv"

	"imageferry/internal/restore"
)

// postRestore writes down that an export is to be restored; the timer's ticks do the rest. With {"wait":true} it does as much of it
// itself as the invocation has time for, which is meant for an asynchronous invocation. The answer is the record, with 202 while
// there is something left to do, and 200 when the restore is over, or was successful before.
func (in *invocation) postRestore(r *http.Request) (int, any, error) {
	domain, err := in.restoring()
	if err != nil {
		return 0, nil, err
	}
	id, err := pathImageID(r)
	if err != nil {
		return 0, nil, err
	}
	body, err := readBody(r)
	if err != nil {
		return 0, nil, err
	}
	wait, err := body.at("wait").truth()
	if err != nil {
		return 0, nil, err
	}
	delete(body.fields, "wait")
	command, err := decodeRestoreOptions(body, in.trigger(r))
	if err != nil {
		return 0, nil, err
	}
	command.ImageID = id
	ctx, cancel := in.brief(r.Context())
	defer cancel()
	if _, err := in.ferry.Get(ctx, id); err != nil {
		return 0, nil, fmt.Errorf("get %s: %w", id, err)
	}
	order, refused, err := in.orderRestore(ctx, domain, command)
	if err != nil {
		return 0, nil, err
	}
	if refused != nil {
		p := newProblem(http.StatusConflict, refused.Reason, refused.Detail)
		p.Remedy = refused.Remedy
		return 0, nil, p
	}
	if !wait {
		record, err := domain.Queue(ctx, order)
		return restoreStatus(record), record, err
	}
	record, err := domain.Run(r.Context(), order)
	if err == nil {
		in.logRestore(r.Context(), command.Trigger, answerOf(record))
	}
	return restoreStatus(record), record, err
}

// restoreStatus is 202 while there is something to wait for.
func restoreStatus(r *restore.Record) int {
	if r != nil && !r.State.Terminal() {
		return http.StatusAccepted
	}
	return http.StatusOK
}

// listRestores answers with the restores in the order of their names.
func (in *invocation) listRestores(r *http.Request) (int, any, error) {
	domain, err := in.restoring()
	if err != nil {
		return 0, nil, err
	}
	limit := 50
	if text := r.URL.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 100 {
			return 0, nil, badQuery("limit", "a number from 1 to 100")
		}
	}
	page, next, err := domain.Page(r.Context(), r.URL.Query().Get("cursor"), limit)
	if err != nil {
		return 0, nil, fmt.Errorf("list restores: %w", err)
	}
	list := struct {
		Restores []RestoreAnswer `json:"restores"`
		Cursor   string          `json:"cursor,omitempty"`
	}{Restores: []RestoreAnswer{}, Cursor: next}
	for _, l := range page {
		if l.Err != nil {
			p := problemOf(l.Err)
			list.Restores = append(list.Restores, RestoreAnswer{Name: l.Name, Reason: p.Reason, Remedy: p.Remedy, Detail: p.Detail})
			continue
		}
		list.Restores = append(list.Restores, answerOf(l.Record))
	}
	return http.StatusOK, list, nil
}

func (in *invocation) getRestore(r *http.Request) (int, any, error) {
	domain, err := in.restoring()
	if err != nil {
		return 0, nil, err
	}
	name, err := pathName(r)
	if err != nil {
		return 0, nil, err
	}
	record, err := domain.Get(r.Context(), name)
	return http.StatusOK, record, err
}

// cancelRestore answers 202 while there is still something to be removed.
func (in *invocation) cancelRestore(r *http.Request) (int, any, error) {
	domain, err := in.restoring()
	if err != nil {
		return 0, nil, err
	}
	name, err := pathName(r)
	if err != nil {
		return 0, nil, err
	}
	if err := noBody(r); err != nil {
		return 0, nil, err
	}
	record, err := domain.Cancel(r.Context(), name, in.trigger(r))
	return restoreStatus(record), record, err
}

func pathName(r *http.Request) (string, error) {
	name := r.PathValue("name")
	if !restore.ValidName(name) {
		return "", newProblem(http.StatusBadRequest, reasonInvalid, "the path does not hold the name of an image")
	}
	return name, nil
}

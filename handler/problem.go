package handler

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

const problemType = "application/problem+json"

// A problem is an error answer after RFC 9457, with the members reason and remedy of our own.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Reason   string `json:"reason"`
	Remedy   string `json:"remedy"`
	Instance string `json:"instance,omitempty"` // the request's id, as in the log
}

// newProblem has the type about:blank, whose title is the status' name: the reason tells problems apart.
func newProblem(status int, reason, detail string) *problem {
	return &problem{
		Type:   "about:blank",
		Title:  http.StatusText(status),
		Status: status,
		Detail: detail,
		Reason: reason,
		Remedy: remedyOf(reason),
	}
}

func (p *problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Reason, p.Detail) }

// problemOf finds the answer to an error of the domain, of the request's body, or of our own.
func problemOf(err error) *problem {
	var own *problem
	var decode *DecodeError
	var call *export.CallError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &decode):
		if decode.invalid {
			return newProblem(http.StatusUnprocessableEntity, reasonInvalid, decode.Error())
		}
		return newProblem(http.StatusBadRequest, reasonMalformed, decode.Error())
	case errors.Is(err, export.ErrUnknown):
		return newProblem(http.StatusNotFound, reasonUnknownExport, err.Error())
	case errors.Is(err, restore.ErrUnknown):
		return newProblem(http.StatusNotFound, reasonNoRestore, err.Error())
	case errors.Is(err, export.ErrState), errors.Is(err, restore.ErrState):
		return newProblem(http.StatusConflict, reasonState, err.Error())
	case errors.As(err, &call):
		return newProblem(http.StatusServiceUnavailable, reasonCloud, call.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return newProblem(http.StatusServiceUnavailable, reasonDeadline, "the invocation's time is over")
	case errors.Is(err, manifest.ErrUnreadable):
		return newProblem(http.StatusInternalServerError, reasonUnreadable, err.Error())
	case errors.Is(err, manifest.ErrNewer):
		return newProblem(http.StatusInternalServerError, reasonNewer, err.Error())
	case errors.Is(err, errPanic):
		return newProblem(http.StatusInternalServerError, reasonInternal, err.Error())
	default:
		// A Ferry fails only where something could not be stored or read.
		return newProblem(http.StatusServiceUnavailable, reasonCloud, "")
	}
}

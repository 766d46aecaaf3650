package alicloud

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// An Observer is told of every try of every call when it is over. It must not block; it is called by several goroutines at
// once.
type Observer interface {
	// Called names the API as service and action, such as ecs:ExportImage, and says how the try ended: see the classes; an
	// empty one is a good end. The context is the call's.
	Called(ctx context.Context, api, class string)
}

// The classes of tries that did not end well. That an object is not there, or is there already where it was to be created,
// is an answer like any other.
const (
	ClassUnsent      = "unsent"      // nothing was sent: no credentials, or the SDK refused
	ClassGivenUp     = "given-up"    // the caller did not wait any longer
	ClassTimeout     = "timeout"     // no answer in time
	ClassUnreachable = "unreachable" // no connection, or it broke
	ClassUnreadable  = "unreadable"  // an answer that cannot be understood
	ClassThrottled   = "throttled"   // turned away: too many calls
	ClassQuota       = "quota"       // turned away: too many exports
	ClassUnavailable = "unavailable" // the service failed
	ClassDenied      = "denied"      // no permission, or the credentials are refused
	ClassNotFound    = "not-found"
	ClassRefused     = "refused" // for any other reason
)

func (l *line) observe(ctx context.Context, op string, f *fault) {
	if l.observer == nil {
		return
	}
	class := ""
	if f != nil {
		class = f.class()
	}
	l.observer.Called(ctx, l.service+":"+op, class)
}

func (f *fault) class() string {
	switch code := f.Code; {
	case code == "NoSuchKey" || code == "FileAlreadyExists":
		return ""
	case errors.Is(f.Cause, context.Canceled):
		return ClassGivenUp
	case errors.Is(f.Cause, context.DeadlineExceeded):
		return ClassTimeout
	case f.Status == 0 && f.unsent:
		return ClassUnsent
	case f.Status == 0:
		return ClassUnreachable
	case ossBusy(code):
		return ClassThrottled
	case strings.Contains(code, "QuotaExceed"):
		return ClassQuota
	case f.Status >= http.StatusInternalServerError:
		return ClassUnavailable
	case f.Status/100 == 2:
		return ClassUnreadable
	case f.Status == http.StatusUnauthorized || f.Status == http.StatusForbidden:
		return ClassDenied
	case f.Status == http.StatusNotFound:
		return ClassNotFound
	}
	return ClassRefused
}

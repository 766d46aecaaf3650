package main

import (
	"context"
	"errors"
	"strings"

	"imageferry/internal/config"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
	"imageferry/internal/words"
)

// The exit statuses.
const (
	exitOK          = 0
	exitError       = 1
	exitUnmet       = 2
	exitUsage       = 3
	exitInterrupted = 130
)

const exitHelp = `Exit status:
  0    all went well
  1    an error: the message says what was wrong and what to do
  2    a gate or an expectation was not met, or an image ended other than exported
  3    wrong flags, arguments or configuration
  130  interrupted`

// errUnmet: something is not as it should be. The output has told.
var errUnmet = errors.New("an expectation was not met")

// errReported: an error that the output has told of.
var errReported = errors.New("some images were not done")

// errInterrupted: Ctrl-C, or a termination signal.
var errInterrupted = errors.New("interrupted")

// A usageError is a mistake of the caller's.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

func (a *app) exitCode(ctx context.Context, err error) int {
	var wrong usageError
	var problems config.Problems
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.Is(err, errUnmet):
		return exitUnmet
	case errors.As(err, &wrong), errors.As(err, &problems), !a.started:
		return exitUsage
	}
	return exitError
}

// explain is what is printed of an error: what was wrong, where, and what to do. Empty when the output has told.
func explain(err error, code int) string {
	switch {
	case errors.Is(err, errUnmet), errors.Is(err, errReported), errors.Is(err, errPipe):
		return ""
	case code == exitInterrupted:
		return "imageferry: interrupted"
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	for i, line := range lines {
		lines[i] = words.Safe(strings.Replace(line, "\t", "  ", 1)) // cobra's suggestions begin with a tab
	}
	text := "imageferry: " + strings.Join(lines, "\n")
	if advice := adviceOn(err); advice != "" {
		text += "\n  " + advice
	} else if code == exitUsage && len(lines) == 1 {
		text += "; see --help"
	}
	return text
}

// An advised error knows what to do about it.
type advised struct {
	error
	advice string
}

func (a advised) Unwrap() error { return a.error }

// adviceOn is what to do about an error, as far as that is known.
func adviceOn(err error) string {
	var own advised
	var problems config.Problems
	switch {
	case errors.As(err, &own):
		return own.advice
	case errors.As(err, &problems):
		return "Set the variable, or give the flag of the same name: FERRY_BUCKET is --bucket."
	case errors.Is(err, export.ErrUnknown):
		return "Look for the id with imageferry list, or begin with imageferry submit."
	case errors.Is(err, export.ErrState):
		return "Look at it with imageferry show."
	case errors.Is(err, restore.ErrUnknown), errors.Is(err, restore.ErrState):
		return "Look at the restores with imageferry list --restores."
	case errors.Is(err, manifest.ErrNewer):
		return "Use the newer version of imageferry that wrote it."
	case errors.Is(err, manifest.ErrUnreadable):
		return "Restore the damaged or foreign object under journal/ from a backup, or move it away."
	}
	return adviceOnCall(err)
}

// adviceOnCall goes by the codes of ECS, OSS and STS.
func adviceOnCall(err error) string {
	var call *export.CallError
	if !errors.As(err, &call) {
		return ""
	}
	switch code := call.Code; {
	case code == "NoSuchBucket":
		return "Create the bucket, or correct --bucket and --manifest-bucket."
	case strings.HasPrefix(code, "InvalidAccessKeyId"), strings.Contains(code, "SecurityToken"), code == "SignatureDoesNotMatch":
		return "Check the access key: --profile, or ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET."
	case strings.HasPrefix(code, "Forbidden"), code == "AccessDenied", code == "NoPermission":
		return "Your own credentials need these permissions: see policy/function-permissions.json. New accounts cannot use the public\n" +
			"  endpoints of buckets in mainland China: give --oss-endpoint."
	case strings.HasPrefix(code, "Throttling"):
		return "Wait a minute: the account's calls are throttled."
	case call.Status == 0:
		return "Check the network, the region, and that the endpoint can be reached: --oss-endpoint, FERRY_ECS_ENDPOINT."
	}
	return ""
}

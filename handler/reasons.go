package handler

import (
	"maps"

	"imageferry/handler/page"
	"imageferry/internal/export"
)

// The reasons for which an event is ignored. Those about the image's state are the domain's too, where it has the state.
const (
	reasonNoEvents         = "no-events"
	reasonOtherType        = "other-type"
	reasonOtherProduct     = "other-product"
	reasonOtherRegion      = "other-region"
	reasonOtherAccount     = "other-account"
	reasonOtherCall        = "other-call"
	reasonCallFailed       = "call-failed"
	reasonImageCreating    = "image-creating"
	reasonImageFailed      = "image-create-failed"
	reasonImageDeleted     = "image-deleted"
	reasonImageDeprecated  = "image-deprecated"
	reasonImageUnavailable = "image-unavailable"
	reasonImageState       = "image-state-unknown"
	reasonOwnManifest      = "own-manifest"
	reasonOtherObject      = "other-object"
)

// The reasons of HTTP problems.
const (
	reasonMalformed     = "malformed-request"
	reasonInvalid       = "invalid-value"
	reasonUnauthorized  = "unauthorized"
	reasonHTTPOff       = "http-off"
	reasonNoPath        = "unknown-path"
	reasonMethod        = "method-not-allowed"
	reasonTooLarge      = "body-too-large"
	reasonNotJSON       = "not-json"
	reasonUnknownExport = "unknown-export"
	reasonState         = "wrong-state"
	reasonRestoreOff    = "restore-off"
	reasonNoRestore     = "unknown-restore"
	reasonUnreadable    = "journal-unreadable" // the domain's
	reasonNewer         = "journal-newer"      // the domain's
	reasonNotOpen       = "not-configured"
	reasonCloud         = "cloud-call-failed"
	reasonDeadline      = "out-of-time"
	reasonInternal      = "internal-error"
)

// remedies are those of this package alone: the page has some, too.
var remedies = map[string]string{
	reasonNoEvents:      "Nothing: the event source sent an empty batch.",
	reasonOtherType:     "Narrow the event rule to image events, to save invocations.",
	reasonOtherProduct:  "Narrow the event rule to the source acs.ecs, to save invocations.",
	reasonOtherRegion:   "Deploy the function in the image's region: ECS exports to a bucket of the same region only.",
	reasonOtherAccount:  "Deploy the function in the image's account.",
	reasonOtherCall:     "Narrow the event rule to CreateImage, CopyImage and ImportImage, to save invocations.",
	reasonCallFailed:    "Nothing: the call made no image.",
	reasonImageCreating: "Nothing: another event follows when the image is Available.",
	reasonImageDeleted:  "Nothing: there is no image left to export; finished exports stay.",
	reasonImageState:    "Nothing: the sweep exports the image once it is Available.",
	reasonOwnManifest:   "Keep the manifest prefix out of the OSS trigger's filter, to save invocations.",
	reasonOtherObject:   "Narrow the OSS trigger to the export bucket's new objects, to save invocations.",

	reasonMalformed:    "Correct the request: detail names the place.",
	reasonUnauthorized: "Authenticate as FERRY_HTTP_AUTH asks: sign the request (ACS3-HMAC-SHA256) or send the bearer token.",
	reasonHTTPOff:      "Set FERRY_HTTP_AUTH to function or token to use HTTP.",
	reasonRestoreOff:   "Set FERRY_RESTORE=true, and give the function's role what policy/restore-permissions.json lists.",
	reasonNoRestore:    "Ask for the restore first, or look for its name in the list.",
	reasonTooLarge:     "Send at most 64 KiB.",
	reasonNotJSON:      "Send JSON with Content-Type: application/json.",
	reasonNotOpen:      "Correct the function's configuration: its log names what is wrong.",
	reasonDeadline:     "Repeat the request, or give the function a longer timeout.",
	reasonInternal:     "Report it with the log of this request id.",
}

// Reasons are the reason codes of this package (those of ignored events and of HTTP problems) and of the status page that
// export.Reasons does not have, each with its remedy.
func Reasons() map[string]string {
	all := page.Reasons()
	maps.Copy(all, remedies)
	return all
}

// remedyOf finds the remedy of any reason, the domain's included.
func remedyOf(code string) string {
	if remedy, ok := Reasons()[code]; ok {
		return remedy
	}
	for _, r := range export.Reasons() {
		if r.Code == code {
			return r.Remedy
		}
	}
	return ""
}

package export

import (
	"sort"

	"imageferry/internal/manifest"
)

// A Class is what a reason means for the export that meets it.
type Class int

// The classes.
const (
	// Skip: this image can never be exported. Terminal.
	Skip Class = iota + 1
	// Wait: this export is queued, with a due time that grows; nothing is counted against it.
	Wait
	// Retry: counted as a failure of this export, which is queued until MaxAttempts of them make it fail.
	Retry
	// Fail: given up at once: repeating it would cost another export and end the same way. Terminal.
	Fail
	// Shared: every export would be refused for it, until somebody repairs it. It holds all of them.
	Shared
	// Quota: every export is refused for it for a while, and the oldest is to go first when it ends. It holds all of them.
	Quota
	// Stop: the export was cancelled. Terminal.
	Stop
	// Note: nothing was done, and there is no export to record it in.
	Note
)

// A Reason is a stable code for a decision, with what it means for the export and what a person can do about it.
type Reason struct {
	Code   string
	Class  Class
	Remedy string
}

// The reasons that the domain decides by itself, beside those that stand for one of ECS's answers.
const (
	imageNotFound       = "image-not-found"
	imageNotAvailable   = "image-not-available"
	imageCreateFailed   = "image-create-failed"
	imageUnavailable    = "image-unavailable"
	imageDeprecated     = "image-deprecated"
	imageNotOwned       = "image-not-owned"
	imageMarketplace    = "image-marketplace"
	imageWindows        = "image-windows"
	imageDisks          = "image-disks"
	imageEncrypted      = "image-encrypted"
	imageLicense        = "image-license"
	imageCategory       = "image-category"
	imageNotSupported   = "image-not-supported"
	imageForbidden      = "image-forbidden"
	imageRehearsal      = "image-of-rehearsal"
	imageExporting      = "image-exporting-elsewhere"
	notSelected         = "not-selected"
	prefixInvalid       = "prefix-invalid"
	formatInvalid       = "format-invalid"
	formatRegion        = "format-not-in-region"
	regionUnsupported   = "region-not-supported"
	bucketNotFound      = "bucket-not-found"
	bucketWrongRegion   = "bucket-wrong-region"
	bucketNotOwned      = "bucket-not-owned"
	bucketPublicWrite   = "bucket-public-write"
	bucketPublicRead    = "bucket-public-read"
	bucketEncrypted     = "bucket-encrypted"
	bucketArchive       = "bucket-archive"
	bucketVersioned     = "manifest-bucket-versioned"
	bucketForbidden     = "bucket-forbidden"
	exportRoleMissing   = "export-role-missing"
	exportRoleForbidden = "export-role-forbidden"
	permissionDenied    = "permission-denied"
	credentialsRefused  = "credentials-refused"
	whitelist           = "not-in-whitelist"
	quotaConcurrent     = "quota-concurrent"
	quotaWeekly         = "quota-weekly"
	throttled           = "throttled"
	ecsUnavailable      = "ecs-unavailable"
	ossUnavailable      = "oss-unavailable"
	exportRefused       = "export-refused"
	requestInvalid      = "request-invalid"
	answerLost          = "answer-lost"
	taskFailed          = "task-failed"
	taskCancelled       = "task-cancelled"
	taskVanished        = "task-vanished"
	taskStuck           = "task-stuck"
	taskForeign         = "task-of-another-export"
	verifyNoObjects     = "verify-no-objects"
	verifyMissing       = "verify-object-missing"
	verifyEmpty         = "verify-object-empty"
	verifyContent       = "verify-wrong-content"
	verifyDisks         = "verify-disk-missing"
	cancelledByRequest  = "cancelled-by-request"
	journalUnreadable   = "journal-unreadable"
	journalNewer        = "journal-newer"
)

// reasons is reasonTable by code; it is only read.
var reasons = func() map[string]Reason {
	byCode := map[string]Reason{}
	for _, r := range reasonTable() {
		byCode[r.Code] = r
	}
	return byCode
}()

// reasonTable is the one table of them.
func reasonTable() []Reason {
	return []Reason{
		{imageNotFound, Retry, "Check that the image id and the region are right and that the image was not deleted."},
		{imageNotAvailable, Wait, "Wait: the image is still being created; it is exported once it is Available."},
		{imageCreateFailed, Skip, "Create the image again: ECS could not finish this one."},
		{imageUnavailable, Skip, "Repair or recreate the image in ECS, then retry the export."},
		{imageDeprecated, Skip, "Export a current image, or undo the deprecation in ECS and retry the export."},
		{imageNotOwned, Skip, "Copy the shared image to a custom image of this account and export the copy."},
		{imageMarketplace, Skip, "Nothing can be done: images derived from the Marketplace cannot be exported."},
		{imageWindows, Skip, "Nothing can be done: ECS does not export images with Windows."},
		{imageDisks, Skip, "Create the image with at most 4 data disks of at most 500 GiB each."},
		{imageEncrypted, Skip, "Create the image from unencrypted snapshots."},
		{imageLicense, Skip, "Nothing can be done: the licence of the image's system does not allow its export."},
		{imageCategory, Skip, "Copy the image to a custom image of this account and export the copy."},
		{imageNotSupported, Skip, "Read the detail: ECS does not export images like this one."},
		{imageRehearsal, Skip, "Nothing: the image is a rehearsal's, which deletes it again."},
		{imageForbidden, Wait, "Allow the function's role ecs:ExportImage on this image."},
		{imageExporting, Wait, "Wait: another export of the image is running; ours follows."},
		{notSelected, Note, "Change FERRY_SELECT_* or FERRY_EXCLUDE_*, or ask for the image by its id."},
		{prefixInvalid, Shared, "Set FERRY_PREFIX to 1 to 30 letters or digits, or to nothing."},
		{formatInvalid, Shared, "Set FERRY_FORMAT to raw, vhd, qcow2, vmdk or vdi."},
		{formatRegion, Shared, "Set FERRY_FORMAT to raw: this region exports no other format."},
		{regionUnsupported, Shared, "Copy the images to a region that can export, and deploy imageferry there."},
		{bucketNotFound, Shared, "Create the bucket in this region, or correct FERRY_BUCKET."},
		{bucketWrongRegion, Shared, "Set FERRY_BUCKET to a bucket in the region of the images."},
		{bucketNotOwned, Shared, "Set FERRY_BUCKET to a bucket of this account."},
		{bucketPublicWrite, Shared, "Make the bucket private: anybody may write to it."},
		{bucketPublicRead, Shared, "Make the bucket private, or set FERRY_ALLOW_PUBLIC_READ=true if images may be public."},
		{bucketEncrypted, Shared, "Turn off the bucket's default encryption, or use another bucket: ECS cannot export to it."},
		{bucketArchive, Shared, "Use a bucket of storage class Standard or IA."},
		{bucketVersioned, Note, "Set FERRY_MANIFEST_BUCKET to a bucket that never had versioning: the journal needs create-only writes."},
		{bucketForbidden, Shared, "Allow the function's role oss:GetBucketInfo on the bucket, and check the bucket's owner."},
		{exportRoleMissing, Shared, "Create the role AliyunECSImageExportDefaultRole with the trust and permissions in policy/."},
		{exportRoleForbidden, Shared, "Give AliyunECSImageExportDefaultRole the permissions in policy/ on the bucket."},
		{permissionDenied, Shared, "Give the function's role the permissions in policy/."},
		{credentialsRefused, Shared, "Check that the function has its role and that the role exists."},
		{whitelist, Shared, "Ask Alibaba Cloud by a ticket to enable image export for this account."},
		{quotaConcurrent, Quota, "Wait: the account's running exports have to finish first; or ask for a higher quota."},
		{quotaWeekly, Shared, "Wait until the weekly quota renews, or ask for a higher one."},
		{throttled, Quota, "Wait: the account's calls are throttled for a minute."},
		{ecsUnavailable, Wait, "Wait: ECS did not answer properly; the export is tried again."},
		{ossUnavailable, Wait, "Wait: OSS did not answer properly; the export is tried again."},
		{exportRefused, Retry, "Read the detail: ECS refused the export; it is tried again until FERRY_MAX_ATTEMPTS."},
		{requestInvalid, Fail, "Report this: ECS says that the request was malformed."},
		{answerLost, Wait, "Wait: ECS's answer was lost; the task is looked up before anything is tried again."},
		{taskFailed, Retry, "Read the detail: ECS's task failed; it is tried again until FERRY_MAX_ATTEMPTS."},
		{taskCancelled, Stop, "Retry the export if it should not have been cancelled."},
		{taskVanished, Retry, "Wait: ECS no longer knows the task; the export is tried again."},
		{taskStuck, Fail, "Look at the task in the ECS console, cancel it there if it is stuck, then retry the export."},
		{taskForeign, Wait, "Wait: the task that was found writes to another place; ours follows."},
		{verifyNoObjects, Fail, "Look for the objects in the bucket and at the task in the ECS console, then retry the export."},
		{verifyMissing, Retry, "Find out who deletes objects from the bucket; the export is tried again."},
		{verifyEmpty, Retry, "Wait: an exported object is empty; the export is tried again."},
		{verifyContent, Retry, "Wait: an exported object does not begin as its format does; the export is tried again."},
		{verifyDisks, Fail, "Compare the objects with the image's disks: ECS reported fewer than it has. Then retry the export."},
		{cancelledByRequest, Stop, "Retry the export if you want it after all."},
		{journalUnreadable, Note, "Restore the damaged or foreign object under journal/ from a backup, or move it away."},
		{journalNewer, Note, "Deploy the newer version of imageferry that wrote the journal."},
	}
}

// Reasons lists every reason of the domain by code.
func Reasons() []Reason {
	all := reasonTable()
	sort.Slice(all, func(i, k int) bool { return all[i].Code < all[k].Code })
	return all
}

// A finding is a reason met, and what was seen.
type finding struct {
	Reason
	detail string
	// call is ECS's or OSS's answer behind it, if there was one.
	call *CallError
	// held: it is the hold itself, found without asking.
	held bool
	// open: the attempt's task may exist all the same, so the attempt stays open.
	open bool
}

func found(code, detail string) *finding {
	return &finding{Reason: reasons[code], detail: detail}
}

// state is the state that a terminal class ends in.
func (c Class) state() (manifest.State, bool) {
	switch c {
	case Skip:
		return manifest.Skipped, true
	case Fail:
		return manifest.Failed, true
	case Stop:
		return manifest.Cancelled, true
	}
	return "", false
}

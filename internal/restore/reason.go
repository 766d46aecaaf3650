package restore

import (
	"sort"

	"imageferry/internal/unpack"
)

// A Class is what a reason means for the restore that meets it.
type Class int

// The classes.
const (
	// Wait: the restore is queued, with a due time that grows.
	Wait Class = iota + 1
	// Repair: the restore is queued like that, and nothing will come of it until somebody has repaired something.
	Repair
	// Fail: given up. Terminal.
	Fail
	// Stop: the restore was cancelled. Terminal.
	Stop
	// Note: nothing was begun, and there is no restore to record it in.
	Note
)

// A Reason is a stable code for a decision, with what it means for the restore and what a person can do about it.
type Reason struct {
	Code   string
	Class  Class
	Remedy string
}

// The reasons that the domain decides by itself, beside those that stand for one of ECS's answers.
const (
	notExported         = "not-exported"
	manifestUnusable    = "manifest-unusable"
	nameInvalid         = "name-invalid"
	nameTaken           = "name-taken"
	tooManyDisks        = "too-many-disks"
	formatNotImportable = "format-not-importable"
	objectMissing       = "object-missing"
	objectChanged       = "object-changed"
	objectContent       = "object-wrong-content"
	objectArchived      = "object-archived"
	objectsElsewhere    = "objects-in-another-region"
	journalElsewhere    = "journal-in-another-region"
	bucketMissing       = "bucket-missing"
	bucketForeign       = "bucket-not-owned"
	bucketEncrypted     = "bucket-encrypted"
	importRoleMissing   = "import-role-missing"
	importRoleForbidden = "import-role-forbidden"
	permissionDenied    = "permission-denied"
	credentialsRefused  = "credentials-refused"
	resourceGroup       = "resource-group-missing"
	regionUnsupported   = "region-not-supported"
	formatRegion        = "format-not-in-region"
	imageSize           = "disk-size-refused"
	whitelist           = "not-in-whitelist"
	arrears             = "account-in-arrears"
	quotaImages         = "quota-images"
	throttled           = "throttled"
	ecsUnavailable      = "ecs-unavailable"
	ossUnavailable      = "oss-unavailable"
	importRefused       = "import-refused"
	requestInvalid      = "request-invalid"
	answerLost          = "answer-lost"
	interrupted         = "interrupted"
	notBegun            = "restore-not-begun"
	importFailed        = "import-failed"
	importCancelled     = "import-cancelled"
	imageVanished       = "image-vanished"
	cleanupBlocked      = "cleanup-blocked"
	rehearsalDiffers    = "rehearsal-differs"
	cancelledByRequest  = "cancelled-by-request"
)

// reasons is reasonTable by code; it is only read.
var reasons = func() map[string]Reason {
	byCode := map[string]Reason{}
	for _, r := range reasonTable() {
		byCode[r.Code] = r
	}
	return byCode
}()

// reasonTable is the one table of them. The codes of package unpack stand in it under their own names.
func reasonTable() []Reason {
	return append(unpackReasons(), []Reason{
		{notExported, Note, "Restore an image whose export is exported: imageferry list --state exported."},
		{manifestUnusable, Note, "Give a manifest of an export that is exported, whole and unchanged."},
		{nameInvalid, Note, "Give --name with 2 to 128 letters, digits, '.', ':', '_' or '-', a letter first, not aliyun or acs:."},
		{nameTaken, Fail, "Give another --name, or delete or rename the image that has it."},
		{tooManyDisks, Note, "Nothing can be done: ECS imports one system disk and at most 16 data disks."},
		{formatNotImportable, Fail, "Convert the object to RAW, QCOW2, VHD or VMDK: ECS imports nothing else."},
		{objectMissing, Fail, "Put the object back from a copy, or restore another export."},
		{objectChanged, Fail, "Put the object back from a copy: it is not what was exported; or restore another export."},
		{objectContent, Fail, "Put the object back from a copy: it does not begin as the manifest says; or restore another export."},
		{objectArchived, Repair, "Restore the object from its archive class in OSS (ossutil restore), and run the restore again."},
		{objectsElsewhere, Note, "Copy the objects to a bucket in the region as the plan says, then give --objects-bucket with its name."},
		{journalElsewhere, Note, "Give --bucket (and --manifest-bucket, where it is set) with one in the region; copies can lie there or in --objects-bucket."},
		{bucketMissing, Repair, "Give --objects-bucket with the bucket that holds the objects now, or create it."},
		{bucketForeign, Repair, "Copy the objects to a bucket of this account in the region, then give --objects-bucket."},
		{bucketEncrypted, Repair, "Turn off the bucket's default encryption, or use another bucket: ECS cannot import from it."},
		{importRoleMissing, Repair, "Create the role AliyunECSImageImportDefaultRole with the trust and permissions in policy/."},
		{importRoleForbidden, Repair, "Give the import role oss:GetObject, oss:GetBucketLocation and oss:GetBucketInfo on the bucket."},
		{permissionDenied, Repair, "Allow your own credentials what policy/ lists for restores."},
		{credentialsRefused, Repair, "Check the credentials."},
		{resourceGroup, Fail, "Give --resource-group with one that exists, or --resource-group default."},
		{regionUnsupported, Fail, "Restore in a region that imports images, and copy the image from there."},
		{formatRegion, Fail, "Restore in a region that imports this format."},
		{imageSize, Fail, "Read the detail: ECS refuses the size of a disk."},
		{whitelist, Repair, "Ask Alibaba Cloud by a ticket to enable image import for this account."},
		{arrears, Repair, "Settle the account's bill."},
		{quotaImages, Repair, "Delete images that nobody needs, or ask for a higher quota."},
		{throttled, Wait, "Wait: the account's calls are throttled for a minute."},
		{ecsUnavailable, Wait, "Wait: ECS did not answer properly; the restore goes on."},
		{ossUnavailable, Wait, "Wait: OSS did not answer properly; the restore goes on."},
		{importRefused, Fail, "Read the detail: ECS refused the import."},
		{requestInvalid, Fail, "Report this: ECS says that the request was malformed."},
		{answerLost, Wait, "Wait: ECS's answer was lost; the image is looked up before anything is tried again."},
		{notBegun, Wait, "Wait: the function's timer begins with it; or run the restore yourself."},
		{interrupted, Wait, "Run the restore again: it goes on where it was interrupted. In the function, set a longer timeout if that never ends."},
		{importFailed, Fail, "Read the detail: ECS could not import the disks. Then restore again."},
		{importCancelled, Stop, "Restore again if the import should not have been cancelled."},
		{imageVanished, Fail, "Find out who deleted the image while it was imported, then restore again."},
		{cleanupBlocked, Wait, "Wait: what the restore made cannot be removed yet; it is tried again."},
		{rehearsalDiffers, Fail, "Compare the facts in the detail with the export: an image restored from it would differ."},
		{cancelledByRequest, Stop, "Restore again if you want it after all."},
	}...)
}

// unpackReasons are those of package unpack: what is final fails, anything else waits.
func unpackReasons() []Reason {
	const another = "Put the object back from a copy, or restore another export: "
	return []Reason{
		{string(unpack.ReasonSourceAbsent), Fail, another + "it is gone."},
		{string(unpack.ReasonSourceChanged), Fail, another + "it is not what was exported."},
		{string(unpack.ReasonSourceChecksum), Fail, another + "its bytes do not have its checksum."},
		{string(unpack.ReasonSourceEmpty), Fail, another + "it is empty."},
		{string(unpack.ReasonSourceFormat), Fail, another + "it is neither an archive nor an image that ECS imports."},
		{string(unpack.ReasonSourceInterrupted), Wait, "Wait: reading the object broke off; it goes on."},
		{string(unpack.ReasonArchiveCorrupt), Fail, another + "the archive is damaged."},
		{string(unpack.ReasonArchiveTruncated), Fail, another + "the archive ends too early."},
		{string(unpack.ReasonArchiveNotTar), Fail, another + "it is compressed, and no tar archive."},
		{string(unpack.ReasonArchiveEmpty), Fail, another + "the archive is empty."},
		{string(unpack.ReasonArchiveSeveral), Fail, another + "the archive holds more than one file, which no export does."},
		{string(unpack.ReasonArchiveLink), Fail, another + "the archive holds a link, which no export does."},
		{string(unpack.ReasonArchiveDirectory), Fail, another + "the archive holds a directory, which no export does."},
		{string(unpack.ReasonArchiveDevice), Fail, another + "the archive holds a device, which no export does."},
		{string(unpack.ReasonArchiveSparse), Fail, another + "the archive holds a sparse file, which no export does."},
		{string(unpack.ReasonArchiveType), Fail, another + "the archive holds something that no export does."},
		{string(unpack.ReasonArchiveName), Fail, another + "the name in the archive leads elsewhere."},
		{string(unpack.ReasonArchiveSize), Fail, another + "the disk in the archive does not fit the image's."},
		{string(unpack.ReasonArchiveTrailing), Fail, another + "something follows the archive."},
		{string(unpack.ReasonArchiveFormat), Fail, another + "what the archive holds is no image that ECS imports."},
		{string(unpack.ReasonTargetExists), Fail, "Look who has put an object into the restore's own place, and restore again."},
		{string(unpack.ReasonTargetChecksum), Wait, "Wait: OSS made something else of the parts; it is unpacked again."},
		{string(unpack.ReasonPartChecksum), Wait, "Wait: OSS stored another part than was sent; it goes on."},
		{string(unpack.ReasonUploadLost), Wait, "Wait: somebody aborted the upload; it is unpacked again."},
		{string(unpack.ReasonZerosLost), Wait, "Wait: somebody removed a temporary object; it goes on."},
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
	// code, message and request are ECS's own, if it was ECS.
	code, message, request string
}

func found(code, detail string) *finding { return &finding{Reason: reasons[code], detail: detail} }

// ends is how a restore ends that meets the finding; ok is false for one that goes on.
func (f *finding) ends() (Ends, bool) {
	e := Ends{State: Failed, Reason: f.Code, Detail: f.detail}
	switch f.Class {
	case Stop:
		e.State = Cancelled
		return e, true
	case Fail, Note:
		return e, true
	}
	return Ends{}, false
}

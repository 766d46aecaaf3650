package unpack

import "fmt"

// A Reason is a stable code (kebab-case) that says why an object was not unpacked.
type Reason string

// The reasons. Those of an archive and of a source are final for that object; of the others see Final.
const (
	ReasonSourceAbsent      Reason = "source-absent"      // no object has the key
	ReasonSourceChanged     Reason = "source-changed"     // not, or no longer, the object that the manifest records
	ReasonSourceChecksum    Reason = "source-checksum"    // the bytes read do not have the CRC-64 that the manifest or OSS gives
	ReasonSourceEmpty       Reason = "source-empty"       // zero bytes
	ReasonSourceFormat      Reason = "source-format"      // a format that can be neither imported nor unpacked
	ReasonSourceInterrupted Reason = "source-interrupted" // reading broke off too often

	ReasonArchiveCorrupt   Reason = "archive-corrupt"        // gzip data or its CRC-32 is wrong
	ReasonArchiveTruncated Reason = "archive-truncated"      // ends too early
	ReasonArchiveNotTar    Reason = "archive-not-tar"        // the gzip data holds no tar archive, or a damaged one
	ReasonArchiveEmpty     Reason = "archive-empty"          // holds no file
	ReasonArchiveSeveral   Reason = "archive-several-files"  // holds something after its file
	ReasonArchiveLink      Reason = "archive-link"           // a symbolic or hard link
	ReasonArchiveDirectory Reason = "archive-directory"      // a directory
	ReasonArchiveDevice    Reason = "archive-device"         // a device or FIFO
	ReasonArchiveSparse    Reason = "archive-sparse"         // a sparse file
	ReasonArchiveType      Reason = "archive-type"           // any other type of entry
	ReasonArchiveName      Reason = "archive-name"           // absolute, with "..", or unprintable
	ReasonArchiveSize      Reason = "archive-size"           // the file is smaller or larger than expected
	ReasonArchiveTrailing  Reason = "archive-trailing-data"  // something follows the end of the archive
	ReasonArchiveFormat    Reason = "archive-content-format" // the file is itself an archive, or in a format that cannot be imported
	ReasonTargetExists     Reason = "target-exists"          // an object that is not ours has the target's key
	ReasonTargetChecksum   Reason = "target-checksum"        // OSS made something else of the parts; it was deleted
	ReasonPartChecksum     Reason = "part-checksum"          // OSS stored another part than was sent
	ReasonUploadLost       Reason = "upload-lost"            // the upload was aborted or completed by somebody else
	ReasonZerosLost        Reason = "temporary-object-lost"  // the object of zeros was removed by somebody else
	ReasonStore            Reason = "store-failed"           // the store failed, after its own retries
	ReasonInterrupted      Reason = "interrupted"            // the context ended
)

// Final reports whether running again for the same source and target would end the same way. What is not final leaves the
// upload in place for the next run; what is final leaves nothing.
func (r Reason) Final() bool {
	switch r {
	case ReasonSourceInterrupted, ReasonTargetChecksum, ReasonPartChecksum, ReasonUploadLost, ReasonZerosLost, ReasonStore,
		ReasonInterrupted:
		return false
	default:
		return true
	}
}

// An Error says why an object was not unpacked. Every error of Inspect and Run is one, to be taken out with errors.As.
type Error struct {
	Reason Reason
	// Detail says in a few words what was found; it holds no secrets, but may quote names out of the archive.
	Detail string
	// Err is the cause, or nil.
	Err error
}

// Error returns the detail and the cause.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return fmt.Sprintf("%s (%s)", e.Detail, e.Reason)
	case e.Detail == "":
		return fmt.Sprintf("%v (%s)", e.Err, e.Reason)
	default:
		return fmt.Sprintf("%s: %v (%s)", e.Detail, e.Err, e.Reason)
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

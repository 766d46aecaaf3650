// Package unpack turns an exported object into one that ImportImage takes. A RAW export is a gzip-compressed tar archive of
// one file (….raw.tar.gz); ImportImage takes only plain RAW, QCOW2, VHD and VMDK. The archive is read from OSS, unpacked and
// written to OSS again in one stream: no disk, constant memory, and what is zero is copied by the server instead of sent.
//
// What an object is, is read from its bytes, never from its name. An archive that holds anything but exactly one regular
// file of an expected size is refused with a *Error whose Reason is stable, and nothing is left behind.
//
// # Layout of a target
//
// The file is cut into segments that depend on nothing but its bytes and size (layout.go), each of which is one part of a
// multipart upload. A run with the same source and target therefore cuts the same parts again, and sends only those that the
// unfinished upload does not hold yet with the same size and MD5. What a run needs to know of an earlier one is in the
// record, a small object next to the target (record.go): the record is written before the target can exist and lives as long
// as the target does, so that a finished target is known again, and an object that is not ours is never replaced.
//
// # Two runs at the same time
//
// The caller runs one at a time per target, by the lease in its journal. Should two overlap nevertheless, they cannot spoil
// the target: runs of one plan write the same bytes under the same part numbers; each completes exactly the list of parts
// whose MD5 it has verified itself; completing creates the target only where none is, and needs the upload to exist still.
// Whoever comes second finds the upload gone or the target there, and either recognises the target by size and CRC-64 or
// ends with ReasonUploadLost or ReasonTargetExists.
package unpack

package pack

import (
	"archive/zip"
	"bytes"
	"fmt"
	"hash/crc32"

	"imageferry/internal/release/pack/deflate"
)

// MaxBytes is how large a zip may become: a small package is what keeps cold starts short.
const MaxBytes = 4_000_000

// TooLargeError is the error of [Zip] when the zip exceeds [MaxBytes].
type TooLargeError struct{ Bytes int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the zip has %d bytes, %d more than the %d that are allowed: see what was linked in since the last release "+
		"(go tool nm -size -sort size on a binary that was built without -ldflags=-s)", e.Bytes, e.Bytes-MaxBytes, MaxBytes)
}

// Zip makes the code package of a binary: one executable file named [Handler]. The same binary makes the same bytes. The
// error is a *[TooLargeError] when the package is too large.
func Zip(binary []byte) ([]byte, error) {
	compressed := deflate.Compress(binary)
	header := &zip.FileHeader{
		Name:               Handler,
		Method:             zip.Deflate,
		CRC32:              crc32.ChecksumIEEE(binary),
		CompressedSize64:   uint64(len(compressed)),
		UncompressedSize64: uint64(len(binary)),
		// The first day that zips know: no time of the build is in it.
		//lint:ignore SA1019 CreateRaw writes no other time
		ModifiedDate: 1<<5 | 1,
	}
	// Whoever unpacks it has to be able to run it; Function Compute keeps the mode.
	header.SetMode(0o755)

	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	// With the sizes known beforehand they are in the file's own header, where every reader finds them.
	file, err := archive.CreateRaw(header)
	if err != nil {
		return nil, fmt.Errorf("write the zip: %w", err)
	}
	if _, err := file.Write(compressed); err != nil {
		return nil, fmt.Errorf("write the zip: %w", err)
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("write the zip: %w", err)
	}
	if out.Len() > MaxBytes {
		return nil, &TooLargeError{Bytes: out.Len()}
	}
	return out.Bytes(), nil
}

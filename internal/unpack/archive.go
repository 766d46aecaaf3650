package unpack

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode"
)

const (
	// readAhead is what is read of the source at once.
	readAhead = 256 << 10
	// longestTail bounds the zeros after the file: its padding, the end of the archive and that of tar's record, which is
	// 10 KiB by default and at most this large in practice.
	longestTail = 1 << 20
)

// An archive is a tar archive of exactly one regular file, while it is being read.
type archive struct {
	stream io.Reader // the tar archive
	tar    *tar.Reader
	file   io.Reader // the content of its file
	head   []byte    // the first headBytes of the content
	size   int64     // of the content
}

// openArchive reads up to the beginning of the file. The source is refused unless its first entry is a regular file with a
// harmless name, least to most bytes long, which is no archive itself.
func openArchive(source io.Reader, f Format, least, most int64) (*archive, error) {
	in := bufio.NewReaderSize(source, readAhead)
	a := &archive{stream: in}
	if f == FormatTarGzip {
		z, err := newMembers(in)
		if err != nil {
			return nil, archiveError(err)
		}
		a.stream = z
	}
	a.tar = tar.NewReader(a.stream)
	header, err := a.tar.Next()
	if errors.Is(err, io.EOF) {
		return nil, &Error{Reason: ReasonArchiveEmpty, Detail: "the archive holds no file"}
	}
	if err != nil {
		return nil, archiveError(err)
	}
	if err := checkEntry(header, least, most); err != nil {
		return nil, err
	}
	a.size = header.Size
	a.head = make([]byte, min(headBytes, a.size))
	if _, err := io.ReadFull(a.tar, a.head); err != nil {
		return nil, archiveError(noEOF(err))
	}
	if inner, useless := detect(a.head, nil); useless != "" || inner.Archive() {
		return nil, &Error{Reason: ReasonArchiveFormat, Detail: "the file in the archive is " + useless + string(inner)}
	}
	a.file = io.MultiReader(bytes.NewReader(a.head), a.tar)
	return a, nil
}

// read fills p with what comes next in the file.
func (a *archive) read(p []byte) error {
	if _, err := io.ReadFull(a.file, p); err != nil {
		return archiveError(noEOF(err))
	}
	return nil
}

// finish reads what follows the file, to the very end of the source: nothing but zeros is allowed, and every checksum has to
// be right. Only then is what was read before what was packed.
func (a *archive) finish() error {
	switch header, err := a.tar.Next(); {
	case err == nil:
		return &Error{Reason: ReasonArchiveSeveral, Detail: fmt.Sprintf("the archive holds a second entry, %q", shorten(header.Name))}
	case errors.Is(err, tar.ErrHeader):
		return &Error{Reason: ReasonArchiveTrailing, Detail: "something that is no tar entry follows the file", Err: err}
	case !errors.Is(err, io.EOF):
		return archiveError(err)
	}
	block, rest := make([]byte, 4096), longestTail
	for {
		n, err := a.stream.Read(block)
		rest -= n
		if rest < 0 || len(bytes.TrimLeft(block[:n], "\x00")) > 0 {
			return &Error{Reason: ReasonArchiveTrailing, Detail: "data after the end of the archive"}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return archiveError(err)
		}
	}
}

// checkEntry refuses everything but a plain regular file with a harmless name and an expected size. The name is not used
// anywhere; one that tries something shows that the archive is not what ECS writes.
func checkEntry(h *tar.Header, least, most int64) error {
	name := shorten(h.Name)
	refuse := func(r Reason, format string, args ...any) error {
		return &Error{Reason: r, Detail: fmt.Sprintf(format, args...)}
	}
	switch h.Typeflag {
	case tar.TypeReg:
	case tar.TypeLink, tar.TypeSymlink:
		return refuse(ReasonArchiveLink, "%q is a link", name)
	case tar.TypeDir:
		return refuse(ReasonArchiveDirectory, "%q is a directory", name)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return refuse(ReasonArchiveDevice, "%q is a device or pipe", name)
	case tar.TypeGNUSparse:
		return refuse(ReasonArchiveSparse, "%q is a sparse file", name)
	default:
		return refuse(ReasonArchiveType, "%q is an entry of type %q", name, h.Typeflag)
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") || key == "SCHILY.realsize" {
			return refuse(ReasonArchiveSparse, "%q is a sparse file", name)
		}
	}
	if !harmless(h.Name) {
		return refuse(ReasonArchiveName, "the file is named %q", name)
	}
	if h.Size < least || h.Size > most {
		if least == most {
			return refuse(ReasonArchiveSize, "%q has %d bytes, not %d", name, h.Size, least)
		}
		return refuse(ReasonArchiveSize, "%q has %d bytes, not %d to %d", name, h.Size, least, most)
	}
	return nil
}

// harmless reports whether a name is relative, stays below where it is unpacked and can be printed.
func harmless(name string) bool {
	clean := path.Clean(name)
	unprintable := func(r rune) bool { return r == '\\' || r == unicode.ReplacementChar || !unicode.IsPrint(r) }
	return name != "" && !path.IsAbs(name) && !strings.HasSuffix(name, "/") && clean != "." &&
		!strings.Contains("/"+name+"/", "/../") && strings.IndexFunc(name, unprintable) < 0
}

func shorten(name string) string {
	const most = 120
	if len(name) > most {
		return strings.ToValidUTF8(name[:most], "") + "…"
	}
	return name
}

// archiveError gives what reading an archive ended with its reason. What came from the source itself has one already.
func archiveError(err error) error {
	var (
		known   *Error
		corrupt flate.CorruptInputError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Error{Reason: ReasonInterrupted, Err: err}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &Error{Reason: ReasonArchiveTruncated, Detail: "the archive ends too early"}
	case errors.Is(err, gzip.ErrChecksum):
		return &Error{Reason: ReasonArchiveCorrupt, Detail: "the checksum in the archive is wrong", Err: err}
	case errors.Is(err, gzip.ErrHeader), errors.As(err, &corrupt):
		return &Error{Reason: ReasonArchiveCorrupt, Detail: "the compressed data is damaged", Err: err}
	case errors.Is(err, errTrailing):
		return &Error{Reason: ReasonArchiveTrailing, Err: err}
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong):
		return &Error{Reason: ReasonArchiveNotTar, Detail: "the data is no tar archive, or a damaged one", Err: err}
	case errors.Is(err, tar.ErrInsecurePath):
		return &Error{Reason: ReasonArchiveName, Err: err}
	default:
		return &Error{Reason: ReasonArchiveCorrupt, Err: err}
	}
}

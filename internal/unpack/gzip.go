package unpack

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
)

// members reads the members of a gzip file as one stream, as gzip itself does. It ends with io.EOF only where the file ends
// right after a whole member: every CRC-32 and length was right, and nothing else follows.
type members struct {
	in   *bufio.Reader
	gzip *gzip.Reader
	err  error
}

// errTrailing: something that is no gzip member follows the last one.
var errTrailing = errors.New("data after the end of the gzip file")

func newMembers(in *bufio.Reader) (*members, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, noEOF(err)
	}
	z.Multistream(false)
	return &members{in: in, gzip: z}, nil
}

func (m *members) Read(p []byte) (int, error) {
	for m.err == nil {
		n, err := m.gzip.Read(p)
		if err == io.EOF {
			m.err = m.next()
		} else if err != nil {
			m.err = noEOF(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, m.err
}

// next goes on with the next member, if there is one.
func (m *members) next() error {
	magic, err := m.in.Peek(2)
	switch {
	case len(magic) == 0:
		return err
	case err != nil && err != io.EOF:
		return err
	case string(magic) != "\x1f\x8b":
		return errTrailing
	}
	if err := m.gzip.Reset(m.in); err != nil {
		return noEOF(err)
	}
	m.gzip.Multistream(false)
	return nil
}

// noEOF makes an end where there must not be one an error.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

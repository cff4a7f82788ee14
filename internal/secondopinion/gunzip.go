package secondopinion

import (
	"bufio"
	"compress/flate"
	"io"
)

// gunzip decodes gzip as browsers do: members follow one another, the checksum is nobody's
// business, and what comes after the last member is ignored. It reads the envelope itself,
// since compress/gzip takes an odd one for a broken page.
type gunzip struct {
	in *bufio.Reader
	// member is nil between two members.
	member io.ReadCloser
	begun  bool
}

func newGunzip(r io.Reader) io.Reader { return &gunzip{in: bufio.NewReader(r)} }

// Read implements io.Reader.
func (g *gunzip) Read(p []byte) (int, error) {
	if g.member == nil {
		if err := g.open(); err != nil {
			return 0, err
		}
	}
	n, err := g.member.Read(p)
	if err != io.EOF {
		return n, err
	}
	g.member = nil
	_, _ = g.in.Discard(8) // checksum and size
	return n, nil
}

// Bits of a member's flags.
const (
	hasChecksum = 1 << 1
	hasExtra    = 1 << 2
	hasName     = 1 << 3
	hasComment  = 1 << 4
)

// open reads the header of the next member. Without one, the page is over.
func (g *gunzip) open() error {
	magic, err := g.in.Peek(2)
	switch {
	case len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b:
	case err != nil && err != io.EOF:
		return err
	case g.begun || len(magic) == 0:
		if _, err := io.Copy(io.Discard, g.in); err != nil {
			return err
		}
		return io.EOF
	default:
		return errEncoding
	}
	var fixed [10]byte
	if _, err := io.ReadFull(g.in, fixed[:]); err != nil {
		return io.ErrUnexpectedEOF
	}
	if err := g.skip(fixed[3]); err != nil {
		return err
	}
	g.begun, g.member = true, flate.NewReader(g.in)
	return nil
}

// skip passes over the optional fields of a header.
func (g *gunzip) skip(flags byte) error {
	if flags&hasExtra != 0 {
		var size [2]byte
		if _, err := io.ReadFull(g.in, size[:]); err != nil {
			return io.ErrUnexpectedEOF
		}
		if _, err := g.in.Discard(int(size[0]) | int(size[1])<<8); err != nil {
			return io.ErrUnexpectedEOF
		}
	}
	for _, field := range []byte{hasName, hasComment} {
		if flags&field == 0 {
			continue
		}
		for c := byte(1); c != 0; {
			var err error
			if c, err = g.in.ReadByte(); err != nil {
				return io.ErrUnexpectedEOF
			}
		}
	}
	if flags&hasChecksum != 0 {
		if _, err := g.in.Discard(2); err != nil {
			return io.ErrUnexpectedEOF
		}
	}
	return nil
}

// newInflate decodes "deflate": zlib, or the bare stream that some servers send instead.
func newInflate(r io.Reader) io.Reader {
	in := bufio.NewReader(r)
	// The first byte of zlib names the method and the window: of a bare stream it would be a
	// stored block of an impossible length.
	if start, err := in.Peek(2); err == nil && start[0]&0x0f == 8 && (int(start[0])<<8|int(start[1]))%31 == 0 {
		_, _ = in.Discard(2)
	}
	return flate.NewReader(in)
}

package probe

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"net/http/httputil"
	"strconv"
	"strings"
)

// Limits on a body.
const (
	// maxDecoded is how much of a body is read and matched, after decoding.
	maxDecoded = 2 << 20
	// maxRaw limits the encoded bytes read: an encoding that yields nothing must end too.
	maxRaw = maxDecoded + 64<<10
	// maxFirewallText is how much of a page is searched for the texts of firewalls.
	maxFirewallText = 64 << 10
	// maxChallengePage is the size up to which a page with a good status can be a challenge.
	maxChallengePage = 16 << 10
)

// errBodyLimit ends a body that exceeds maxRaw.
var errBodyLimit = errors.New("body is longer than the limit")

// connError is an error of the connection, as opposed to one in the bytes sent over it.
type connError struct{ err error }

func (e *connError) Error() string { return e.err.Error() }
func (e *connError) Unwrap() error { return e.err }

// connReader wraps the connection's errors in connError and stops after left bytes.
type connReader struct {
	r    io.Reader
	left int64
}

func (c *connReader) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errBodyLimit
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err != nil && err != io.EOF {
		err = &connError{err}
	}
	return n, err
}

// lengthReader reads a body of known length; an early end is an error.
type lengthReader struct {
	r    io.Reader
	left int64
}

func (l *lengthReader) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	switch {
	case l.left == 0:
		return n, io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// hasBody reports whether a response to method carries a body.
func (h head) hasBody(method string) bool {
	return method != "HEAD" && h.status != 204 && h.status != 304
}

// bodyReader removes the body's framing: chunks, a length, or the end of the connection.
func bodyReader(h head, r io.Reader) (io.Reader, error) {
	if h.hasToken("Transfer-Encoding", "chunked") {
		return httputil.NewChunkedReader(bufio.NewReader(r)), nil
	}
	length, seen := int64(-1), ""
	for v := range h.all("Content-Length") {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 {
			continue // browsers read such a body to the end of the connection
		}
		if seen != "" && n != length {
			return nil, errBadLength
		}
		length, seen = n, v
	}
	if length >= 0 {
		return &lengthReader{r, length}, nil
	}
	return r, nil
}

// decodedReader decodes the content encoding; known is false when it cannot.
func decodedReader(h head, r io.Reader) (decoded io.Reader, known bool) {
	switch strings.ToLower(h.get("Content-Encoding")) {
	case "", "identity", "none", "utf-8":
		return r, true
	case "gzip", "x-gzip":
		return &gzipReader{br: bufio.NewReader(r)}, true
	}
	return r, false
}

// gzipReader decodes gzip as browsers do: an empty body is empty, members may follow
// one another, and anything after the last is ignored.
type gzipReader struct {
	br *bufio.Reader
	zr *gzip.Reader
}

func (g *gzipReader) Read(p []byte) (int, error) {
	if g.zr == nil {
		if _, err := g.br.Peek(1); err != nil {
			return 0, err
		}
		zr, err := gzip.NewReader(g.br)
		if err != nil {
			return 0, cutShort(err)
		}
		g.zr = zr
		g.zr.Multistream(false)
	}
	n, err := g.zr.Read(p)
	if err != io.EOF {
		return n, err
	}
	magic, err := g.br.Peek(2)
	switch {
	case len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		if err := g.zr.Reset(g.br); err != nil {
			return n, cutShort(err)
		}
		g.zr.Multistream(false)
		return n, nil
	case err != nil:
		return n, err // the framing's own end, good or bad
	}
	if _, err := io.Copy(io.Discard, g.br); err != nil {
		return n, err
	}
	return n, io.EOF
}

// cutShort turns an end inside the gzip header into an unexpected one.
func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// isEncodingError reports whether an error is gzip's own.
func isEncodingError(err error) bool {
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return true
	}
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	return corrupt
}

// pageReport is the result of reading a body.
type pageReport struct {
	// size is the number of decoded bytes read.
	size int64
	// cut is true when the limit was reached.
	cut bool
	// readable is false when the encoding is one that the request did not accept.
	readable bool
}

// reading describes how to read a body.
type reading struct {
	// rules get the whole decoded body, firewalls only its beginning.
	rules, firewalls writer
	// limit is the maximum number of decoded bytes to read.
	limit int64
}

// readPage reads a body to its end or to the limits.
func readPage(h head, r io.Reader, want reading) (pageReport, error) {
	framed, err := bodyReader(h, &connReader{r, maxRaw})
	if err != nil {
		return pageReport{}, err
	}
	page, known := decodedReader(h, framed)
	report := pageReport{readable: known}
	buf := make([]byte, 16<<10)
	for {
		n, err := page.Read(buf[:min(int64(len(buf)), want.limit-report.size)])
		if known {
			if room := maxFirewallText - report.size; room > 0 {
				want.firewalls.write(buf[:min(int64(n), room)])
			}
			want.rules.write(buf[:n])
		}
		report.size += int64(n)
		switch {
		case err == io.EOF:
			return report, nil
		case errors.Is(err, errBodyLimit):
			report.cut = true
			return report, nil
		case err != nil:
			return report, err
		case report.size >= want.limit:
			report.cut = true
			return report, nil
		}
	}
}

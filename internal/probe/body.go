package probe

import (
	"context"
	"errors"
	"io"
)

// Limits on a body.
const (
	// maxDecoded is how much of a body is read and matched, after decoding.
	maxDecoded = 2 << 20
	// maxRaw limits the encoded bytes read: an encoding that yields nothing must end too.
	maxRaw = maxDecoded + 64<<10
	// maxFirewallText is how much of a page is searched for the texts of firewalls.
	maxFirewallText = 64 << 10
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

// hasBody reports whether a response to method carries a body.
func (h head) hasBody(method string) bool {
	return method != "HEAD" && h.status != 204 && h.status != 304
}

// pageReport is the result of reading a body.
type pageReport struct {
	// size is the number of decoded bytes read.
	size int64
	// cut is true when the limit was reached, or nothing was left to look for; whole when
	// the page was read to its end.
	cut, whole bool
}

// pageReader looks at a page as it arrives. More is false once the rest of the page
// does not matter to it.
type pageReader interface {
	read(piece []byte) (more bool)
}

// reading describes how to read a body.
type reading struct {
	// rules and page get the whole decoded body, firewalls only its beginning. When rules
	// need no more of it and page is nil, reading ends.
	rules     pageReader
	page      *pageCheck
	firewalls writer
	// limit is the maximum number of decoded bytes to read.
	limit    int64
	decoders *decoders
}

// readPage reads a body to its end, to the limits, or until nothing is left to look for.
func readPage(ctx context.Context, h head, r io.Reader, want reading) (pageReport, error) {
	body, err := bodyReader(h, &connReader{r, maxRaw})
	if err != nil {
		return pageReport{}, err
	}
	page, err := want.decoders.decode(ctx, h, body)
	defer page.close()
	if err != nil {
		return pageReport{}, err
	}
	var report pageReport
	buf := make([]byte, 16<<10)
	for {
		n, err := page.Read(buf[:min(int64(len(buf)), want.limit-report.size)])
		if room := maxFirewallText - report.size; room > 0 {
			want.firewalls.write(buf[:min(int64(n), room)])
		}
		more := want.rules.read(buf[:n]) || want.page != nil
		want.page.write(buf[:n])
		report.size += int64(n)
		switch {
		case err == io.EOF:
			report.whole = true
			return report, nil
		case !more || errors.Is(err, errBodyLimit):
			report.cut = true
			return report, nil
		case errors.Is(err, errTruncated):
			return report, truncated(report, body)
		case err != nil:
			return report, err
		case report.size >= want.limit:
			report.cut = true
			return report, nil
		}
	}
}

// truncated judges a body whose encoding ended early. Browsers show what they could read of
// it. It was cut short if there is nothing to show, or if the encoding's end is the only
// sign of the body's.
func truncated(page pageReport, body framed) error {
	if page.size == 0 || body.open {
		return errCutShort
	}
	return nil
}

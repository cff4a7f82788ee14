package probe

import (
	"bytes"
	"crypto/tls"
	"io"
	"iter"
	"strings"

	"github.com/Automattic/jetmon/internal/ascii"
)

// Limits on what a server may send before the body.
const (
	// maxHeadBytes counts the final head together with all 1xx heads before it.
	maxHeadBytes = 128 << 10
	maxHeadLines = 1000
	maxInterim   = 32
)

// protocolError is a fault of a response that is not HTTP, or not valid HTTP. Its text is
// the reason in the Observation.
type protocolError string

func (e protocolError) Error() string { return "protocol: " + string(e) }

const (
	errNotHTTP      protocolError = "not_http"
	errBadStatus    protocolError = "bad_status"
	errEmptyReply   protocolError = "empty_reply"
	errHeadCut      protocolError = "header_cut_short"
	errHeadTooLarge protocolError = "header_too_large"
	errManyHeaders  protocolError = "too_many_headers"
	errManyInterim  protocolError = "too_many_1xx"
	errSwitched     protocolError = "switching_protocols"
	errBadLength    protocolError = "bad_content_length"
	errBadChunks    protocolError = "bad_chunking"
	errBadEncoding  protocolError = "bad_encoding"
	errBadHeader    protocolError = "bad_header"
	// errContradiction is a field with two values of which each says something else.
	errContradiction protocolError = "contradictory_header"
)

// head is a response's status line and header fields.
type head struct {
	proto  string
	status int
	// fields are the lines after the status line, as received.
	fields []byte
}

// lines yields names and values of the fields in order. Like browsers, it unfolds fields
// that go on in the next lines, and skips lines without a colon.
func (h head) lines() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for line, rest := cutLine(h.fields); line != nil; line, rest = cutLine(rest) {
			if len(rest) > 0 && isBlank(rest[0]) {
				line, rest = unfold(line, rest)
			}
			colon := bytes.IndexByte(line, ':')
			if colon <= 0 || isBlank(line[0]) {
				continue
			}
			name := line[:colon]
			if isBlank(name[colon-1]) {
				name = bytes.TrimRight(name, " \t")
			}
			if !yield(name, trimAround(line[colon+1:])) {
				return
			}
		}
	}
}

// cutLine cuts the next line off; line is nil when there is none.
func cutLine(b []byte) (line, rest []byte) {
	if len(b) == 0 {
		return nil, nil
	}
	if end := bytes.IndexByte(b, '\n'); end >= 0 {
		return b[:end], b[end+1:]
	}
	return b, nil
}

// unfold joins a line with those after it that begin with a blank (RFC 9112, section 5.2).
func unfold(line, rest []byte) (whole, after []byte) {
	whole = append(make([]byte, 0, len(line)+64), trimEnd(line)...)
	for len(rest) > 0 && isBlank(rest[0]) {
		line, rest = cutLine(rest)
		whole = append(append(whole, ' '), trimAround(line)...)
	}
	return whole, rest
}

// trimAround removes blanks and carriage returns from both ends.
func trimAround(b []byte) []byte {
	for len(b) > 0 && (isBlank(b[0]) || b[0] == '\r') {
		b = b[1:]
	}
	return trimEnd(b)
}

func trimEnd(b []byte) []byte {
	for n := len(b); n > 0 && (isBlank(b[n-1]) || b[n-1] == '\r'); n-- {
		b = b[:n-1]
	}
	return b
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// all yields the values of a field in order.
func (h head) all(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for n, value := range h.lines() {
			if ascii.EqualFold(n, name) && !yield(string(value)) {
				return
			}
		}
	}
}

// get returns the first value of a field, "" when there is none.
func (h head) get(name string) string {
	for v := range h.all(name) {
		return v
	}
	return ""
}

// hasToken reports whether a comma-separated field contains a token.
func (h head) hasToken(name, token string) bool {
	for v := range h.all(name) {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// headReader finds the final head in data that arrives piece by piece. It borrows the
// pieces: when the first piece has the whole head, it copies only that head and the rest.
type headReader struct {
	// kept is the data of a head that is still incomplete.
	kept []byte
	// searched is how much of kept was searched for the head's end; total is the size of
	// the earlier 1xx heads, and interim their number.
	searched, total, interim int
}

// feed takes the next piece. done is true once there is a result: the final head and the
// data after it, or an error. Errors are protocolErrors.
func (r *headReader) feed(piece []byte) (h head, rest []byte, done bool, err error) {
	b := piece
	if len(r.kept) > 0 {
		r.kept = append(r.kept, piece...)
		b = r.kept
	}
	for {
		end := endOfHead(b, r.searched)
		if end < 0 {
			break
		}
		if r.total+end > maxHeadBytes {
			return head{}, nil, true, errHeadTooLarge
		}
		h, err := parseHead(b[:end])
		switch {
		case err != nil:
			return h, nil, true, err
		case h.status >= 200:
			if err := h.contradiction(); err != nil {
				return h, nil, true, err
			}
			if rest = b[end:]; len(r.kept) == 0 {
				h.fields, rest = bytes.Clone(h.fields), bytes.Clone(rest)
			}
			return h, rest, true, nil
		case h.status == 101:
			return h, nil, true, errSwitched
		}
		if r.interim++; r.interim > maxInterim {
			return h, nil, true, errManyInterim
		}
		b, r.searched, r.total = b[end:], 0, r.total+end
	}
	r.searched = len(b)
	switch {
	case !maybeHTTP(b):
		return head{}, nil, true, errNotHTTP
	case r.total+len(b) >= maxHeadBytes:
		return head{}, nil, true, errHeadTooLarge
	}
	r.kept = append(r.kept[:0], b...)
	return head{}, nil, false, nil
}

// end returns the error for a connection that ended inside the head.
func (r *headReader) end(err error) error { return headEnd(err, r.total+len(r.kept)) }

// readHead reads up to the end of the final head; rest is what it read beyond that. It
// calls started when the first byte arrives. Errors are protocolErrors or those of in.
func readHead(in io.Reader, started func()) (h head, rest []byte, err error) {
	var r headReader
	// The first buffer is small, since many checks wait here at once.
	const restBytes = 2048
	size := 1024
	if _, ok := in.(*tls.Conn); ok {
		size = 256 // a tls.Conn has its own buffer
	}
	piece := make([]byte, size)
	for {
		n, err := in.Read(piece)
		if n == 0 && err != nil {
			return head{}, nil, r.end(err)
		}
		if n > 0 && started != nil {
			started()
			started = nil
		}
		if h, rest, done, err := r.feed(piece[:n]); done {
			return h, rest, err
		}
		if n == size && size < restBytes {
			size = restBytes // more is here
			piece = make([]byte, size)
		}
	}
}

// headEnd returns the error for a connection that ended inside the head after got bytes.
func headEnd(err error, got int) error {
	switch {
	case err != io.EOF:
		return err
	case got == 0:
		return errEmptyReply
	default:
		return errHeadCut
	}
}

// endOfHead finds the end of the blank line that ends a head; from is how far an earlier
// call searched.
func endOfHead(b []byte, from int) int {
	b2 := statusLine(b)
	skipped := len(b) - len(b2)
	i := max(0, from-skipped)
	for i > 0 && (b2[i-1] == '\r' || b2[i-1] == '\n') {
		i--
	}
	for {
		n := bytes.IndexByte(b2[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n + 1
		// Chromium takes any number of carriage returns for a blank line.
		if after := bytes.TrimLeft(b2[i:], "\r"); len(after) > 0 && after[0] == '\n' {
			return len(b) - len(after) + 1
		}
	}
}

// statusLine skips what stands before the status line: up to four bytes, as Chromium does.
// Some servers leave blank lines behind an earlier response, or a byte order mark.
func statusLine(b []byte) []byte {
	for i := range min(len(b), 4) + 1 {
		if beginsHTTP(b[i:]) {
			return b[i:]
		}
	}
	return b
}

// beginsHTTP reports whether b is, or can still become, the beginning of a status line.
func beginsHTTP(b []byte) bool {
	const start = "HTTP/"
	n := min(len(b), len(start))
	return string(b[:n]) == start[:n] || ascii.EqualFold(b[:n], start[:n])
}

// maybeHTTP reports whether b can still become a head, so that the banner of another
// protocol is recognised at once.
func maybeHTTP(b []byte) bool { return beginsHTTP(statusLine(b)) }

// parseHead parses a complete head, including its blank line.
func parseHead(b []byte) (head, error) {
	b = statusLine(b)
	switch {
	case !beginsHTTP(b):
		return head{}, errNotHTTP
	case bytes.IndexByte(b, 0) >= 0:
		return head{}, errBadHeader // every browser refuses the whole response
	case bytes.Count(b, []byte("\n")) > maxHeadLines:
		return head{}, errManyHeaders
	}
	line, fields, _ := bytes.Cut(b, []byte("\n"))
	version, after, hasStatus := bytes.Cut(bytes.TrimRight(line, "\r"), []byte(" "))
	// The version begins with a digit. Browsers take whatever follows: HTTP/2, HTTP/1.01, HTTP/11.1.
	if len(version) < 6 || !isDigits(version[5:6]) {
		return head{}, errNotHTTP
	}
	h := head{proto: protocolName(version), status: 200, fields: fields}
	if !hasStatus {
		return h, nil // Chromium and Firefox take a line without a blank for a 200
	}
	if h.status = statusOf(bytes.TrimLeft(after, " ")); h.status < 100 {
		return h, errBadStatus
	}
	return h, nil
}

// statusOf reads the digits of a status, which browsers take with zeros before them and
// with anything behind them. It returns 0 when there are none, or too many.
func statusOf(b []byte) (status int) {
	for _, c := range b {
		if c < '0' || c > '9' {
			break
		}
		if status = status*10 + int(c-'0'); status > 999 {
			return 0
		}
	}
	return status
}

// protocolName returns the version as a string, without an allocation for the common one. Of
// an odd one counts what Chromium reads: the first digit, and the one behind the first dot.
func protocolName(version []byte) string {
	if string(version) == "HTTP/1.1" {
		return "HTTP/1.1"
	}
	major, minor := version[5], byte('0')
	if len(version) == 6 {
		return "HTTP/" + string(major)
	}
	if _, after, _ := bytes.Cut(version, []byte(".")); len(after) > 0 && isDigits(after[:1]) {
		minor = after[0]
	}
	return "HTTP/" + string([]byte{major, '.', minor})
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

package probe

import (
	"bytes"
	"crypto/tls"
	"io"
	"iter"
	"strings"
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
)

// head is a response's status line and header fields.
type head struct {
	proto  string
	status int
	// fields are the lines after the status line, as received.
	fields []byte
}

// lines yields names and values of the fields in order. Like browsers, it skips lines
// without a colon and continuation lines.
func (h head) lines() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for rest := h.fields; len(rest) > 0; {
			line := rest
			if end := bytes.IndexByte(rest, '\n'); end >= 0 {
				line, rest = rest[:end], rest[end+1:]
			} else {
				rest = nil
			}
			colon := bytes.IndexByte(line, ':')
			if colon <= 0 || line[0] == ' ' || line[0] == '\t' {
				continue
			}
			name := line[:colon]
			if c := name[colon-1]; c == ' ' || c == '\t' {
				name = bytes.TrimRight(name, " \t")
			}
			if !yield(name, bytes.TrimSpace(line[colon+1:])) {
				return
			}
		}
	}
}

// all yields the values of a field in order.
func (h head) all(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for n, value := range h.lines() {
			if equalFold(n, name) && !yield(string(value)) {
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

// equalFold compares ASCII without allocating.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if lower(b[i]) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
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
	b2 := skipBlank(b)
	skipped := len(b) - len(b2)
	for i := max(0, from-skipped-2); i < len(b2); {
		n := bytes.IndexByte(b2[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n + 1
		switch after := b2[i:]; {
		case len(after) > 0 && after[0] == '\n':
			return skipped + i + 1
		case len(after) > 1 && after[0] == '\r' && after[1] == '\n':
			return skipped + i + 2
		}
	}
	return -1
}

// skipBlank skips blank lines before the status line, which some servers leave behind an
// earlier response.
func skipBlank(b []byte) []byte {
	for range 4 {
		if len(b) == 0 || b[0] != '\r' && b[0] != '\n' {
			break
		}
		b = b[1:]
	}
	return b
}

// maybeHTTP reports whether b can still become a status line, so that the banner of
// another protocol is recognised at once.
func maybeHTTP(b []byte) bool {
	const start = "HTTP/"
	b = skipBlank(b)
	n := min(len(b), len(start))
	return string(b[:n]) == start[:n]
}

// parseHead parses a complete head, including its blank line.
func parseHead(b []byte) (head, error) {
	b = skipBlank(b)
	if !maybeHTTP(b) {
		return head{}, errNotHTTP
	}
	if bytes.Count(b, []byte("\n")) > maxHeadLines {
		return head{}, errManyHeaders
	}
	line, fields, _ := bytes.Cut(b, []byte("\n"))
	version, after, _ := bytes.Cut(bytes.TrimRight(line, "\r"), []byte(" "))
	// The version is HTTP/ and one digit, with or without a second: servers write HTTP/2 too.
	if len(version) < 6 || len(version) > 8 || !isDigits(version[5:6]) ||
		len(version) == 7 || len(version) == 8 && (version[6] != '.' || !isDigits(version[7:])) {
		return head{}, errNotHTTP
	}
	after = bytes.TrimLeft(after, " ")
	if len(after) < 3 || !isDigits(after[:3]) || len(after) > 3 && after[3] != ' ' && after[3] != '\t' {
		return head{}, errBadStatus
	}
	h := head{
		proto:  protocolName(version),
		status: int(after[0]-'0')*100 + int(after[1]-'0')*10 + int(after[2]-'0'),
		fields: fields,
	}
	if h.status < 100 {
		return h, errBadStatus
	}
	return h, nil
}

// protocolName returns the version as a string, without an allocation for the common one.
func protocolName(version []byte) string {
	if string(version) == "HTTP/1.1" {
		return "HTTP/1.1"
	}
	return string(version)
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

package probe

import (
	"bytes"

	"github.com/Automattic/jetmon/internal/ascii"
)

// contradiction returns the error for a field that comes more than once with different
// values where browsers then trust nothing of the response.
func (h head) contradiction() error {
	if !h.repeats() {
		return nil // as nearly all
	}
	var length, location, disposition single
	for name, value := range h.lines() {
		switch len(name) {
		case len("Content-Length"):
			if ascii.EqualFold(name, "Content-Length") && !length.agreesWithAll(value) && !h.hasToken("Transfer-Encoding", "chunked") {
				return errBadLength
			}
		case len("Location"):
			if ascii.EqualFold(name, "Location") && !location.agrees(value) {
				return errContradiction
			}
		case len("Content-Disposition"):
			if ascii.EqualFold(name, "Content-Disposition") && !disposition.agrees(value) {
				return errContradiction
			}
		}
	}
	return nil
}

// repeats reports whether one of the fields that contradiction looks at may have two values.
func (h head) repeats() bool {
	lengths, locations, dispositions := 0, 0, 0
	begins := func(line []byte, name string) bool {
		return len(line) > len(name) && ascii.EqualFold(line[:len(name)], name)
	}
	for line, rest := cutLine(h.fields); len(line) > 0; line, rest = cutLine(rest) {
		switch c := ascii.Lower(line[0]); {
		case c == 'l' && begins(line, "Location"):
			locations++
		case c == 'c' && begins(line, "Content-Length"):
			if lengths++; bytes.IndexByte(line, ',') >= 0 || len(rest) > 0 && isBlank(rest[0]) {
				return true
			}
		case c == 'c' && begins(line, "Content-Disposition"):
			dispositions++
		}
	}
	return lengths > 1 || locations > 1 || dispositions > 1
}

// single is a field that may have one value only.
type single struct {
	seen  bool
	value []byte
}

// agrees reports whether a value is the first or the same as the first.
func (s *single) agrees(value []byte) bool {
	if s.seen {
		return bytes.Equal(s.value, value)
	}
	s.seen, s.value = true, value
	return true
}

// agreesWithAll is agrees for each value of a list; one without a byte is a value, too.
func (s *single) agreesWithAll(list []byte) bool {
	for value := range bytes.SplitSeq(list, []byte(",")) {
		if !s.agrees(trimAround(value)) {
			return false
		}
	}
	return true
}

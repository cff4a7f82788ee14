package weburl

import "strings"

// place is a part of a URL; each may hold other characters.
type place uint8

const (
	inPath place = iota
	inQuery
	inUser
)

// unsafe reports whether a byte must be percent-encoded in a part of a URL.
func (p place) unsafe(c byte) bool {
	if c <= ' ' || c >= 0x7f {
		return true
	}
	switch c {
	case '"', '<', '>', '#':
		return true
	case '\'':
		return p == inQuery
	case '?', '`', '{', '}', '^':
		return p != inQuery
	case '/', ':', ';', '=', '@', '[', '\\', ']', '|':
		return p == inUser
	}
	return false
}

// escape percent-encodes what may not stand in a part of a URL. A per cent sign stays.
func escape(s string, in place) string {
	for i := range len(s) {
		if in.unsafe(s[i]) {
			return string(appendPart(make([]byte, 0, len(s)+16), s, in))
		}
	}
	return s
}

func appendPart(b []byte, s string, in place) []byte {
	for i := range len(s) {
		if in.unsafe(s[i]) {
			b = appendEscaped(b, s[i])
		} else {
			b = append(b, s[i])
		}
	}
	return b
}

// resolveDots returns a path, which begins with a slash, without "." and "..", and escaped.
func resolveDots(path string) string {
	if isPlain(path) {
		return path
	}
	out := make([]byte, 0, len(path)+16)
	for rest := path[1:]; ; {
		segment, last := rest, true
		if i := strings.IndexAny(rest, `/\`); i >= 0 {
			segment, rest, last = rest[:i], rest[i+1:], false
		}
		switch dots(segment) {
		case 2:
			out = out[:max(0, strings.LastIndexByte(string(out), '/'))]
			fallthrough
		case 1:
			if last {
				out = append(out, '/')
			}
		default:
			out = appendPart(append(out, '/'), segment, inPath)
		}
		if last {
			return string(out)
		}
	}
}

// isPlain reports whether a path needs no change. It takes a segment that begins with a dot
// for one that does.
func isPlain(path string) bool {
	for i := range len(path) {
		switch c := path[i]; {
		case c == '\\' || inPath.unsafe(c):
			return false
		case (c == '.' || c == '%') && path[i-1] == '/':
			return false
		}
	}
	return true
}

// dots returns 1 for the segment ".", 2 for "..", else 0. Each dot may be percent-encoded.
func dots(segment string) int {
	n := 0
	for ; segment != ""; n++ {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= 3 && strings.EqualFold(segment[:3], "%2e"):
			segment = segment[3:]
		default:
			return 0
		}
	}
	if n > 2 {
		return 0
	}
	return n
}

package accesslog

import (
	"bytes"
	"time"
)

// entry is one request in a log. Its slices point into the line.
type entry struct {
	method, uri, userAgent []byte
	status                 int
	// bytes is the size of the body as sent.
	bytes int64
	// stamp is the text of the time, as 10/Oct/2000:13:55:36 -0700.
	stamp []byte
}

// parse parses a line of the common or combined format. It ignores everything before the
// time (a virtual host, addresses, users) and after the user agent.
func parse(line []byte) (e entry, ok bool) {
	open := bytes.Index(line, []byte(" ["))
	if open < 0 || bytes.IndexByte(line, 0) >= 0 {
		return e, false
	}
	rest := line[open+2:]
	end := bytes.IndexByte(rest, ']')
	if end < 0 {
		return e, false
	}
	e.stamp, rest = rest[:end], rest[end+1:]
	request, rest, ok := quoted(rest)
	if !ok {
		return e, false
	}
	if e.status, rest, ok = status(rest); !ok {
		return e, false
	}
	if e.bytes, rest, ok = size(rest); !ok {
		return e, false
	}
	e.method, e.uri, ok = splitRequest(request)
	if !ok {
		return e, false
	}
	if _, rest, ok = quoted(rest); ok { // the referrer
		e.userAgent, _, _ = quoted(rest)
	}
	return e, true
}

// quoted reads a quoted text after blanks; \" inside the text does not end it.
func quoted(b []byte) (text, rest []byte, ok bool) {
	b = bytes.TrimLeft(b, " ")
	if len(b) == 0 || b[0] != '"' {
		return nil, b, false
	}
	b = b[1:]
	for from := 0; ; {
		i := bytes.IndexByte(b[from:], '"')
		if i < 0 {
			return nil, b, false
		}
		i += from
		escapes := 0
		for escapes < i && b[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return b[:i], b[i+1:], true
		}
		from = i + 1
	}
}

func status(b []byte) (code int, rest []byte, ok bool) {
	b = bytes.TrimLeft(b, " ")
	if len(b) < 3 || len(b) > 3 && b[3] != ' ' {
		return 0, b, false
	}
	for _, c := range b[:3] {
		if c < '0' || c > '9' {
			return 0, b, false
		}
		code = code*10 + int(c-'0')
	}
	return code, b[3:], true
}

// maxSize is larger than any response, and prevents sums from overflowing.
const maxSize = 1 << 44

// size reads a number of bytes; "-" is none.
func size(b []byte) (n int64, rest []byte, ok bool) {
	b = bytes.TrimLeft(b, " ")
	if len(b) > 0 && b[0] == '-' {
		return 0, b[1:], true
	}
	i := 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if n = n*10 + int64(b[i]-'0'); n > maxSize {
			return 0, b, false
		}
	}
	return n, b[i:], i > 0 && (i == len(b) || b[i] == ' ')
}

// splitRequest parses "POST /x HTTP/1.1". Scanners send anything; an invalid request gets
// the method "-".
func splitRequest(request []byte) (method, uri []byte, ok bool) {
	space := bytes.IndexByte(request, ' ')
	if space <= 0 || space > 16 {
		return []byte("-"), nil, true
	}
	method, uri = request[:space], request[space+1:]
	if end := bytes.LastIndexByte(uri, ' '); end >= 0 && bytes.HasPrefix(uri[end+1:], []byte("HTTP/")) {
		uri = uri[:end]
	}
	for _, c := range method {
		if (c < 'A' || c > 'Z') && c != '_' && c != '-' {
			return []byte("-"), nil, true
		}
	}
	return method, uri, true
}

// stampLayout is the time format of access logs.
const stampLayout = "02/Jan/2006:15:04:05 -0700"

// when parses an entry's time; it returns the zero time when it cannot.
func when(stamp []byte) time.Time {
	at, err := time.Parse(stampLayout, string(stamp))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

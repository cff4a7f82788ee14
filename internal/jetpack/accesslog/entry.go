package accesslog

import (
	"bytes"
	"time"
)

// entry is one request in a log. Its slices point into the line, or into the parser's scratch.
type entry struct {
	method, uri, userAgent []byte
	status                 int
	// bytes is the size of the body as sent.
	bytes int64
	// stamp is the text of the time, as 10/Oct/2000:13:55:36 -0700.
	stamp []byte
	// source is who asked whom, as the log has it: a client with its port, a virtual host.
	source []byte
	// tail is what follows the user agent in a text line; a response time may be there.
	tail []byte
	// took is how long the response took; 0 when the log does not say.
	took time.Duration
	// server is the software that wrote the line, as far as the line shows it.
	server Server
}

// parser parses lines of any known format. An entry is valid until the next line.
type parser struct {
	json scanner
}

// parse parses a line of JSON, of AWS's load balancer, or of the common or combined format.
func (p *parser) parse(line []byte) (e entry, ok bool) {
	switch {
	case len(line) == 0 || bytes.IndexByte(line, 0) >= 0:
		return e, false
	case line[0] == '{':
		return p.json.entry(line)
	case isBalancer(line):
		return parseBalancer(line)
	}
	return parseText(line)
}

// parseText parses a line of the common or combined format. Before the time it looks only for
// who asked (a virtual host, addresses, users), and after the user agent for a response time.
func parseText(line []byte) (e entry, ok bool) {
	open := bytes.Index(line, []byte(" ["))
	if open < 0 {
		return e, false
	}
	e.source = line[:open]
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
	e.method, e.uri = splitRequest(request)
	if _, rest, ok = quoted(rest); ok { // the referrer
		e.userAgent, e.tail, _ = quoted(rest)
	}
	e.server = serverOf(&e, line)
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
func splitRequest(request []byte) (method, uri []byte) {
	space := bytes.IndexByte(request, ' ')
	if space <= 0 || space > 16 {
		return []byte("-"), nil
	}
	method, uri = request[:space], request[space+1:]
	if end := bytes.LastIndexByte(uri, ' '); end >= 0 && bytes.HasPrefix(uri[end+1:], []byte("HTTP/")) {
		uri = uri[:end]
	}
	if !isMethod(method) {
		return []byte("-"), nil
	}
	return method, uri
}

func isMethod(b []byte) bool {
	for _, c := range b {
		if (c < 'A' || c > 'Z') && c != '_' && c != '-' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 16
}

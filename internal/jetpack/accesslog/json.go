package accesslog

import (
	"bytes"
	"time"
	"unicode/utf8"
)

// maxDepth limits how deep the members of a JSON line are read.
const maxDepth = 8

// scanner reads lines of JSON without allocating. It gives the members of nested objects the
// names of both, and to an array its first element: "request": {"headers": {"User-Agent":
// ["x"]}} is requestheadersuseragent. It accepts what servers write by mistake: an empty
// value, and \x22 in a text.
type scanner struct {
	line []byte
	at   int
	// key is the name of the current member, in lower case and without - _ . @ and $.
	key []byte
	// scratch holds the texts that had escapes.
	scratch []byte
	fields  fields
}

// fields are the members of a line that matter.
type fields struct {
	method, uri, request, query, status, bytes, sent, agent, stamp, took []byte
	// source has everything that says who asked whom.
	source []byte
	server Server
}

// entry parses a line.
func (s *scanner) entry(line []byte) (e entry, ok bool) {
	source := s.fields.source[:0]
	s.line, s.at, s.key, s.scratch, s.fields = line, 0, s.key[:0], s.scratch[:0], fields{source: source}
	if !s.value(0) {
		return e, false
	}
	if s.blanks(); s.at != len(line) {
		return e, false
	}
	return s.fields.entry()
}

func (f *fields) entry() (e entry, ok bool) {
	e.method, e.uri = f.method, f.uri
	if bytes.IndexByte(f.request, ' ') > 0 {
		e.method, e.uri = splitRequest(f.request)
	} else if len(e.uri) == 0 {
		e.uri = f.request
	}
	if len(f.uri) == 0 && len(f.request) == 0 {
		return e, false
	}
	if !isMethod(e.method) {
		e.method = []byte("-")
	}
	e.uri = withoutHost(e.uri)
	if query := bytes.TrimPrefix(f.query, []byte("?")); len(query) > 0 && string(query) != "-" && bytes.IndexByte(e.uri, '?') < 0 {
		e.uri = append(append(bytes.Clone(e.uri), '?'), query...)
	}
	if e.status, _, ok = status(f.status); !ok {
		return e, false
	}
	if len(f.bytes) == 0 {
		f.bytes = f.sent
	}
	if e.bytes, _, ok = size(f.bytes); !ok && len(f.bytes) > 0 {
		return e, false
	}
	e.userAgent, e.stamp, e.source, e.server = f.agent, f.stamp, f.source, f.server
	if e.took = seconds(f.took); f.server == ServerTraefik {
		e.took, _ = nanoseconds(f.took)
	}
	return e, true
}

// nanoseconds reads a whole number of nanoseconds.
func nanoseconds(text []byte) (time.Duration, bool) {
	n, _, ok := size(text)
	if !ok || time.Duration(n) > maxTook {
		return 0, false
	}
	return time.Duration(n), true
}

// set keeps the value of the current member, if it matters.
func (s *scanner) set(value []byte) {
	f := &s.fields
	to := &f.method
	switch string(s.key) {
	case "requestmethod", "method", "verb", "httprequestmethod", "httpmethod":
	case "requesturi", "uri", "url", "urloriginal", "path", "requestpath", "urlpath", "requesturl", "httprequestrequesturl":
		to = &f.uri
	case "request", "requestline":
		to = &f.request
	case "args", "querystring", "query", "urlquery":
		to = &f.query
	case "downstreamstatus":
		f.server = ServerTraefik
		to = &f.status
	case "status", "statuscode", "httpresponsestatuscode", "responsestatus", "responsecode", "httpstatus", "httprequeststatus":
		to = &f.status
	case "bodybytessent":
		f.server = ServerNginx
		to = &f.bytes
	case "size", "downstreamcontentsize", "bytes", "responsesize", "httpresponsebodybytes", "bytesout", "responsebytes":
		to = &f.bytes
	case "bytessent":
		to = &f.sent
	case "httpuseragent", "useragent", "agent", "requestuseragent", "useragentoriginal", "requestheadersuseragent":
		to = &f.agent
	case "timeiso8601", "timelocal", "time", "timestamp", "ts", "startutc", "msec", "datetime", "starttime":
		to = &f.stamp
	case "requesttime", "duration", "responsetime":
		to = &f.took
	case "logger":
		if bytes.HasPrefix(value, []byte("http.log.access")) {
			f.server = ServerCaddy
		}
		return
	case "remoteaddr", "remoteip", "remoteport", "clientip", "clientport", "clientaddr", "client", "ip", "host", "vhost", "servername",
		"serverport", "requestremoteip", "requestremoteport", "requestremoteaddr", "requesthost", "sourceip", "entrypointname":
		f.source = append(append(f.source, value...), ' ')
		return
	default:
		return
	}
	if len(*to) == 0 {
		*to = value
	}
}

func (s *scanner) blanks() {
	for s.at < len(s.line) && (s.line[s.at] == ' ' || s.line[s.at] == '\t') {
		s.at++
	}
}

// take skips blanks and then c, if it comes next.
func (s *scanner) take(c byte) bool {
	if s.blanks(); s.at == len(s.line) || s.line[s.at] != c {
		return false
	}
	s.at++
	return true
}

// value reads the value of the current member.
func (s *scanner) value(depth int) bool {
	s.blanks()
	switch {
	case depth > maxDepth || s.at == len(s.line):
		return false
	case s.take('{'):
		return s.object(depth)
	case s.take('['):
		return s.array(depth)
	case s.take('"'):
		text, ok := s.text()
		if ok {
			s.set(text)
		}
		return ok
	}
	from := s.at
	for s.at < len(s.line) && bytes.IndexByte([]byte(",}] \t\"{[:"), s.line[s.at]) < 0 {
		s.at++
	}
	if literal := s.line[from:s.at]; string(literal) != "null" {
		s.set(literal)
	}
	return true
}

func (s *scanner) object(depth int) bool {
	if s.take('}') {
		return true
	}
	for {
		if !s.take('"') {
			return false
		}
		name, ok := s.text()
		if !ok || !s.take(':') {
			return false
		}
		outer := len(s.key)
		for _, c := range name[:min(len(name), 64)] {
			switch {
			case c >= 'A' && c <= 'Z':
				s.key = append(s.key, c+'a'-'A')
			case bytes.IndexByte([]byte("-_.@$"), c) < 0:
				s.key = append(s.key, c)
			}
		}
		ok = s.value(depth + 1)
		s.key = s.key[:outer]
		if !ok {
			return false
		}
		if !s.take(',') {
			return s.take('}')
		}
	}
}

// array reads an array, whose first text or number is the member's value.
func (s *scanner) array(depth int) bool {
	if s.take(']') {
		return true
	}
	for {
		if !s.value(depth + 1) {
			return false
		}
		if !s.take(',') {
			return s.take(']')
		}
	}
}

// text reads a text after its opening quote.
func (s *scanner) text() ([]byte, bool) {
	rest := s.line[s.at:]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return nil, false
	}
	if bytes.IndexByte(rest[:end], '\\') < 0 {
		s.at += end + 1
		return rest[:end], true
	}
	from := len(s.scratch)
	for s.at < len(s.line) {
		c := s.line[s.at]
		s.at++
		switch c {
		case '"':
			return s.scratch[from:len(s.scratch):len(s.scratch)], true
		case '\\':
			if !s.escape() {
				return nil, false
			}
		default:
			s.scratch = append(s.scratch, c)
		}
	}
	return nil, false
}

// escape reads an escape after its backslash.
func (s *scanner) escape() bool {
	if s.at == len(s.line) {
		return false
	}
	c := s.line[s.at]
	s.at++
	switch c {
	case 'n':
		c = '\n'
	case 't':
		c = '\t'
	case 'r':
		c = '\r'
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'u':
		r, ok := s.hex(4)
		s.scratch = utf8.AppendRune(s.scratch, r)
		return ok
	case 'x':
		r, ok := s.hex(2)
		s.scratch = append(s.scratch, byte(r))
		return ok
	}
	s.scratch = append(s.scratch, c)
	return true
}

func (s *scanner) hex(digits int) (r rune, ok bool) {
	if s.at+digits > len(s.line) {
		return 0, false
	}
	for _, c := range s.line[s.at : s.at+digits] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	s.at += digits
	return r, true
}

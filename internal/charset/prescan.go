package charset

import "bytes"

// prescan finds the encoding that a page declares in b, its beginning, by the HTML
// Standard's algorithm of this name. Of an XML page only the XML declaration counts; in
// another one it counts when the page declares nothing else, so b must be all there is.
func prescan(b []byte, xml, all bool) (Encoding, bool) {
	switch {
	case bytes.HasPrefix(b, []byte("<\x00?\x00x\x00")):
		return named(utf16leName, 0), true
	case bytes.HasPrefix(b, []byte("\x00<\x00?\x00x")):
		return named(utf16beName, 0), true
	}
	if !xml {
		s := scanner{b: b}
		for s.at < len(s.b) {
			if e, ok := s.step(); ok {
				return e, true
			}
		}
	}
	if !xml && !all {
		return Encoding{}, false
	}
	return xmlDeclaration(b)
}

// scanner walks over the beginning of a page.
type scanner struct {
	b  []byte
	at int
}

// step passes over one thing: a comment, a tag, another piece of markup, or a byte.
func (s *scanner) step() (Encoding, bool) {
	rest := s.b[s.at:]
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		s.skipPast("-->", 2)
	case isMeta(rest):
		s.at += len("<meta")
		return s.meta()
	case isTag(rest):
		for s.at < len(s.b) && !isSpace(s.b[s.at]) && s.b[s.at] != '>' {
			s.at++
		}
		for {
			if _, _, ok := s.attribute(); !ok {
				break
			}
		}
	case len(rest) > 1 && rest[0] == '<' && (rest[1] == '!' || rest[1] == '/' || rest[1] == '?'):
		s.skipPast(">", 0)
	default:
		s.at++
	}
	return Encoding{}, false
}

// skipPast moves behind the next mark, from a place that is ahead bytes further on.
func (s *scanner) skipPast(mark string, ahead int) {
	from := min(s.at+ahead, len(s.b))
	if i := bytes.Index(s.b[from:], []byte(mark)); i >= 0 {
		s.at = from + i + len(mark)
		return
	}
	s.at = len(s.b)
}

func isMeta(b []byte) bool {
	return len(b) > 5 && bytes.EqualFold(b[:5], []byte("<meta")) && (isSpace(b[5]) || b[5] == '/')
}

func isTag(b []byte) bool {
	if len(b) > 2 && b[0] == '<' && b[1] == '/' {
		b = b[1:]
	}
	return len(b) > 1 && (b[0] == '<' || b[0] == '/') && isLetter(b[1])
}

func isSpace(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// meta reads the attributes of a meta element and returns the encoding that it declares.
func (s *scanner) meta() (e Encoding, ok bool) {
	var seen [3]bool // http-equiv, content, charset
	var pragma, needsPragma, valid bool
	for {
		name, value, more := s.attribute()
		if !more {
			break
		}
		switch string(name) {
		case "http-equiv":
			if !seen[0] {
				pragma = string(value) == "content-type"
			}
			seen[0] = true
		case "content":
			if c, found := inContent(value); found && !seen[1] && !seen[2] {
				e, valid, needsPragma = c, true, true
			}
			seen[1] = true
		case "charset":
			if !seen[2] {
				e, valid = Lookup(string(value))
				needsPragma = false
			}
			seen[2] = true
		}
	}
	if !valid || needsPragma && !pragma || s.at >= len(s.b) {
		return Encoding{}, false
	}
	return e.inMeta(), true
}

// attribute reads the next attribute of a tag, in lower case; ok is false at the tag's end.
func (s *scanner) attribute() (name, value []byte, ok bool) {
	for s.at < len(s.b) && (isSpace(s.b[s.at]) || s.b[s.at] == '/') {
		s.at++
	}
	if s.at >= len(s.b) || s.b[s.at] == '>' {
		return nil, nil, false
	}
	from := s.at
	for s.at < len(s.b) {
		c := s.b[s.at]
		if isSpace(c) || c == '/' || c == '>' || c == '=' && s.at > from {
			break
		}
		s.at++
	}
	name = bytes.ToLower(s.b[from:s.at])
	s.skipSpace()
	if s.at >= len(s.b) || s.b[s.at] != '=' {
		return name, nil, s.at < len(s.b)
	}
	s.at++
	s.skipSpace()
	value, ok = s.value()
	return name, bytes.ToLower(value), ok
}

func (s *scanner) skipSpace() {
	for s.at < len(s.b) && isSpace(s.b[s.at]) {
		s.at++
	}
}

// value reads an attribute's value; ok is false when the bytes end in it.
func (s *scanner) value() (value []byte, ok bool) {
	if s.at >= len(s.b) {
		return nil, false
	}
	if quote := s.b[s.at]; quote == '"' || quote == '\'' {
		from := s.at + 1
		end := bytes.IndexByte(s.b[from:], quote)
		if end < 0 {
			s.at = len(s.b)
			return nil, false
		}
		s.at = from + end + 1
		return s.b[from : from+end], true
	}
	from := s.at
	for s.at < len(s.b) && !isSpace(s.b[s.at]) && s.b[s.at] != '>' {
		s.at++
	}
	return s.b[from:s.at], s.at < len(s.b)
}

// inContent returns the encoding in the content of a meta element.
func inContent(content []byte) (Encoding, bool) {
	for {
		_, after, found := bytes.Cut(content, []byte("charset"))
		if !found {
			return Encoding{}, false
		}
		content = after
		label := bytes.TrimLeft(after, " \t\n\f\r")
		if len(label) == 0 || label[0] != '=' {
			continue
		}
		label = bytes.TrimLeft(label[1:], " \t\n\f\r")
		if len(label) == 0 {
			return Encoding{}, false
		}
		end := bytes.IndexAny(label, "; \t\n\f\r")
		if quote := label[0]; quote == '"' || quote == '\'' {
			label = label[1:]
			if end = bytes.IndexByte(label, quote); end < 0 {
				return Encoding{}, false
			}
		}
		if end < 0 {
			end = len(label)
		}
		return Lookup(string(label[:end]))
	}
}

// xmlDeclaration returns the encoding that an XML declaration names.
func xmlDeclaration(b []byte) (Encoding, bool) {
	if !bytes.HasPrefix(b, []byte("<?xml")) {
		return Encoding{}, false
	}
	end := bytes.IndexByte(b, '>')
	if end < 0 {
		return Encoding{}, false
	}
	const blanks = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\v\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f "
	_, after, found := bytes.Cut(b[:end], []byte("encoding"))
	after = bytes.TrimLeft(after, blanks)
	if !found || len(after) == 0 || after[0] != '=' {
		return Encoding{}, false
	}
	after = bytes.TrimLeft(after[1:], blanks)
	if len(after) == 0 || after[0] != '"' && after[0] != '\'' {
		return Encoding{}, false
	}
	label, _, closed := bytes.Cut(after[1:], after[:1])
	if !closed || bytes.ContainsAny(label, blanks) {
		return Encoding{}, false
	}
	e, ok := Lookup(string(label))
	return e.inMeta(), ok
}

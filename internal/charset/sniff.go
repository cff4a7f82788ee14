package charset

import "bytes"

// maxSniff is how many bytes of a page are searched for a declaration.
const maxSniff = 1024

// Sniffer finds the encoding of one page from its beginning.
type Sniffer struct {
	media  mediaType
	begins []byte
	// over is true once the encoding is settled.
	over    bool
	settled Encoding
}

// NewSniffer returns the sniffer for a response with these Content-Type fields.
func NewSniffer(contentType ...string) *Sniffer {
	return &Sniffer{media: parseContentType(contentType)}
}

// Feed takes the next piece of the page. It returns the encoding as soon as it is settled,
// and then also all bytes that were held back until then, including this piece.
func (s *Sniffer) Feed(piece []byte) (e Encoding, held []byte, ok bool) {
	if s.over {
		return s.settled, piece, true
	}
	if len(s.begins) == 0 {
		held = piece
	} else {
		s.begins = append(s.begins, piece...)
		held = s.begins
	}
	if e, ok = s.decide(held, false); !ok {
		if len(s.begins) == 0 {
			s.begins = append(s.begins, piece...)
		}
		return Encoding{}, nil, false
	}
	s.begins = nil
	return e, held, true
}

// End settles the encoding of a page that has no more bytes.
func (s *Sniffer) End() (e Encoding, held []byte) {
	e, _ = s.decide(s.begins, true)
	held, s.begins = s.begins, nil
	return e, held
}

// MayBeWide reports whether the page could still turn out to be in UTF-16, as far as its
// first bytes tell.
func (s *Sniffer) MayBeWide() bool {
	return !s.over && (len(s.begins) < 2 || isWide(s.begins))
}

func isWide(b []byte) bool {
	return b[0] == 0xfe && b[1] == 0xff || b[0] == 0xff && b[1] == 0xfe || b[0] == 0 || b[1] == 0
}

// decide settles the encoding if the bytes so far allow it; last is true when no more come.
func (s *Sniffer) decide(b []byte, last bool) (e Encoding, ok bool) {
	if s.over {
		return s.settled, true
	}
	e, ok = s.declared(b[:min(len(b), maxSniff)], last || len(b) >= maxSniff)
	if ok {
		s.over, s.settled = true, e
	}
	return e, ok
}

// declared finds the declaration in b; last is true when no more bytes count.
func (s *Sniffer) declared(b []byte, last bool) (e Encoding, ok bool) {
	const mark = "\xef\xbb\xbf"
	switch {
	case bytes.HasPrefix(b, []byte(mark)):
		return named(utf8Name, len(mark)), true
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		return named(utf16beName, 2), true
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		return named(utf16leName, 2), true
	case !last && len(b) < len(mark):
		return Encoding{}, false
	}
	if e, ok := Lookup(s.media.charset); ok {
		return e, true
	}
	if s.media.kind == jsonPage {
		return named(utf8Name, 0), true
	}
	if s.media.kind != plainPage {
		if e, ok := prescan(b, s.media.kind == xmlPage, last); ok {
			return e, true
		}
	}
	if !last && s.media.kind != plainPage {
		return Encoding{}, false
	}
	if s.media.kind == xmlPage {
		return named(utf8Name, 0), true
	}
	e = named(fallbackName, 0)
	e.Declared = false
	return e, true
}

package page

import "bytes"

// The kinds of elements that show nothing but their text: inline ones do not separate it.
const inline, block = "inline", "block"

// elements holds the elements that matter, by name. Another one can show something without
// text.
var elements = map[string]string{
	"b": inline, "i": inline, "em": inline, "strong": inline, "span": inline, "code": inline, "small": inline,
	"u": inline, "s": inline, "sub": inline, "sup": inline, "font": inline, "mark": inline, "tt": inline, "kbd": inline,
	"head": block, "p": block, "br": block, "hr": block, "center": block, "base": block, "h2": block, "h3": block,
	"pre": block, "address": block, "ul": block, "ol": block, "li": block,
	"a": "a", "html": "html", "body": "body", "title": "title", "h1": "h1", "div": "div", "script": "script",
	"style": "style", "link": "link", "meta": "meta", "template": "template", "noscript": "noscript",
	"textarea": "textarea", "iframe": "iframe", "frame": "frame", "noembed": "noembed", "noframes": "noframes",
	"xmp": "xmp", "area": "area", "form": "form",
}

// collector collects visible text: the beginning and the end of it.
type collector struct {
	first, last []byte
	size        int
	// blank is true when a blank is due before the next word, which is space.
	blank bool
	space [1]byte
}

func (c *collector) gap() { c.blank = true }

func (c *collector) write(raw []byte) {
	c.space[0] = ' '
	for len(raw) > 0 {
		if n := blanks(raw); n > 0 {
			c.blank, raw = true, raw[n:]
			continue
		}
		end := 1
		for end < len(raw) && blanks(raw[end:]) == 0 {
			end++
		}
		if c.blank && c.size > 0 {
			c.put(c.space[:])
		}
		c.blank = false
		c.put(raw[:end])
		raw = raw[end:]
	}
}

// blanks returns the length of the blank at the beginning of b, 0 when there is none.
func blanks(b []byte) int {
	switch b[0] {
	case ' ', '\t', '\n', '\f', '\r':
		return 1
	case 0xc2:
		if len(b) > 1 && b[1] == 0xa0 { // the hard blank
			return 2
		}
	}
	return 0
}

func (c *collector) put(b []byte) {
	c.size += len(b)
	if room := maxText - len(c.first); room > 0 {
		c.first = append(c.first, b[:min(len(b), room)]...)
	}
	c.last = append(c.last, b...)
	if len(c.last) > 2*maxEnding {
		c.last = append(c.last[:0], c.last[len(c.last)-maxEnding:]...)
	}
}

func (c *collector) begin() string { return string(bytes.ToValidUTF8(c.first, nil)) }

func (c *collector) end() string {
	return string(bytes.ToValidUTF8(c.last[max(0, len(c.last)-maxEnding):], nil))
}

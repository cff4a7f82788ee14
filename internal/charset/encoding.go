package charset

import (
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

// The names of encodings with a rule of their own.
const (
	utf8Name     = "utf-8"
	utf16leName  = "utf-16le"
	utf16beName  = "utf-16be"
	gbkName      = "gbk"
	gb18030Name  = "gb18030"
	userName     = "x-user-defined"
	fallbackName = "windows-1252"
)

// Encoding is one encoding of the Encoding Standard.
type Encoding struct {
	// Name is the standard's name in lower case.
	Name string
	// Declared is false when nothing names the encoding, so that it is a guess.
	Declared bool
	// mark is the length of the byte order mark at the beginning of the page.
	mark  int
	codec encoding.Encoding
}

// Lookup returns the encoding for a label.
func Lookup(label string) (Encoding, bool) {
	label = strings.ToLower(strings.Trim(label, " \t\n\f\r"))
	if label == "" {
		return Encoding{}, false
	}
	codec, err := htmlindex.Get(label)
	if err != nil || codec == nil {
		return Encoding{}, false
	}
	name, err := htmlindex.Name(codec)
	if err != nil {
		return Encoding{}, false
	}
	if name == gbkName { // the standard decodes both alike
		if wider, err := htmlindex.Get(gb18030Name); err == nil {
			codec = wider
		}
	}
	return Encoding{Name: name, Declared: true, codec: codec}, true
}

func named(name string, mark int) Encoding {
	e, _ := Lookup(name)
	e.mark = mark
	return e
}

// WithoutMark returns the encoding for a part of a page behind its beginning.
func (e Encoding) WithoutMark() Encoding {
	e.mark = 0
	return e
}

// IsUTF8 reports whether the page's bytes are UTF-8 already.
func (e Encoding) IsUTF8() bool { return e.Name == utf8Name }

// KeepsASCII reports whether every byte below 0x80 stands for itself, so that ASCII text
// can be searched for in the bytes as they are.
func (e Encoding) KeepsASCII() bool {
	if e.IsUTF8() {
		return true
	}
	_, oneByte := e.codec.(*charmap.Charmap)
	return oneByte || e.Name == userName || e.Name == "iso-8859-8-i" || e.Name == "iso-8859-8"
}

// inMeta is the encoding that a declaration inside the page means: a page whose bytes
// could be read as far as the declaration cannot be in UTF-16.
func (e Encoding) inMeta() Encoding {
	switch e.Name {
	case utf16leName, utf16beName:
		return named(utf8Name, 0)
	case userName:
		return named(fallbackName, 0)
	}
	return e
}

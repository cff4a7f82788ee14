package charset

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// page makes a page that declares its encoding with a meta element.
func page(meta, body string) string {
	return "<!DOCTYPE html>\n<html><head>" + meta + "<title>x</title></head><body>" + body + "</body></html>"
}

func TestEveryEncodingOfTheStandard(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		e, ok := Lookup(strings.ToUpper(" " + s.label + "\n"))
		if !ok {
			t.Errorf("%s is not known", s.label)
			continue
		}
		for _, size := range []int{1, 2, 3, 7, 5000} {
			if got := inPieces(e.Decoder(), s.bytes, size); got != s.text {
				t.Errorf("%s in pieces of %d: got %q, want %q", s.label, size, got, s.text)
			}
		}
	}
}

func inPieces(d *Decoder, s string, size int) string {
	var b strings.Builder
	keep := func(p []byte) { b.Write(p) }
	for len(s) > 0 {
		n := min(size, len(s))
		d.Write([]byte(s[:n]), keep)
		s = s[n:]
	}
	d.End(keep)
	return b.String()
}

func TestASCIIStandsForItself(t *testing.T) {
	t.Parallel()
	not := map[string]bool{
		"gbk": true, "gb18030": true, "big5": true, "euc-jp": true, "iso-2022-jp": true, "shift_jis": true, "euc-kr": true,
		"utf-16be": true, "utf-16le": true, "replacement": true,
	}
	var ascii strings.Builder
	for c := range byte(0x80) {
		ascii.WriteByte(c)
	}
	for _, s := range samples() {
		e, _ := Lookup(s.label)
		if e.KeepsASCII() == not[e.Name] {
			t.Errorf("%s: KeepsASCII is %v", s.label, e.KeepsASCII())
		}
		if got := inPieces(e.Decoder(), ascii.String(), 1000); e.KeepsASCII() && got != ascii.String() {
			t.Errorf("%s: ASCII becomes %q", s.label, got)
		}
	}
}

// declarations are the cases of the HTML Standard, and those that the W3C's and the Web
// Platform's tests of encodings are about.
func declarations() []struct{ name, contentType, page, want string } {
	const pragma = `<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-15">`
	far := strings.Repeat(" ", 1024)
	return []struct{ name, contentType, page, want string }{
		{"nothing", "text/html", page("", "x"), "windows-1252?"},
		{"no page", "", "", "windows-1252?"},
		{"HTTP", "text/html; charset=iso-8859-15", page("", "x"), "iso-8859-15"},
		{"HTTP with quotes", `text/html;charset="iso-8859-15"`, page("", "x"), "iso-8859-15"},
		{"HTTP with a missing quote", `text/html;charset="iso-8859-15`, page("", "x"), "iso-8859-15"},
		{"HTTP with blanks and case", "Text/HTML ;  Charset=ISO-8859-15 ", page("", "x"), "iso-8859-15"},
		{"HTTP with other parameters", "text/html; a=b; charset=iso-8859-15; charset=utf-8;;", page("", "x"), "iso-8859-15"},
		{"HTTP with apostrophes is no label", "text/html; charset='iso-8859-15'", page(`<meta charset=koi8-r>`, "x"), "koi8-r"},
		{"HTTP unknown", "text/html; charset=klingon", page(`<meta charset="koi8-r">`, "x"), "koi8-r"},
		{"HTTP empty", "text/html; charset=", page(`<meta charset="koi8-r">`, "x"), "koi8-r"},
		{"HTTP without a type", "charset=iso-8859-15", page("", "x"), "windows-1252?"},
		{"HTTP against meta", "text/html; charset=iso-8859-15", page(`<meta charset="iso-8859-1">`, "x"), "iso-8859-15"},
		{"HTTP against pragma", "text/html; charset=iso-8859-1", page(pragma, "x"), "windows-1252"},
		{"HTTP against the mark of UTF-8", "text/html; charset=iso-8859-15", "\ufeff" + page("", "x"), "utf-8"},
		{"mark of UTF-16LE", "text/html; charset=iso-8859-15", "\xff\xfex\x00", "utf-16le"},
		{"mark of UTF-16BE", "text/html; charset=utf-8", "\xfe\xff\x00x", "utf-16be"},
		{"mark of UTF-8 against meta", "text/html", "\ufeff" + page(`<meta charset="iso-8859-15">`, "x"), "utf-8"},
		{"meta", "text/html", page(`<meta charset="iso-8859-15">`, "x"), "iso-8859-15"},
		{"meta without quotes", "text/html", page(`<META CHARSET=ISO-8859-15>`, "x"), "iso-8859-15"},
		{"meta with a slash", "text/html", page(`<meta/charset=iso-8859-15/>`, "x"), "windows-1252?"},
		{"pragma", "text/html", page(pragma, "x"), "iso-8859-15"},
		{"pragma in the other order", "text/html", page(`<meta content='text/html;charset = "iso-8859-15"' http-equiv=content-type>`, "x"), "iso-8859-15"},
		{"content without pragma", "text/html", page(`<meta content="text/html;charset=iso-8859-15">`, "x"), "windows-1252?"},
		{"content with several words", "text/html", page(`<meta http-equiv=content-type content="charset x charset=koi8-r">`, "x"), "koi8-r"},
		{"content with an open quote", "text/html", page(`<meta http-equiv=content-type content="charset='koi8-r">`, "x"), "windows-1252?"},
		{"charset against content", "text/html", page(`<meta charset=koi8-u http-equiv=content-type content="charset=koi8-r">`, "x"), "koi8-u"},
		{"unknown, then known", "text/html", page(`<meta charset=klingon><meta charset=koi8-r>`, "x"), "koi8-r"},
		{"in a comment", "text/html", page(`<!-- <meta charset=koi8-r> -->`, "x"), "windows-1252?"},
		{"behind a short comment", "text/html", page(`<!--><meta charset=koi8-r>`, "x"), "koi8-r"},
		{"in an attribute", "text/html", page(`<link title="<meta charset=koi8-r>">`, "x"), "windows-1252?"},
		{"in a script counts", "text/html", page(`<script>"<meta charset=koi8-r>"</script>`, "x"), "koi8-r"},
		{"UTF-16 in meta means UTF-8", "text/html", page(`<meta charset=utf-16>`, "x"), "utf-8"},
		{"x-user-defined in meta", "text/html", page(`<meta charset=x-user-defined>`, "x"), "windows-1252"},
		{"beyond the limit", "text/html", far + page(`<meta charset=koi8-r>`, "x"), "windows-1252?"},
		{"cut by the limit", "text/html", far[:1010] + `<meta charset=koi8-r>`, "windows-1252?"},
		{"XML declaration in HTML", "text/html", `<?xml version="1.0" encoding="koi8-r"?><html>`, "koi8-r"},
		{"meta against XML declaration", "text/html", `<?xml version="1.0" encoding="koi8-r"?>` + page(`<meta charset=koi8-u>`, "x"), "koi8-u"},
		{"UTF-16 without a mark", "text/html", "<\x00?\x00x\x00m\x00l\x00", "utf-16le"},
		{"UTF-16BE without a mark", "text/html", "\x00<\x00?\x00x\x00m\x00l", "utf-16be"},
		{"XML", "application/rss+xml", `<?xml version='1.0' encoding = 'koi8-r' ?><rss>`, "koi8-r"},
		{"XML without a declaration", "text/xml", `<a>`, "utf-8"},
		{"XML takes no meta", "application/xhtml+xml", page(`<meta charset=koi8-r>`, "x"), "utf-8"},
		{"JSON", "application/json", `{"a":"b"}`, "utf-8"},
		{"plain text takes no meta", "text/plain", page(`<meta charset=koi8-r>`, "x"), "windows-1252?"},
		{"no known type is HTML", "", page(`<meta charset=koi8-r>`, "x"), "koi8-r"},
	}
}

func TestDeclarations(t *testing.T) {
	t.Parallel()
	for _, c := range declarations() {
		for _, size := range []int{1, 5, 100, 5000} {
			e, all := sniffed(NewSniffer(c.contentType), []byte(c.page), size)
			got := e.Name
			if !e.Declared {
				got += "?"
			}
			if got != c.want || all != c.page {
				t.Errorf("%s, in pieces of %d: got %s, want %s; %d of %d bytes came through", c.name, size, got, c.want, len(all), len(c.page))
			}
		}
	}
}

// sniffed feeds a page in pieces, and returns the encoding and all bytes that came through.
func sniffed(s *Sniffer, page []byte, size int) (Encoding, string) {
	var all bytes.Buffer
	for len(page) > 0 {
		n := min(size, len(page))
		if _, held, ok := s.Feed(page[:n]); ok {
			all.Write(held)
		}
		page = page[n:]
	}
	e, held := s.End()
	all.Write(held)
	return e, all.String()
}

func TestSeveralContentTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fields []string
		want   string
	}{
		{[]string{"text/html;charset=koi8-r", "text/html"}, "koi8-r"},
		{[]string{"text/html;charset=koi8-r, text/html;charset=koi8-u"}, "koi8-u"},
		{[]string{"text/html;charset=koi8-r", "text/plain"}, "windows-1252"},
		{[]string{"text/html;charset=koi8-r", "nothing", "*/*"}, "koi8-r"},
		{[]string{`text/html;x=",text/plain;";charset=koi8-r`}, "koi8-r"},
	} {
		if e, _ := NewSniffer(c.fields...).End(); e.Name != c.want {
			t.Errorf("%q: got %s, want %s", c.fields, e.Name, c.want)
		}
	}
}

// FuzzSniff shows that no page's beginning breaks the sniffer: in whatever pieces a page
// comes, the encoding is the same, every byte comes through, and the text is UTF-8.
func FuzzSniff(f *testing.F) {
	for _, c := range declarations() {
		f.Add(c.contentType, []byte(c.page), uint8(3))
	}
	for _, s := range samples() {
		f.Add("text/html; charset="+s.label, []byte(s.bytes), uint8(1))
	}
	f.Fuzz(func(t *testing.T, contentType string, page []byte, size uint8) {
		whole, all := sniffed(NewSniffer(contentType), page, len(page)+1)
		parts, same := sniffed(NewSniffer(contentType), page, int(size)+1)
		if whole.Name != parts.Name || whole.Declared != parts.Declared {
			t.Errorf("%s as a whole, %s in pieces", describe(whole), describe(parts))
		}
		if all != string(page) || same != string(page) {
			t.Error("not every byte came through")
		}
		text := inPieces(whole.Decoder(), string(page), len(page)+1)
		if !utf8.ValidString(text) {
			t.Errorf("the text is not UTF-8: %q", text)
		}
		if again := inPieces(whole.Decoder(), string(page), int(size)+1); again != text {
			t.Errorf("%s: %q as a whole, %q in pieces", whole.Name, text, again)
		}
	})
}

func describe(e Encoding) string { return fmt.Sprintf("%s, declared %v", e.Name, e.Declared) }

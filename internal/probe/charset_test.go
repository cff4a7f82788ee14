package probe

import (
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// TestRulesInThePagesCharset shows that rules are matched on text.
func TestRulesInThePagesCharset(t *testing.T) {
	t.Parallel()
	page := func(contentType, body string) func(*fakesite.Site) {
		return says("HTTP/1.1 200 OK\r\nContent-Type: " + contentType + "\r\n\r\n" + body)
	}
	const latin, german = "text/html; charset=iso-8859-1", "Gr\xfc\xdfe"
	both := check.Target{Settings: check.Settings{RequiredTexts: []string{"Grüße"}, ForbiddenTexts: []string{"Störung"}}}
	missing := fails(check.FailureContent, "required_text_missing", 200, check.PhaseBody)
	present := fails(check.FailureContent, "forbidden_text_present", 200, check.PhaseBody)
	far := strings.Repeat("<p>text</p>\n", 3000)
	runStories(t, []story{
		{"Content-Type", page(latin, german), requires("Grüße"), up(200)},
		{"Content-Type, far into the page", page(latin, far+german), requires("Grüße"), up(200)},
		{"meta", page("text/html", `<meta charset="iso-8859-15">`+german+" \xa4"), requires("Grüße €"), up(200)},
		{"mark against Content-Type", page(latin, "\ufeffGrüße"), requires("Grüße"), up(200)},
		{"Content-Type against meta", page("text/html; charset=utf-8", `<meta charset="iso-8859-1">Grüße`), requires("Grüße"), up(200)},
		{"declared in vain", page("text/html; charset=utf-8", german), requires("Grüße"), missing},
		{"misdeclared", page(latin, "Grüße"), requires("Grüße"), missing},
		{"not declared, the default", page("text/html", german), requires("Grüße"), up(200)},
		{"not declared, UTF-8", page("text/html", "Grüße"), requires("Grüße"), up(200)},
		{"not declared, far into the page", page("text/html", far+german), requires("Grüße"), up(200)},
		{"no type at all", says("HTTP/1.1 200 OK\r\n\r\n" + german), requires("Grüße"), up(200)},
		{"forbidden", page(latin, german+" St\xf6rung"), both, present},
		{"forbidden and not declared", page("text/html", german+" St\xf6rung"), both, present},
		{"not forbidden", page(latin, german+" St\xfcrung"), both, up(200)},
		{"UTF-16", page("text/html", "\xff\xfeG\x00r\x00\xfc\x00\xdf\x00e\x00"), both, up(200)},
		{"UTF-16BE by Content-Type", page("text/html; charset=utf-16be", "\x00h\x00e\x00l\x00l\x00o"), requires("hello"), up(200)},
		{"ASCII in UTF-16, forbidden", page("text/html", "\xfe\xff\x00h\x00i"), forbids("hi"), present},
		{"Shift_JIS", page("text/html; charset=Shift_JIS", "\x93\xfa\x96{\x8c\xea"), requires("日本語"), up(200)},
		{"half a character of Shift_JIS is no text", page("text/html; charset=Shift_JIS", "\x96{\x96{"), forbids("{"), up(200)},
		{"ISO-2022-JP", page("text/html; charset=iso-2022-jp", "\x1b$BF|K\\8l\x1b(B"), requires("日本語"), up(200)},
		{"bytes of ISO-2022-JP are no text", page("text/html; charset=iso-2022-jp", "\x1b$BF|K\\8l\x1b(B"), forbids("F|K"), up(200)},
		{"GBK means GB18030", page("text/html; charset=gb2312", "\x94\x39\xda\x33"), requires("💩"), up(200)},
		{"label of Windows", page("text/html; charset=windows-1251", "\xcf\xf0\xe8\xe2\xe5\xf2"), requires("Привет"), up(200)},
		{"ASCII in any charset", page("text/html; charset=koi8-r", "\xd0hello\xd0"), requires("hello"), up(200)},
		{"XML", page("application/xml", `<?xml version="1.0" encoding="iso-8859-1"?><a>`+german+"</a>"), requires("Grüße"), up(200)},
		{"empty page", page(latin, ""), requires("Grüße"), missing},
		{"gzip besides", says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: " + latin + "\r\n\r\n" + compressed("gzip", far+german)), requires("Grüße"), up(200)},
		{"character cut by a chunk", says("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=euc-kr\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\xc7\r\n2\r\n\xd1\xb1\r\n1\r\n\xdb\r\n0\r\n\r\n"), requires("한글"), up(200)},
	})
}

// TestTextsAtEveryBorder finds a text in a page of every charset, wherever a piece ends.
func TestTextsAtEveryBorder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ charset, text, bytes string }{
		{"utf-8", "Grüße", "Grüße"},
		{"iso-8859-1", "Grüße", "Gr\xfc\xdfe"},
		{"utf-16le", "Grüße", "G\x00r\x00\xfc\x00\xdf\x00e\x00"},
		{"shift_jis", "日本語", "\x93\xfa\x96{\x8c\xea"},
		{"gb18030", "你💩", "\xc4\xe3\x94\x39\xda\x33"},
		{"utf-16be", "plain", "\x00p\x00l\x00a\x00i\x00n"},
	} {
		around := "ab"
		if strings.HasPrefix(c.charset, "utf-16") {
			around = "a\x00b\x00"
			if c.charset == "utf-16be" {
				around = "\x00a\x00b"
			}
		}
		page := strings.Repeat(around, 40) + c.bytes + around
		h := head{fields: []byte("Content-Type: text/html; charset=" + c.charset + "\n")}
		for first := range len(page) {
			for _, size := range []int{1, 3, len(page)} {
				s := newRuleSearch(&check.Target{Settings: check.Settings{RequiredTexts: []string{c.text}}}, h)
				s.read([]byte(page[:first]))
				for rest := page[first:]; rest != ""; rest = rest[min(size, len(rest)):] {
					s.read([]byte(rest[:min(size, len(rest))]))
				}
				if s.end(); !s.found(0) {
					t.Fatalf("%s: not found in pieces of %d and %d", c.charset, first, size)
				}
			}
		}
	}
}

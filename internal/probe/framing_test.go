package probe

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// requires asks for a page with these texts.
func requires(texts ...string) check.Target {
	return check.Target{Settings: check.Settings{RequiredTexts: texts}}
}

// forbids asks for a page without a text; it has to be read to its end.
func forbids(text string) check.Target {
	return check.Target{Settings: check.Settings{ForbiddenTexts: []string{text}}}
}

// names returns the names of stories, for runStories's list of odd ones.
func names(stories []story) []string {
	var all []string
	for _, s := range stories {
		all = append(all, s.name)
	}
	return all
}

func chunked(body string) func(*fakesite.Site) {
	return says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
}

// TestChunksAsBrowsersTakeThem has the framings that one browser at least accepts. The text
// "abcdef" is cut by a border of chunks.
func TestChunksAsBrowsersTakeThem(t *testing.T) {
	t.Parallel()
	target := check.Target{Settings: check.Settings{RequiredTexts: []string{"abcdef"}, ForbiddenTexts: []string{"4\r"}}}
	good := func(name, body string) story { return story{name, chunked(body), target, up(200)} }
	odd := []story{
		good("bare line feeds", "4\nabcd\n2\nef\n0\n\n"),
		good("line feeds after the data only", "4\r\nabcd\n2\r\nef\n0\r\n\r\n"),
		good("tab before the size", "\t4\r\nabcd\r\n\t2\r\nef\r\n0\r\n\r\n"),
		good("size with 0x", "0x4\r\nabcd\r\n0x2\r\nef\r\n0\r\n\r\n"),
		good("size with a plus", "+4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"),
		good("words behind the size", "4 bytes\r\nabcd\r\n2 more\r\nef\r\n0\r\n\r\n"),
		good("extension with a bare line feed", "4;x=y\nabcd\r\n2\r\nef\r\n0\r\n\r\n"),
		good("long extension", "4;"+strings.Repeat("x", 10_000)+"\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"),
		good("blank line before a size", "4\r\nabcd\r\n\r\n2\r\nef\r\n0\r\n\r\n"),
		good("no line end behind the data", "4\r\nabcd2\r\nef0\r\n\r\n"),
		good("no blank line at the end", "4\r\nabcd\r\n2\r\nef\r\n0\r\n"),
		good("no line end at the end", "4\r\nabcd\r\n2\r\nef\r\n0"),
		good("trailer cut short", "4\r\nabcd\r\n2\r\nef\r\n0\r\nX-Sum: "),
		good("trailer that is none", "4\r\nabcd\r\n2\r\nef\r\n0\r\nno trailer at all\r\n\r\n"),
		good("many zeros", strings.Repeat("0", 20)+"4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"),
	}
	plain := []story{
		good("tab behind the size", "4\t\r\nabcd\r\n2\t\r\nef\r\n0\r\n\r\n"),
		good("as they should be", "4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"),
		good("blanks behind the size", "4   \r\nabcd\r\n2  \r\nef\r\n0 \r\n\r\n"),
		good("capital digits", "4\r\nabcd\r\n0A\r\nef00000000\r\n0\r\n\r\n"),
		good("something behind the last chunk", "4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n5\r\n4\r\r\n"),
		{"connection stays open behind the last chunk", drips("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n", "", 1<<40), target, up(200)},
		{"length besides", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"), target, up(200)},
	}
	runStories(t, append(odd, plain...), names(odd)...)
}

func TestChunksThatNoBrowserTakes(t *testing.T) {
	t.Parallel()
	broken := func(name, body string) story {
		return story{name, chunked(body), byGet, fails(check.FailureProtocol, "bad_chunking", 200, check.PhaseBody)}
	}
	cut := func(name, body string) story {
		return story{name, chunked(body), byGet, fails(check.FailurePartial, "cut_short", 200, check.PhaseBody)}
	}
	runStories(t, []story{
		broken("negative size", "-4\r\nabcd\r\n0\r\n\r\n"),
		broken("no digits", "x4\r\nabcd\r\n0\r\n\r\n"),
		broken("only an extension", ";4\r\nabcd\r\n0\r\n\r\n"),
		broken("size too small", "3\r\nabcz\r\n0\r\n\r\n"),
		broken("size beyond all numbers", "fffffffffffffffff\r\nabcd\r\n0\r\n\r\n"),
		broken("size line without an end", "4;"+strings.Repeat("x", 2*maxChunkLine)+"\r\nabcd\r\n0\r\n\r\n"),
		cut("no last chunk", "4\r\nabcd\r\n"),
		cut("cut in the data", "4\r\nab"),
		cut("cut in a size", "4\r\nabcd\r\n1"),
		cut("nothing at all", ""),
	})
}

// TestTransferEncodingOfOldAnswers shows that HTTP/1.0 has no chunks, whatever it says.
func TestTransferEncodingOfOldAnswers(t *testing.T) {
	t.Parallel()
	runStories(t, []story{
		{"plain body", says("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nplain body"), requires("plain body"), up(200)},
		{"plain body with a length", says("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 10\r\n\r\nplain body and more"), forbids("more"), up(200)},
		{"no chunks", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nplain body"), requires("plain body"), up(200)},
		{"encoding that nobody knows", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: bogus\r\nContent-Length: 10\r\n\r\nplain body and more"), forbids("more"), up(200)},
		{"several fields", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nplain\r\n0\r\n\r\n"), requires("plain"), up(200)},
	}, "no chunks", "encoding that nobody knows", "several fields")
}

// TestLengths has the cases of the Web Platform Tests' fetch/content-length, whose body has
// 42 bytes, and some more. The length is that of the body to read, -1 for an error.
func TestLengths(t *testing.T) {
	t.Parallel()
	const body, all = "Fact: this is really forty-two bytes long.", 42
	for _, c := range []struct {
		fields string
		length int
	}{
		{"42", all}, {"42,42", all}, {"42|42", all}, {"42|42,42", all}, {"30", 30}, {"30,30", 30}, {"30|30", 30}, {"30|30,30", 30},
		{"42,30", -1}, {"30,42", -1}, {"42|30", -1}, {"30|42", -1}, {"30,", -1}, {",30", -1}, {"30|\t", -1}, {"|30", -1},
		{"aaaah|nah", -1}, {"aaaah, nah", -1}, {"aaaah|aaaah", all}, {"aaaah, aaaah", all}, {"aaaah", all}, {"42s", all}, {"30s", all},
		{"-1", all}, {"0x20", all}, {"030", 30}, {"030|30", -1}, {"030, 30", -1},
		{"+30", all}, {"+30, +30", all}, {"30 30", all}, {"30.0", all}, {"\"30\"", all}, {"", all}, {"|", all}, {"30;x", all},
		{"00000000000000000000000000000030", 30}, {"18446744073709551646", all}, {"9223372036854775808", all}, {"30 ,\t30", 30},
	} {
		var head strings.Builder
		for field := range strings.SplitSeq(c.fields, "|") {
			fmt.Fprintf(&head, "Content-Length: %s\r\n", field)
		}
		var framed io.Reader
		h, _, err := readHead(strings.NewReader("HTTP/1.1 200 OK\r\n"+head.String()+"\r\n"), nil)
		if err == nil {
			framed, err = bodyReader(h, strings.NewReader(body))
		}
		if err != nil {
			if c.length != -1 || err != error(errBadLength) {
				t.Errorf("%q: %v", c.fields, err)
			}
			continue
		}
		if got, err := io.ReadAll(framed); err != nil || len(got) != c.length {
			t.Errorf("%q: %d bytes and %v, want %d", c.fields, len(got), err, c.length)
		}
	}
}

// FuzzChunks shows that no chunks break the reader, and that it yields no more than it got.
func FuzzChunks(f *testing.F) {
	for _, s := range []string{"4\r\nabcd\r\n0\r\n\r\n", "4\nabcd\n0\n\n", "+0x4;x\r\nabcd0", "\n\n\n", "ffffffffffffffff\r\n", "-1\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := bodyReader(head{proto: "HTTP/1.1", status: 200, fields: []byte("Transfer-Encoding: chunked\n")}, strings.NewReader(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(body); len(got) > len(b) || err != nil && bodyFailure(err).kind == check.FailureNone {
			t.Errorf("%d bytes of %d, %v", len(got), len(b), err)
		}
	})
}

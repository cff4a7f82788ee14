package probe

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// compressed encodes a text with one content encoding.
func compressed(encoding, text string) string {
	var b bytes.Buffer
	var w io.WriteCloser
	switch encoding {
	case "gzip", "x-gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "raw deflate":
		w, _ = flate.NewWriter(&b, 6)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, _ = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	default:
		return text
	}
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// encoded answers with a body of known length and this Content-Encoding.
func encoded(encoding, body string) func(*fakesite.Site) {
	return says(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", encoding, len(body), body))
}

const pageText = "say hello to the world, and hello again, until the end"

func TestContentEncodingsOfBrowsers(t *testing.T) {
	t.Parallel()
	target := requires("say hello", "until the end")
	var stories []story
	add := func(name, encoding, body string) {
		stories = append(stories, story{name, encoded(encoding, body), target, up(200)})
	}
	for _, encoding := range []string{"gzip", "x-gzip", "deflate", "br", "zstd"} {
		add(encoding, encoding, compressed(encoding, pageText))
		add(encoding+" with something behind", encoding, compressed(encoding, pageText)+"trash")
		add(encoding+" in capital letters", strings.ToUpper(encoding), compressed(encoding, pageText))
		add(encoding+" in gzip", encoding+", gzip", compressed("gzip", compressed(encoding, pageText)))
		add("gzip in "+encoding+", with an empty element", "gzip,, "+encoding, compressed(encoding, compressed("gzip", pageText)))
		add(encoding+" beside a name that is none", "utf-8, "+encoding, compressed(encoding, pageText))
	}
	add("deflate without its envelope", "deflate", compressed("raw deflate", pageText))
	for _, name := range []string{"identity", "none", "utf-8", "ISO-8859-1", "UTF-8,none", "compress", "sdch", "*", "\"gzip\"", "gzip;q=1", "text/html", "7bit", ""} {
		add("plain text as "+name, name, pageText)
	}
	stories = append(stories,
		story{"two fields", says("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Encoding: gzip\r\n\r\n" + compressed("gzip", compressed("br", pageText))), target, up(200)},
		story{"large page", encoded("br", compressed("br", strings.Repeat("x", 1<<20)+"say hello until the end")), target, up(200)},
		story{"large page in zstd", encoded("zstd", compressed("zstd", strings.Repeat("x", 1<<20)+"say hello until the end")), target, up(200)},
	)
	runStories(t, stories)
}

// TestBrokenEncodings has bodies whose framing is whole and whose encoding is not. Browsers
// show what they can read.
func TestBrokenEncodings(t *testing.T) {
	t.Parallel()
	random := scrambled(300_000) // several blocks in every encoding
	var stories []story
	add := func(name, encoding, body string, target check.Target, want finding) {
		stories = append(stories, story{name, encoded(encoding, body), target, want})
	}
	missing := fails(check.FailureContent, "required_text_missing", 200, check.PhaseBody)
	cut := fails(check.FailurePartial, "cut_short", 200, check.PhaseBody)
	broken := fails(check.FailureProtocol, "bad_encoding", 200, check.PhaseBody)
	for _, encoding := range []string{"gzip", "deflate", "br", "zstd"} {
		body := compressed(encoding, "say hello"+random)
		add(encoding+" cut in the middle", encoding, body[:len(body)/2], byGet, up(200))
		add(encoding+" cut in the middle, what was readable counts", encoding, body[:len(body)/2], requires("hello"), up(200))
		add(encoding+" cut in the middle, what was not does not", encoding, body[:len(body)/2], requires(random[299_000:299_100]), missing)
		add(encoding+" of which nothing is readable", encoding, body[:2], byGet, cut)
		add(encoding+" that is none", encoding, "\xff\xff\xff\xff hello world", byGet, broken)
		add(encoding+" of nothing at all", encoding, "", byGet, up(200))
	}
	z := compressed("gzip", pageText)
	header := func(flags byte, more string) string { return z[:3] + string([]byte{flags}) + z[4:10] + more + z[10:] }
	for name, body := range map[string]string{
		"without sums":               z[:len(z)-8],
		"with one sum":               z[:len(z)-4],
		"with a wrong sum":           z[:len(z)-8] + "\x01\x02\x03\x04" + z[len(z)-4:],
		"with a wrong length":        z[:len(z)-4] + "\x01\x02\x03\x04",
		"with a long name":           header(gzipName, strings.Repeat("n", 5000)+"\x00"),
		"with a name of odd bytes":   header(gzipName, "\xff\xfe\n\x80\x00"),
		"with all fields":            header(gzipName|gzipExtra|gzipComment|gzipSum|1, "\x02\x00ab"+"name\x00"+"comment\x00"+"\xde\xad"),
		"with unknown flags":         header(0xe0, ""),
		"with a sum over the header": header(gzipSum, "\x00\x00"),
		"and zeros behind it":        z + strings.Repeat("\x00", 512),
		"and half a member behind":   z + z[:12],
	} {
		add("gzip "+name, "gzip", body, requires("until the end"), up(200))
	}
	d := compressed("deflate", pageText)
	add("deflate without its sum", "deflate", d[:len(d)-4], requires("until the end"), up(200))
	add("deflate with a wrong sum", "deflate", d[:len(d)-1]+"x", requires("until the end"), up(200))
	add("gzip broken in the middle", "gzip", z[:20]+"\xff\xff\xff\xff"+z[24:], requires("until the end"), broken)
	add("more encodings than anyone needs", "gzip, gzip, gzip, gzip, gzip, gzip", pageText, byGet, broken)
	runStories(t, stories)
}

// scrambled returns text that no encoding makes much shorter.
func scrambled(n int) string {
	b, x := make([]byte, n), uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = 'a' + byte(x>>24)%26
	}
	return string(b)
}

// TestEncodingsCutByTheConnection shows that a body is cut short when its framing is, and
// when only the encoding could tell where it ends.
func TestEncodingsCutByTheConnection(t *testing.T) {
	t.Parallel()
	var open, framed []story
	cut := fails(check.FailurePartial, "cut_short", 200, check.PhaseBody)
	for _, encoding := range []string{"gzip", "deflate", "br", "zstd"} {
		body := compressed(encoding, "say hello"+scrambled(300_000))
		head := "HTTP/1.1 200 OK\r\nContent-Encoding: " + encoding + "\r\n"
		open = append(open, story{encoding + " without a length", says(head + "\r\n" + body[:len(body)/2]), byGet, cut})
		framed = append(framed, story{encoding + " with a length", says(fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body[:len(body)/2])), byGet, cut},
			story{encoding + " in chunks", says(fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s", head, len(body), body[:len(body)/2])), byGet, cut})
	}
	runStories(t, append(open, framed...), names(open)...)
}

// TestEncodingsArriveSlowly shows that what has arrived is decoded before the rest does.
func TestEncodingsArriveSlowly(t *testing.T) {
	t.Parallel()
	var stories []story
	for _, encoding := range []string{"gzip", "deflate"} {
		var b bytes.Buffer
		var w interface {
			io.Writer
			Flush() error
		} = gzip.NewWriter(&b)
		if encoding == "deflate" {
			w = zlib.NewWriter(&b)
		}
		_, _ = io.WriteString(w, pageText)
		_ = w.Flush()
		first := "HTTP/1.1 200 OK\r\nContent-Encoding: " + encoding + "\r\n\r\n" + b.String()
		stories = append(stories, story{encoding, drips(first, "", time.Hour), requires("hello"), up(200)})
	}
	runStories(t, stories)
}

// TestLargeDecodersAreCounted shows that a body in zstd waits for memory, and that lack of
// it is not the site's fault.
func TestLargeDecodersAreCounted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{fast, portable} {
		p, site := makerOf(name)(t), fakesite.New(t)
		encoded("zstd", compressed("zstd", pageText))(site)
		var out []*large
		for range maxLargeDecoders {
			out = append(out, p.decoders.zstd.take(t.Context()))
		}
		target := byGet
		target.URL, target.Timeout = site.URL(), short
		o := probeInTime(t.Context(), t, p, target)
		if o.Outcome != check.OutcomeUnknown || o.Reason != "node_resources" {
			t.Errorf("%s: got %+v", name, o)
		}
		out[0].giveBack()
		target.Timeout = 0
		if o = probeInTime(t.Context(), t, p, target); o.Outcome != check.OutcomeUp {
			t.Errorf("%s: got %+v", name, o)
		}
		if n := len(p.decoders.zstd.used); n != maxLargeDecoders-1 {
			t.Errorf("%s: %d decoders are out", name, n)
		}
	}
}

// TestBombsEnd shows that encodings around encodings end in time.
func TestBombsEnd(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("\x00", 64<<20)
	missing := fails(check.FailureContent, "required_text_missing", 200, check.PhaseBody)
	var stories []story
	for _, encoding := range []string{"gzip", "deflate", "br", "zstd"} {
		bomb := compressed(encoding, zeros)
		stories = append(stories, story{encoding, encoded(encoding, bomb), requires("hello"), missing},
			story{encoding + " in itself", encoded(encoding+", "+encoding, compressed(encoding, bomb)), requires("hello"), missing})
	}
	inner := compressed("gzip", "")
	stories = append(stories, story{"nothing, again and again", encoded("gzip, gzip", compressed("gzip", strings.Repeat(inner, 1<<20))), requires("hello"), missing})
	runStories(t, stories)
}

// FuzzEncodings shows that no body in any encoding breaks a decoder, and that each ends.
func FuzzEncodings(f *testing.F) {
	for _, encoding := range []string{"gzip", "deflate", "br", "zstd"} {
		f.Add(encoding, []byte(compressed(encoding, pageText)))
		f.Add(encoding+", gzip", []byte(compressed("gzip", compressed(encoding, pageText))))
	}
	f.Fuzz(func(t *testing.T, encoding string, body []byte) {
		h := head{proto: "HTTP/1.1", status: 200, fields: []byte("Content-Encoding: " + strings.ReplaceAll(encoding, "\n", "") + "\n")}
		rules := newRuleSearch(&check.Target{}, h)
		page, err := readPage(t.Context(), h, bytes.NewReader(body), reading{rules: rules, firewalls: &firewallSearch{}, limit: maxDecoded, decoders: newDecoders()})
		if page.size > maxDecoded {
			t.Errorf("%d bytes", page.size)
		}
		if err != nil && bodyFailure(err).kind == check.FailureNone {
			t.Errorf("%v is no fault of the body", err)
		}
	})
}

// TestNothingLeftToLookFor shows that reading ends with the last text that is required.
func TestNothingLeftToLookFor(t *testing.T) {
	t.Parallel()
	slow := func(first string) func(*fakesite.Site) { return drips(first, "x", 20*time.Millisecond) }
	const start = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
	latin := "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n"
	timeout := fails(check.FailureTimeout, "body", 200, check.PhaseBody)
	runStories(t, []story{
		{"required at once", slow(start + "hello"), requires("hello"), up(200)},
		{"two required", slow(start + "hello dear world"), requires("hello", "world"), up(200)},
		{"required, but not ASCII", slow(start + "Grüße"), requires("Grüße"), up(200)},
		{"required in another charset", slow(latin + "Gr\xfc\xdfe"), requires("Grüße"), up(200)},
		{"one is still missing", slow(start + "hello"), soon(requires("hello", "world")), timeout},
		{"one is forbidden", slow(start + "hello"), soon(check.Target{Settings: check.Settings{RequiredTexts: []string{"hello"}, ForbiddenTexts: []string{"world"}}}), timeout},
		{"no rules", slow(start + "hello"), soon(byGet), timeout},
		{"nothing but empty texts", slow(start + "hello"), soon(requires("")), timeout},
		{"in a connection that breaks", then(start + "hello"), requires("hello"), up(200)},
		{"in a page cut short", says("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"), requires("hello"), up(200)},
		{"in UTF-16", speaks(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n\xff\xfeh\x00e\x00l\x00l\x00o\x00")
			_, _ = io.Copy(io.Discard, c)
		}), requires("hello"), up(200)},
		{"behind a refusal", slow("HTTP/1.1 503 No\r\n\r\nhello"), soon(requires("hello")), fails(check.FailureServer, "http_503", 503, check.PhaseBody)},
	})
}

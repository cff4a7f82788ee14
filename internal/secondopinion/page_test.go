package secondopinion

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// gzipped returns text as gzip, without the last cut bytes.
func gzipped(text string, cut int) string {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	w.Name, w.Comment, w.Extra = "page.html", "a page", []byte("extra")
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()[:b.Len()-cut]
}

func deflated(text string, wrapped bool) string {
	var b bytes.Buffer
	var w io.WriteCloser = zlib.NewWriter(&b)
	if !wrapped {
		w, _ = flate.NewWriter(&b, flate.BestCompression)
	}
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func brotlied(text string) string {
	var b bytes.Buffer
	w := brotli.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func zstded(text string) string {
	w, _ := zstd.NewWriter(nil)
	defer func() { _ = w.Close() }()
	return string(w.EncodeAll([]byte(text), nil))
}

// page is a whole answer.
func page(body string, lines ...string) string {
	return "HTTP/1.1 200 OK\r\nConnection: close\r\n" + strings.Join(append(lines, fmt.Sprintf("Content-Length: %d", len(body))), "\r\n") + "\r\n\r\n" + body
}

func TestPagesAreReadAsBrowsersReadThem(t *testing.T) {
	t.Parallel()
	const text = "<p>Grüße aus der Küche</p>"
	latin1 := strings.NewReplacer("ü", "\xfc", "ß", "\xdf").Replace(text)
	utf16 := "\xff\xfe"
	for _, r := range text {
		utf16 += string([]byte{byte(r), byte(r >> 8)})
	}
	long := strings.Repeat("<!-- filler -->\n", 2000)
	tests := []struct{ name, answer string }{
		{"UTF-8", page(text)},
		{"UTF-8 with a mark", page("\xef\xbb\xbf" + text)},
		{"Latin-1 by the header", page(latin1, "Content-Type: text/html; charset=iso-8859-1")},
		{"Latin-1 by the page", page(`<meta charset="iso-8859-1">` + latin1)},
		{"Latin-1 by an old page", page(`<meta http-equiv="content-type" content="text/html; charset=windows-1252">` + latin1)},
		{"UTF-16", page(utf16)},
		{"UTF-8 that says it is Latin-1", page(text, "Content-Type: text/html; charset=iso-8859-1")},
		{"UTF-8 far down a page without a charset", page(long + text)},
		{"Latin-1 far down", page(long+latin1, "Content-Type: text/html; charset=latin1")},
		{"gzip that nobody asked for", page(gzipped(text, 0), "Content-Encoding: gzip")},
		{"gzip without its trailer", page(gzipped(text, 8), "Content-Encoding: x-gzip")},
		{"gzip with a wrong trailer", page(gzipped(text, 8)+"12345678", "Content-Encoding: GZIP")},
		{"gzip with something behind it", page(gzipped(text, 0)+"\x00\x00 more", "Content-Encoding: gzip")},
		{"two members of gzip", page(gzipped("Grü", 0)+gzipped("ße aus", 0), "Content-Encoding: gzip")},
		{"gzip twice", page(gzipped(gzipped(text, 0), 0), "Content-Encoding: gzip, gzip")},
		{"zlib", page(deflated(text, true), "Content-Encoding: deflate")},
		{"a bare deflate stream", page(deflated(text, false), "Content-Encoding: deflate")},
		{"brotli", page(brotlied(text), "Content-Encoding: br")},
		{"zstd", page(zstded(text), "Content-Encoding: zstd")},
		{"an encoding that is none", page(text, "Content-Encoding: ISO-8859-1")},
		{"an encoding that is UTF-8", page(text, "Content-Encoding: utf-8")},
		{"HTTP/1.0 with chunks that are none", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + text},
		{"chunks that end in line feeds", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n" + fmt.Sprintf("%x\n%s\n0\n\n", len(text), text)},
		{"chunks with blanks and extensions", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x ;a=b\r\n%s\n0\r\n", len(text), text)},
		{"lines that are no header lines", "HTTP/1.1 200 OK\r\nhello\r\n: x\r\nX A: b\r\nConnection: close\r\n\r\n" + text},
		{"a length that is no number", "HTTP/1.1 200 OK\r\nContent-Length: all\r\n\r\n" + text},
		{"a status without words", "HTTP/1.1 200\r\nContent-Length: " + fmt.Sprint(len(text)) + "\r\n\r\n" + text},
		{"no length", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + text},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", 6, text[:6], len(text)-6, text[6:])},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			site := fakesite.New(t)
			says(tt.answer)(site)
			r := newReader(t)
			want := check.Target{URL: site.URL(), Settings: check.Settings{RequiredTexts: []string{"Grüße"}, ForbiddenTexts: []string{"Störung"}}}
			isGood(t, "with its text", r.Ask(t.Context(), want, check.Observation{}))
			want.RequiredTexts = []string{"Grüße", "moon"}
			isBad(t, "with another text", r.Ask(t.Context(), want, check.Observation{}), check.FailureContent, "required_text_missing")
			want.RequiredTexts, want.ForbiddenTexts = nil, []string{"Grüße"}
			isBad(t, "with its text forbidden", r.Ask(t.Context(), want, check.Observation{}), check.FailureContent, "forbidden_text_present")
		})
	}
}

func TestAnEncodingThatThisReaderDoesNotKnowIsNoOpinion(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	says(page("compressed, perhaps", "Content-Encoding: compress"))(site)
	want := check.Target{URL: site.URL(), Settings: check.Settings{RequiredTexts: []string{"hello"}}}
	if o := newReader(t).Ask(t.Context(), want, check.Observation{}); o.Outcome != check.OutcomeUnknown || o.Reason != "unreadable_encoding" {
		t.Errorf("%+v", o)
	}
	isGood(t, "without rules", newReader(t).Ask(t.Context(), check.Target{URL: site.URL()}, check.Observation{}))
}

// Decoders that take much memory are few: while all are at work there is no opinion.
func TestLargeDecodersAreFew(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	says(page(brotlied("hello"), "Content-Encoding: br"))(site)
	want := check.Target{URL: site.URL(), Settings: check.Settings{RequiredTexts: []string{"hello"}}}
	r := newReader(t)
	for range 2 * maxLarge {
		isGood(t, "one after another", r.Ask(t.Context(), want, check.Observation{}))
	}
	for range maxLarge {
		r.decoders <- struct{}{}
	}
	if o := r.Ask(t.Context(), want, check.Observation{}); o.Outcome != check.OutcomeUnknown || o.Reason != "unreadable_encoding" {
		t.Errorf("%+v", o)
	}
}

// A page whose text is found needs no end.
func TestReadingStopsWhenNothingIsLeftToLookFor(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	site.SetHandler(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello"+strings.Repeat(" ", 2*sniffed))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	want := check.Target{URL: site.URL(), Settings: check.Settings{RequiredTexts: []string{"hello"}}}
	isGood(t, "an endless page", newReader(t).Ask(t.Context(), want, check.Observation{}))
}

// Only so much of a page is read, of an encoded one too.
func TestALongPageIsReadInPart(t *testing.T) {
	t.Parallel()
	bomb := gzipped(strings.Repeat("\x00", 8<<20), 0)
	for name, answer := range map[string]string{
		"long in brotli": page(brotlied(strings.Repeat("\x00", 8<<20)), "Content-Encoding: br"),
		"long":           page(strings.Repeat("x", 5<<20)), "long when decoded": page(bomb, "Content-Encoding: gzip"),
	} {
		site := fakesite.New(t)
		says(answer)(site)
		isGood(t, name, newReader(t).Ask(t.Context(), check.Target{URL: site.URL()}, check.Observation{}))
	}
}

// Where the engine judged a page as a whole, this reader contradicts it only by a page that
// has plenty to show.
func TestThePageOfAFailureIsNoGoodPage(t *testing.T) {
	t.Parallel()
	article := "<!DOCTYPE html><html><title>Critical errors</title><nav>" + strings.Repeat(`<a href="/x">link</a> `, 12) + "</nav><p>" +
		strings.Repeat("There has been a critical error on this website, says the article. ", 40)
	tests := []struct {
		name, body string
		good       bool
	}{
		{"nothing at all", "", false},
		{"WordPress's own words", `<html><head><title>WordPress &rsaquo; Error</title><style>` + strings.Repeat("p{margin:0}", 500) +
			`</style></head><body id="error-page"><p>There has been a critical error on this website.</p><p><a href="https://wordpress.org/documentation/">Learn more</a></p></body></html>`, false},
		{"a fatal error with its trace", "<b>Fatal error</b>: Uncaught Error" + strings.Repeat("\n#1 /var/www/html/wp-includes/plugin.php(517): WP_Hook->do_action(Array)", 40), false},
		{"much script and no text", "<script>" + strings.Repeat("var a = '<a href=x>';\n", 500) + "</script>", false},
		{"an article about it", article + "</html>\n<!-- cached -->", true},
		{"an article that stops in the middle", article, false},
		{"an article that stops in the middle with words of PHP", article + "<br /><b>Fatal error</b>: Allowed memory size exhausted", false},
		{"an article with the page of a failure behind it", article + `<!DOCTYPE html><html><body id="error-page"><p>There has been a critical error on this website.</p></body></html>`, false},
		{"an article with words behind its end", article + "</html> Fatal error: Uncaught Error", false},
		{"an article too long to see its end", article + strings.Repeat("<p>more</p>", maxKept/10) + "</html>", false},
	}
	doubted := down(check.FailureContent, "wordpress_fatal_error")
	for _, tt := range tests {
		site := fakesite.New(t)
		says(page(tt.body))(site)
		o := newReader(t).Ask(t.Context(), check.Target{URL: site.URL()}, doubted)
		if tt.good {
			isGood(t, tt.name, o)
		} else {
			isBad(t, tt.name, o, check.FailureContent, "little_to_see")
		}
		// Of any other failure the page is no excuse.
		isGood(t, tt.name, newReader(t).Ask(t.Context(), check.Target{URL: site.URL()}, down(check.FailureRedirect, "loop")))
	}
}

func TestTheSitesOwnHeadersGoToItsHostOnly(t *testing.T) {
	t.Parallel()
	first, second := fakesite.New(t), fakesite.New(t)
	first.SetHandler(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/next", http.StatusFound)
			return
		}
		http.Redirect(w, r, strings.Replace(second.URL(), "127.0.0.1", "localhost", 1), http.StatusFound)
	})
	o := newReader(t).Ask(t.Context(), check.Target{URL: first.URL(), Settings: check.Settings{Headers: []check.Header{
		{Name: "X-Key", Value: "secret"}, {Name: "user-agent", Value: "me"}, {Name: "Cookie", Value: "own=1"},
	}}}, check.Observation{})
	isGood(t, "two redirects", o)
	for _, r := range first.Log() {
		if r.Method != http.MethodGet || r.Header.Get("X-Key") != "secret" || r.Header.Get("User-Agent") != "me" || r.Header.Get("Cookie") != "own=1" {
			t.Errorf("its own host got %v", r)
		}
	}
	for _, r := range second.Log() {
		if r.Header.Get("X-Key") != "" || !strings.HasPrefix(r.Header.Get("User-Agent"), "jetmon/") || r.Header.Get("Cookie") != "" {
			t.Errorf("another host got %v", r)
		}
	}
	if len(first.Log()) != 2 || len(second.Log()) != 1 || len(o.Hops) != 2 {
		t.Errorf("%d and %d requests, hops %v", len(first.Log()), len(second.Log()), o.Hops)
	}
}

func TestASiteThatMayNotRedirectFails(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	only("/x", "Location: /x")(site)
	o := newReader(t).Ask(t.Context(), check.Target{URL: site.URL(), Settings: check.Settings{RedirectPolicy: check.RedirectFail}}, check.Observation{})
	isBad(t, "fail", o, check.FailureRedirect, "not_allowed")
}

func FuzzGunzip(f *testing.F) {
	for _, seed := range []string{gzipped("hello", 0), gzipped("hello", 8), gzipped("a", 0) + gzipped("b", 3), "\x1f\x8b", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := io.Copy(io.Discard, io.LimitReader(newGunzip(bytes.NewReader(body)), maxBody))
		if strict, strictErr := gzip.NewReader(bytes.NewReader(body)); strictErr == nil && err != nil {
			if m, readErr := io.Copy(io.Discard, io.LimitReader(strict, maxBody)); readErr == nil {
				t.Errorf("%d bytes and %v, compress/gzip reads %d", n, err, m)
			}
		}
	})
}

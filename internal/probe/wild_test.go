package probe

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// short is the budget for stories in which time runs out. A loaded machine must get as far in
// it as the story goes.
const short = time.Second

// says answers every request with raw bytes.
func says(answer string) func(*fakesite.Site) {
	return func(s *fakesite.Site) { s.SetRaw(answer) }
}

// speaks gives f the raw connection before anything is read from it.
func speaks(f func(net.Conn)) func(*fakesite.Site) {
	return func(s *fakesite.Site) { s.SetConn(f) }
}

// drips sends first, and then repeats more until the peer is gone.
func drips(first, more string, pause time.Duration) func(*fakesite.Site) {
	return func(s *fakesite.Site) {
		s.SetConn(func(c net.Conn) {
			if s.ReadRequest(c) == nil {
				return
			}
			_, err := io.WriteString(c, first)
			for err == nil {
				if pause > 0 {
					_ = c.SetReadDeadline(time.Now().Add(pause))
					_, readErr := c.Read(make([]byte, 1))
					if e, ok := readErr.(net.Error); !ok || !e.Timeout() {
						return
					}
				}
				_, err = io.WriteString(c, more)
			}
		})
	}
}

func status(code int) func(*fakesite.Site) { return func(s *fakesite.Site) { s.SetStatus(code) } }

func handles(h http.HandlerFunc) func(*fakesite.Site) {
	return func(s *fakesite.Site) { s.SetHandler(h) }
}

var (
	byHead = check.Target{Settings: check.Settings{Method: check.MethodHead}}
	byGet  = check.Target{Settings: check.Settings{Method: check.MethodGet}}
)

func soon(t check.Target) check.Target {
	t.Timeout = short
	return t
}

func TestStatusDecides(t *testing.T) {
	t.Parallel()
	var stories []story
	add := func(code int, want finding) {
		stories = append(stories, story{name: fmt.Sprintf("status %d", code), site: status(code), want: want})
	}
	for _, code := range []int{200, 201, 202, 203, 204, 206, 299, 300, 304, 305, 306, 399} {
		add(code, up(code))
	}
	for _, code := range []int{400, 401, 402, 404, 405, 406, 410, 418, 429, 451, 499} {
		add(code, fails(check.FailureClient, fmt.Sprintf("http_%d", code), code, endOf(code)))
	}
	for _, code := range []int{500, 501, 502, 503, 504, 520, 599} {
		add(code, fails(check.FailureServer, fmt.Sprintf("http_%d", code), code, endOf(code)))
	}
	add(403, fails(check.FailureBlocked, "http_403", 403, check.PhaseBody))
	for _, code := range []int{600, 999} {
		add(code, fails(check.FailureProtocol, "bad_status", code, check.PhaseResponse))
	}
	runStories(t, stories)
}

// endOf is the phase in which a check with a failing status ends: it reads the page for
// those statuses that firewalls use.
func endOf(code int) check.Phase {
	if newFirewallDetector().search(code).looks() {
		return check.PhaseBody
	}
	return check.PhaseResponse
}

func TestAnswersThatAreNotHTTP(t *testing.T) {
	t.Parallel()
	protocol := func(reason string, status int) finding {
		return fails(check.FailureProtocol, reason, status, check.PhaseResponse)
	}
	runStories(t, []story{
		{"banner of another protocol", speaks(func(c net.Conn) {
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
			_, _ = io.Copy(io.Discard, c)
		}), check.Target{}, protocol("not_http", 0)},
		{"page without a status line", says("<html><body>hello</body></html>"), check.Target{}, protocol("not_http", 0)},
		{"TLS alert", says("\x15\x03\x01\x00\x02\x02\x28"), check.Target{}, protocol("not_http", 0)},
		{"zero bytes", says(strings.Repeat("\x00", 5000)), check.Target{}, protocol("not_http", 0)},
		{"two bytes", says("HT"), check.Target{}, protocol("header_cut_short", 0)},
		{"version of nothing", says("HTTP/x.y 200 OK\r\n\r\n"), check.Target{}, protocol("not_http", 0)},
		{"status of letters", says("HTTP/1.1 two OK\r\n\r\n"), check.Target{}, protocol("bad_status", 0)},
		{"status of four digits", says("HTTP/1.1 2000 OK\r\n\r\n"), check.Target{}, protocol("bad_status", 0)},
		{"status below 100", says("HTTP/1.1 099 Low\r\n\r\n"), check.Target{}, protocol("bad_status", 0)},
		{"close without a byte", says(""), check.Target{}, protocol("empty_reply", 0)},
		{"close inside the header", says("HTTP/1.1 200 OK\r\nServer: x\r\n"), check.Target{}, protocol("header_cut_short", 0)},
		{"protocol switch that nobody asked for", says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), check.Target{}, protocol("switching_protocols", 0)},
		{"header of endless length", drips("HTTP/1.1 200 OK\r\nX: ", strings.Repeat("x", 8192), 0), check.Target{}, protocol("header_too_large", 0)},
		{"header of endless fields", says("HTTP/1.1 200 OK\r\n" + strings.Repeat("a:b\r\n", 2000) + "\r\n"), check.Target{}, protocol("too_many_headers", 0)},
		{"endless 1xx answers", drips("", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 0), check.Target{}, protocol("too_many_1xx", 0)},
		{"two lengths", says("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), byGet, protocol("bad_content_length", 0)},
		{"two lengths after HEAD", says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"), byHead, protocol("bad_content_length", 0)},
		{"two lengths in one field", says("HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nabcd"), byGet, protocol("bad_content_length", 0)},
		{"a length and a word", says("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: four\r\n\r\nabcd"), byGet, protocol("bad_content_length", 0)},
		{"a length and an empty one", says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: \r\n\r\nhello"), byHead, protocol("bad_content_length", 0)},
		{"two Locations", says("HTTP/1.1 301 Moved\r\nLocation: /\r\nLocation: /a\r\n\r\n"), check.Target{}, protocol("contradictory_header", 0)},
		{"two dispositions", says("HTTP/1.1 200 OK\r\nContent-Disposition: inline\r\nContent-Disposition: attachment\r\n\r\n"), check.Target{}, protocol("contradictory_header", 0)},
		{"NUL in a value", says("HTTP/1.1 200 OK\r\nX-A: a\x00b\r\n\r\n"), check.Target{}, protocol("bad_header", 0)},
		{"NUL in a name", says("HTTP/1.1 200 OK\r\nX\x00A: b\r\n\r\n"), check.Target{}, protocol("bad_header", 0)},
		{"NUL in the status line", says("HTTP/1.1 200 O\x00K\r\n\r\n"), check.Target{}, protocol("bad_header", 0)},
		{"NUL in the Location", says("HTTP/1.1 302 Found\r\nLocation: /\x00a\r\n\r\n"), check.Target{}, protocol("bad_header", 0)},
		{"NUL in early hints", says("HTTP/1.1 103 Early Hints\r\nX: \x00\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), check.Target{}, protocol("bad_header", 0)},
		{"NUL in a folded line", says("HTTP/1.1 200 OK\r\nX: a\r\n \x00b\r\n\r\n"), check.Target{}, protocol("bad_header", 0)},
		{"chunks of letters", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"), byGet, fails(check.FailureProtocol, "bad_chunking", 200, check.PhaseBody)},
		{"gzip that is none", says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 11\r\n\r\nhello world"), byGet, fails(check.FailureProtocol, "bad_encoding", 200, check.PhaseBody)},
	})
}

func zipped(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.Bytes()
}

func gzipAnswer(body []byte) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func TestOddAnswersThatBrowsersTake(t *testing.T) {
	t.Parallel()
	requiresHello := check.Target{Settings: check.Settings{RequiredTexts: []string{"hello"}}}
	runStories(t, []story{
		{"HTTP/1.0", says("HTTP/1.0 200 OK\r\n\r\nhello"), requiresHello, up(200)},
		{"no reason phrase", says("HTTP/1.1 200\r\n\r\n"), check.Target{}, up(200)},
		{"bare line feeds", says("HTTP/1.1 200 OK\nServer: x\n\nhello"), requiresHello, up(200)},
		{"blank lines first", says("\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), check.Target{}, up(200)},
		{"version 2 in words", says("HTTP/2 200\r\n\r\n"), check.Target{}, up(200)},
		{"field without a colon", says("HTTP/1.1 200 OK\r\nPHP Warning\r\n\r\n"), check.Target{}, up(200)},
		{"field with a space in its name", says("HTTP/1.1 200 OK\r\nX Y : z\r\nContent-Length : 5\r\n\r\nhello"), requiresHello, up(200)},
		{"folded field", says("HTTP/1.1 200 OK\r\nX: a\r\n b: c\r\n\r\n"), check.Target{}, up(200)},
		{"folded length", says("HTTP/1.1 200 OK\r\nContent-Length:\r\n\t5\r\n\r\nhello and more"), requiresHello, up(200)},
		{"folded field that looks like two Locations", says("HTTP/1.1 200 OK\r\nLocation: a\r\n Location: b\r\n\r\n"), check.Target{}, up(200)},
		{"blank line that is none", says("HTTP/1.1 200 OK\r\nX: a\r\n \r\nContent-Length: 5\r\n\r\nhello"), requiresHello, up(200)},
		{"first line folded", says("HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 5\r\n\r\nhello"), requiresHello, up(200)},
		{"bytes of no encoding", says("HTTP/1.1 200 OK\r\nServer: \xff\xfe\r\n\r\n"), check.Target{}, up(200)},
		{"control bytes that are no NUL", says("HTTP/1.1 200 OK\r\nServer: \x01\x1b[31m\x7f\r\n\r\n"), check.Target{}, up(200)},
		{"carriage return inside", says("HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 5\r\n\r\nhello"), requiresHello, up(200)},
		{"two carriage returns in the blank line", says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\r\nhello"), requiresHello, up(200)},
		{"two carriage returns", says("HTTP/1.1 200 OK\r\r\nContent-Length: 5\r\r\n\r\nhello"), requiresHello, up(200)},
		{"odd names", says("HTTP/1.1 200 OK\r\n: a\r\n@X: b\r\n\xe9: c\r\nX(Y): d\r\n\r\n"), check.Target{}, up(200)},
		{"lower-case version", says("http/1.1 200 ok\r\n\r\n"), check.Target{}, up(200)},
		{"status with words at once", says("HTTP/1.1 200OK\r\n\r\n"), check.Target{}, up(200)},
		{"status with a zero first", says("HTTP/1.1 0200 OK\r\n\r\n"), check.Target{}, up(200)},
		{"several blanks before the status", says("HTTP/1.1   200   OK\r\n\r\n"), check.Target{}, up(200)},
		{"byte order mark first", says("\xef\xbb\xbfHTTP/1.1 200 OK\r\n\r\n"), check.Target{}, up(200)},
		{"reason phrase of no encoding", says("HTTP/1.1 200 \xff\r\n\r\n"), check.Target{}, up(200)},
		{"two empty lengths", says("HTTP/1.1 200 OK\r\nContent-Length: \r\nContent-Length:\r\n\r\nhello"), byHead, up(200)},
		{"lengths that do not count", says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), requiresHello, up(200)},
		{"early hints first", says("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), check.Target{}, up(200)},
		{"length of letters", says("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhello"), requiresHello, up(200)},
		{"same length twice", says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"), requiresHello, up(200)},
		{"body after HEAD", says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), byHead, up(200)},
		{"more than the length", says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more"), requiresHello, up(200)},
		{"chunks with extensions and trailers", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nT: x\r\n\r\n"), requiresHello, up(200)},
		{"gzip", says(gzipAnswer(zipped("say hello"))), requiresHello, up(200)},
		{"gzip in two members", says(gzipAnswer(append(zipped("say hel"), zipped("lo")...))), requiresHello, up(200)},
		{"gzip with something behind", says(gzipAnswer(append(zipped("hello"), "trash"...))), requiresHello, up(200)},
		{"gzip of nothing at all", says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"), byGet, up(200)},
		{"header in one-byte pieces", drip1("HTTP/1.1 200 OK\r\nServer: slow\r\n\r\n"), check.Target{}, up(200)},
		{"answer before the request is read", speaks(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		}), check.Target{}, up(200)},
	}, "length of letters", "field without a colon", "version 2 in words", "blank lines first", "first line folded",
		"control bytes that are no NUL", "carriage return inside", "odd names", "lower-case version", "status with words at once",
		"status with a zero first", "byte order mark first", "lengths that do not count", "two carriage returns",
		"two carriage returns in the blank line", "two empty lengths")
}

// drip1 sends one byte at a time.
func drip1(answer string) func(*fakesite.Site) {
	return func(s *fakesite.Site) {
		s.SetConn(func(c net.Conn) {
			s.ReadRequest(c)
			for i := range len(answer) {
				_, _ = io.WriteString(c, answer[i:i+1])
			}
		})
	}
}

func TestConnectionsThatBreakOff(t *testing.T) {
	t.Parallel()
	runStories(t, []story{
		{"refused", func(s *fakesite.Site) { s.Refuse() }, check.Target{}, fails(check.FailureConnect, "refused", 0, check.PhaseConnect)},
		{"reset after the request", func(s *fakesite.Site) { s.Reset() }, check.Target{}, fails(check.FailureConnect, "reset", 0, check.PhaseResponse)},
		{"reset inside the header", then("HTTP/1.1 200 OK\r\nSer"), check.Target{}, fails(check.FailureConnect, "reset", 0, check.PhaseResponse)},
		{"reset inside the body", then("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell"), byGet, fails(check.FailurePartial, "reset", 200, check.PhaseBody)},
		{"body shorter than its length", func(s *fakesite.Site) { s.CutBody() }, byGet, fails(check.FailurePartial, "cut_short", 200, check.PhaseBody)},
		{"healthy HEAD before a short body is believed", func(s *fakesite.Site) { s.CutBody() }, check.Target{}, up(200)},
		{"chunks without an end", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), byGet, fails(check.FailurePartial, "cut_short", 200, check.PhaseBody)},
		{"chunk cut in the middle", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello"), byGet, fails(check.FailurePartial, "cut_short", 200, check.PhaseBody)},
		{"gzip cut in its header", says(gzipAnswer(zipped("hello")[:5])), byGet, fails(check.FailurePartial, "cut_short", 200, check.PhaseBody)},
	})
}

// then sends some bytes, waits for the peer to read them, and resets.
func then(answer string) func(*fakesite.Site) {
	return func(s *fakesite.Site) {
		s.SetConn(func(c net.Conn) {
			s.ReadRequest(c)
			_, _ = io.WriteString(c, answer)
			// There is no signal that the peer has read; an immediate reset could overtake the bytes.
			_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			_, _ = c.Read(make([]byte, 1))
			fakesite.Abort(c)
		})
	}
}

func TestTimeRunsOut(t *testing.T) {
	t.Parallel()
	late := func(reason string, status int, phase check.Phase) finding {
		return fails(check.FailureTimeout, reason, status, phase)
	}
	runStories(t, []story{
		{"no answer", func(s *fakesite.Site) { s.Hang() }, soon(check.Target{}), late("first_byte", 0, check.PhaseResponse)},
		{"header without an end", drips("HTTP/1.1 200 OK\r\n", "X: y\r\n", 20*time.Millisecond), soon(byHead), late("header", 0, check.PhaseResponse)},
		{"body without an end", drips("HTTP/1.1 200 OK\r\n\r\n", "x", 20*time.Millisecond), soon(byGet), late("body", 200, check.PhaseBody)},
		{"body that stops", drips("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell", "", time.Minute), soon(byGet), late("body", 200, check.PhaseBody)},
		{"1xx now and then", drips("", "HTTP/1.1 102 Processing\r\n\r\n", 50*time.Millisecond), soon(byHead), late("header", 0, check.PhaseResponse)},
		{"error page without an end", drips("HTTP/1.1 503 No\r\n\r\n", "x", 20*time.Millisecond), soon(byGet), fails(check.FailureServer, "http_503", 503, check.PhaseBody)},
	})
}

func TestHeadThenGet(t *testing.T) {
	t.Parallel()
	byMethod := func(head, get http.HandlerFunc) func(*fakesite.Site) {
		return handles(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				head(w, r)
				return
			}
			get(w, r)
		})
	}
	code := func(c int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c) }
	}
	wait := func(part time.Duration, then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(part):
				then(w, r)
			case <-r.Context().Done():
			}
		}
	}
	never := wait(time.Minute, code(500))
	patient := check.Target{Timeout: 1200 * time.Millisecond}
	hostile := check.AdvisoryHeadUnsupported
	runStories(t, []story{
		{"good HEAD is believed", byMethod(code(200), code(500)), check.Target{}, up(200)},
		{"HEAD not allowed", byMethod(code(405), code(200)), check.Target{}, up(200, hostile)},
		{"HEAD not implemented", byMethod(code(501), code(200)), check.Target{}, up(200, hostile)},
		{"HEAD forbidden", byMethod(code(403), code(200)), check.Target{}, up(200, hostile)},
		{"HEAD aborted", byMethod(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, code(200)), check.Target{}, up(200, hostile)},
		{"HEAD hangs", byMethod(never, code(200)), patient, up(200, hostile)},
		{"HEAD slower than half of the time", byMethod(wait(800*time.Millisecond, code(200)), never), patient, up(200)},
		{"both slower than half of the time", byMethod(wait(800*time.Millisecond, code(200)), wait(800*time.Millisecond, code(200))), patient, up(200)},
		{"HEAD hangs and GET fails", byMethod(never, code(500)), patient, fails(check.FailureServer, "http_500", 500, check.PhaseResponse)},
		{"both fail, GET decides", byMethod(code(405), code(500)), check.Target{}, fails(check.FailureServer, "http_500", 500, check.PhaseResponse)},
		{"known to be hostile", byMethod(never, code(200)), check.Target{HeadHostile: true}, up(200, hostile)},
		{"hostile no more, but GET fails", byMethod(code(200), code(500)), check.Target{HeadHostile: true}, fails(check.FailureServer, "http_500", 500, check.PhaseResponse)},
		{"HEAD only", byMethod(code(405), code(200)), byHead, fails(check.FailureClient, "http_405", 405, check.PhaseResponse)},
		{"GET only", byMethod(code(405), code(200)), byGet, up(200)},
		{"HEAD redirects in circles, GET does not", byMethod(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/")
			w.WriteHeader(302)
		}, code(200)), check.Target{}, up(200, hostile)},
		{"slow", byMethod(wait(30*time.Millisecond, code(200)), never), check.Target{Settings: check.Settings{SlowAfter: 20 * time.Millisecond}}, up(200, check.AdvisorySlow)},
		{"not slow", byMethod(code(200), never), check.Target{Settings: check.Settings{SlowAfter: 9 * time.Second}}, up(200)},
	})
}

func TestBodyRules(t *testing.T) {
	t.Parallel()
	page := func(body string) func(*fakesite.Site) {
		return func(s *fakesite.Site) { s.SetPage(200, body) }
	}
	rules := func(required, forbidden []string) check.Target {
		return check.Target{Settings: check.Settings{Method: check.MethodHead, RequiredTexts: required, ForbiddenTexts: forbidden}}
	}
	broken := func(reason string) finding { return fails(check.FailureContent, reason, 200, check.PhaseBody) }
	far := strings.Repeat("x", 1<<20) + "hello" + strings.Repeat("x", 1<<19)
	runStories(t, []story{
		{"all required there", page("hello dear world"), rules([]string{"hello", "world"}, nil), up(200)},
		{"one required missing", page("hello dear"), rules([]string{"hello", "world"}, nil), broken("required_text_missing")},
		{"forbidden there", page("hello world"), rules([]string{"hello"}, []string{"world"}), broken("forbidden_text_present")},
		{"forbidden not there", page("hello"), rules(nil, []string{"world"}), up(200)},
		{"far into the page", page(far), rules([]string{"xhellox"}, nil), up(200)},
		{"beyond the limit", page(strings.Repeat("x", maxDecoded) + "hello"), rules([]string{"hello"}, nil), broken("required_text_missing")},
		{"empty page", page(""), rules([]string{"hello"}, nil), broken("required_text_missing")},
		{"no content", status(204), rules([]string{"hello"}, nil), fails(check.FailureContent, "required_text_missing", 204, check.PhaseResponse)},
		{"empty text", page(""), rules([]string{""}, []string{""}), up(200)},
		{"gzip bomb", says(gzipAnswer(zipped(strings.Repeat("\x00", 64<<20)))), rules([]string{"hello"}, nil), broken("required_text_missing")},
		{"gzip bomb with what is required", says(gzipAnswer(zipped("hello" + strings.Repeat("\x00", 64<<20)))), rules([]string{"hello"}, nil), up(200)},
		{"failing status comes first", status(500), rules([]string{"hello"}, nil), fails(check.FailureServer, "http_500", 500, check.PhaseResponse)},
		{"short body comes first", func(s *fakesite.Site) { s.CutBody() }, rules([]string{"hello"}, nil), fails(check.FailurePartial, "cut_short", 200, check.PhaseBody)},
	})
}

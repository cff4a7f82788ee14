package probe

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

func TestHeadFields(t *testing.T) {
	t.Parallel()
	h, rest, err := readHead(strings.NewReader("HTTP/1.1 200 OK\r\nServer: a\r\nSERVER:b \r\n Server: folded\r\n"+
		"Serve: no\r\nServers: no\r\nServer\t: c\r\nX-Server: no\r\nEmpty:\r\nno colon\r\n\r\nbody"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(h.all("server")); !slices.Equal(got, []string{"a", "b Server: folded", "c"}) {
		t.Errorf("server: %q", got)
	}
	if h.get("Server") != "a" || h.get("empty") != "" || h.get("none") != "" || string(rest) != "body" {
		t.Errorf("got %q, %q, rest %q", h.get("Server"), h.get("empty"), rest)
	}
	if !h.hasToken("Server", "C") || h.hasToken("Server", "d") {
		t.Error("tokens")
	}
}

// FuzzHead reads arbitrary responses, in one piece and byte by byte: both must have the same
// result, within the limits.
func FuzzHead(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\n\nbody", "HTTP/1.0 301\r\nLocation: /\r\n\r\n", "\r\nHTTP/2 204 \r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 101 X\r\n\r\n", "HTTP/1.1 099 X\r\n\r\n", "SSH-2.0-x\r\n", "",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 9 9\r\n\r\n", strings.Repeat("HTTP/1.1 103 x\r\n\r\n", 40), "HTTP/1.1 200 OK\r\n:\r\n \r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	g := newFirewallDetector()
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, rest, err := readHead(bytes.NewReader(raw), nil)
		slow, slowRest, slowErr := readHead(iotest.OneByteReader(bytes.NewReader(raw)), nil)
		if !errors.Is(err, slowErr) {
			t.Fatalf("%v in one piece, %v in many", err, slowErr)
		}
		if err != nil {
			if f := answerFailure(err, "header"); f.kind != check.FailureProtocol {
				t.Fatalf("%v: %+v", err, f)
			}
			return
		}
		if h.status < 200 || h.status > 999 || h.status != slow.status || !bytes.Equal(h.fields, slow.fields) || !bytes.HasPrefix(rest, slowRest) {
			t.Fatalf("got %+v and %+v", h, slow)
		}
		g.byHeader(h)
		evidence(h)
		search := g.search(h.status)
		rules := newRuleSearch(&check.Target{Settings: check.Settings{RequiredTexts: []string{"a", "bc"}, ForbiddenTexts: []string{"ü"}}}, h)
		page, err := readPage(t.Context(), h, bytes.NewReader(rest), reading{rules: rules, firewalls: search, limit: maxDecoded, decoders: newDecoders()})
		if err != nil {
			bodyFailure(err)
		}
		if page.size > maxDecoded {
			t.Fatalf("read %d", page.size)
		}
		rules.end()
		search.match(h, page)
	})
}

// TestTextsAcrossBorders cuts random pages at random places and compares the result with a
// search in the whole page.
func TestTextsAcrossBorders(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		word := func(n int) string {
			b := make([]byte, n)
			for i := range b {
				b[i] = "ab"[r.IntN(2)]
			}
			return string(b)
		}
		for range 5000 {
			page := word(r.IntN(60))
			var want []string
			for range 1 + r.IntN(5) {
				want = append(want, word(r.IntN(9)))
			}
			s := newTexts(want)
			for rest := []byte(page); len(rest) > 0; {
				n := 1 + r.IntN(min(len(rest), 12))
				piece := slices.Clone(rest[:n])
				s.write(piece)
				clear(piece) // the caller's buffer is used again
				rest = rest[n:]
			}
			for i, w := range want {
				if s.found[i] != strings.Contains(page, w) {
					t.Fatalf("seed %d: %q in %q: found %v", seed, w, page, s.found[i])
				}
			}
		}
	})
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"plain", "hello", "hello"},
		{"too long", "hello world", "hello wo"},
		{"control characters", "a\x00b\x1b[0m\r\nc\x7f", "ab[0mc"},
		{"C1 controls", "a\u0085b\u009bc", "abc"},
		{"not UTF-8", "a\xff\xfeb", "ab"},
		{"cut on a border", "1234567é", "1234567"},
		{"text that turns round", "a\u202eb\u2028c\u200fd", "abcd"},
		{"kept as it is", "éü", "éü"},
	} {
		if got := printable(c.in, 8); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDecodersPassFramingErrors(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, encoding := range []string{"gzip", "deflate", "br", "zstd"} {
		whole := compressed(encoding, "hello")
		for cut := range len(whole) {
			body := io.MultiReader(strings.NewReader(whole[:cut]), iotest.ErrReader(boom))
			h := head{fields: []byte("Content-Encoding: " + strings.ToUpper(encoding) + "\r\n")}
			r, err := newDecoders().decode(t.Context(), h, body)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(r); !errors.Is(err, boom) {
				t.Errorf("%s cut at %d: %v", encoding, cut, err)
			}
			r.close()
		}
	}
}

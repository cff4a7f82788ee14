package probe

import (
	"bytes"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/Automattic/jetmon/internal/check"
)

// wide returns a body in an encoding with the largest window that browsers take; whole makes it
// one segment, for zstd.
func wide(t *testing.T, encoding, body string, whole bool) string {
	t.Helper()
	var b bytes.Buffer
	if encoding == "br" {
		w := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: 5, LGWin: 24})
		_, _ = w.Write([]byte(body))
		_ = w.Close()
		return b.String()
	}
	w, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20), zstd.WithSingleSegment(whole), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		t.Fatal(err)
	}
	if whole {
		return string(w.EncodeAll([]byte(body), nil))
	}
	_, _ = w.Write([]byte(body))
	_ = w.Close()
	return b.String()
}

// farReferences is a body of a size that refers from everywhere to its beginning.
func farReferences(size int) string {
	first := scrambled(size / 2)
	return (first + first + first)[:size]
}

// TestWideWindowsAreReadInLittleMemory reads bodies whose decoders ask for up to 16 MiB: each
// byte that is looked at is right, and no body takes more than its limit.
func TestWideWindowsAreReadInLittleMemory(t *testing.T) {
	zeros := strings.Repeat("\x00", 7<<20)
	for _, c := range []struct {
		name, encoding, body string
		whole                bool
		limit                uint64 // in MiB
	}{
		{"br", "br", farReferences(3 << 20), false, 3},
		{"br, shorter than what is read", "br", farReferences(maxDecoded - 20), false, 3},
		{"br of zeros", "br", zeros, false, 3},
		{"zstd", "zstd", farReferences(3 << 20), false, 3},
		{"zstd, a little longer than what is read", "zstd", farReferences(maxDecoded + 50<<10), false, 3},
		{"zstd in one segment", "zstd", farReferences(3 << 20), true, 3},
		{"zstd in one segment of zeros", "zstd", zeros, true, 3},
		{"zstd in one segment that is small", "zstd", farReferences(100 << 10), true, 3},
	} {
		encoded := wide(t, c.encoding, c.body, c.whole)
		h := head{proto: "HTTP/1.1", status: 200, fields: []byte("Content-Encoding: " + c.encoding + "\n")}
		var got collected
		got.Grow(maxDecoded + 64<<10)
		before := allocated()
		page, err := readPage(t.Context(), h, strings.NewReader(encoded), reading{
			rules: &got, firewalls: &firewallSearch{}, limit: maxDecoded, decoders: newDecoders()})
		took := (allocated() - before) >> 20
		if err != nil || !strings.HasPrefix(c.body, got.String()) || got.Len() < min(len(c.body), maxDecoded-brotliGap) {
			t.Errorf("%s: %d bytes, %+v, %v", c.name, got.Len(), page, err)
		}
		if took > c.limit {
			t.Errorf("%s: %d MiB", c.name, took)
		}
		t.Logf("%s: %d MiB", c.name, took)
	}
}

// collected is a page's reader that keeps all of it.
type collected struct{ bytes.Buffer }

func (c *collected) read(piece []byte) bool {
	c.Write(piece)
	return true
}

// TestLaterFramesWithAWideWindow shows that what was read before such a frame counts.
func TestLaterFramesWithAWideWindow(t *testing.T) {
	t.Parallel()
	body := compressed("zstd", pageText) + wide(t, "zstd", farReferences(3<<20), false)
	runStories(t, []story{
		{"found before", encoded("zstd", body), requires("hello"), up(200)},
		{"no rules", encoded("zstd", body), byGet, up(200)},
		{"only one frame, too wide for browsers", encoded("zstd", zstdMagic+"\x00\x78"), byGet,
			fails(check.FailureProtocol, "bad_encoding", 200, check.PhaseBody)},
	})
}

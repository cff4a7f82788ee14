package probe

import (
	"bytes"
	"strings"
	"sync"
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

// wideCase is a body whose decoders ask for much memory.
type wideCase struct{ name, encoding, encoded, body string }

// wideCases are bodies whose decoders ask for up to 16 MiB.
func wideCases(t *testing.T) []wideCase {
	zeros, far, all := strings.Repeat("\x00", 7<<20), farReferences(3<<20), farReferences(maxDecoded-20)
	slightly := farReferences(maxDecoded + 50<<10)
	var cases []wideCase
	add := func(name, encoding, encoded, body string) {
		cases = append(cases, wideCase{name, encoding, encoded, body})
	}
	add("br", "br", wide(t, "br", far, false), far)
	add("br, shorter than what is read", "br", wide(t, "br", all, false), all)
	add("br of zeros", "br", wide(t, "br", zeros, false), zeros)
	add("zstd", "zstd", wide(t, "zstd", far, false), far)
	add("zstd, a little longer than what is read", "zstd", wide(t, "zstd", slightly, false), slightly)
	add("zstd in one segment", "zstd", wide(t, "zstd", far, true), far)
	add("zstd in one segment of zeros", "zstd", wide(t, "zstd", zeros, true), zeros)
	add("zstd in one segment that is small", "zstd", wide(t, "zstd", far[:100<<10], true), far[:100<<10])
	best := map[string]string{"br": best("br", far), "zstd": best("zstd", far), "gzip": compressed("gzip", far)}
	for outer := range best {
		add(outer+" at its best", outer, best[outer], far)
		for _, inner := range []string{"br", "zstd", "gzip"} {
			add(inner+" in "+outer, inner+", "+outer, compressed(outer, best[inner]), far)
		}
	}
	five := far[:1<<20]
	for range maxEncodings {
		five = compressed("br", five)
	}
	add("br five times", "br, br, br, br, br", five, far[:1<<20])
	return cases
}

// best returns a body as encoded at the highest level, with its usual window.
func best(encoding, body string) string {
	var b bytes.Buffer
	if encoding == "br" {
		w := brotli.NewWriterLevel(&b, brotli.BestCompression)
		_, _ = w.Write([]byte(body))
		_ = w.Close()
		return b.String()
	}
	w, _ := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	_, _ = w.Write([]byte(body))
	_ = w.Close()
	return b.String()
}

// TestWideWindowsAreReadInLittleMemory shows that each byte that is looked at is right, and that
// no body takes more than 1 MiB beyond the decoders that the node keeps.
func TestWideWindowsAreReadInLittleMemory(t *testing.T) {
	const limit = 1 << 20
	decoders := newDecoders()
	var got collected
	got.Grow(maxDecoded + 64<<10)
	for _, c := range wideCases(t) {
		h := head{proto: "HTTP/1.1", status: 200, fields: []byte("Content-Encoding: " + c.encoding + "\n")}
		body := []byte(c.body)
		took := leastAllocated(func() {
			got.Reset()
			page, err := readPage(t.Context(), h, strings.NewReader(c.encoded), reading{
				rules: &got, firewalls: &firewallSearch{}, limit: maxDecoded, decoders: decoders})
			if err != nil || !bytes.HasPrefix(body, got.Bytes()) || got.Len() < min(len(body), maxDecoded-brotliGap) {
				t.Errorf("%s: %d bytes, %+v, %v", c.name, got.Len(), page, err)
			}
		})
		if took > limit {
			t.Errorf("%s: %d KiB", c.name, took>>10)
		}
		t.Logf("%s: %d KiB", c.name, took>>10)
	}
}

// TestBrokenBodiesTakeLittleMemory has bodies that break when the decoder has all its memory,
// and frames whose windows grow by little.
func TestBrokenBodiesTakeLittleMemory(t *testing.T) {
	const limit = 1 << 20
	var frames strings.Builder
	for window := byte(0); window <= zstdWindow; window++ {
		frames.WriteString(zstdMagic + "\x00" + string([]byte{window}) + "\x09\x00\x00x")
	}
	far := farReferences(3 << 20)
	breaks := func(encoding string) string {
		whole := wide(t, encoding, far, false)
		return whole[:len(whole)/4] + strings.Repeat("\xff", len(whole)/2)
	}
	decoders := newDecoders()
	for _, c := range []struct {
		name, encoding, body string
		broken               bool
	}{
		{"br breaks", "br", breaks("br"), true},
		{"zstd breaks", "zstd", breaks("zstd"), true},
		{"br breaks in zstd", "br, zstd", compressed("zstd", breaks("br")), true},
		{"frames with growing windows", "zstd", frames.String(), false},
	} {
		h := head{proto: "HTTP/1.1", status: 200, fields: []byte("Content-Encoding: " + c.encoding + "\n")}
		took := leastAllocated(func() {
			_, err := readPage(t.Context(), h, strings.NewReader(c.body), reading{
				rules: newRuleSearch(&check.Target{}, h), firewalls: &firewallSearch{}, limit: maxDecoded, decoders: decoders})
			if (err != nil) != c.broken {
				t.Errorf("%s: %v", c.name, err)
			}
		})
		if took > limit {
			t.Errorf("%s: %d KiB", c.name, took>>10)
		}
		t.Logf("%s: %d KiB", c.name, took>>10)
	}
}

// TestBodiesThatNeedSeveralDecoders shows that such bodies do not wait for each other.
func TestBodiesThatNeedSeveralDecoders(t *testing.T) {
	t.Parallel()
	body := compressed("br", compressed("zstd", compressed("br", compressed("br", pageText))))
	h := head{proto: "HTTP/1.1", status: 200, fields: []byte("Content-Encoding: br, br, zstd, br\n")}
	decoders := newDecoders()
	var work sync.WaitGroup
	for range 50 {
		work.Go(func() {
			var got collected
			_, err := readPage(t.Context(), h, strings.NewReader(body), reading{
				rules: &got, firewalls: &firewallSearch{}, limit: maxDecoded, decoders: decoders})
			if err != nil || got.String() != pageText {
				t.Errorf("%q, %v", got.String(), err)
			}
		})
	}
	work.Wait()
	if len(decoders.br.used)+len(decoders.zstd.used)+len(decoders.several) != 0 {
		t.Errorf("out: %d of br, %d of zstd", len(decoders.br.used), len(decoders.zstd.used))
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

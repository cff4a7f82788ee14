package secondopinion

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxEncodings limits the encodings around one body.
	maxEncodings = 5
	// maxWindow limits the window of zstd, as browsers do.
	maxWindow = 8 << 20
	// maxLarge is how many bodies in br or zstd a Reader decodes at once: each takes up to
	// 16 MiB. Nobody asks for these encodings, but some servers send them to everybody.
	maxLarge = 2
)

var errEncoding = errors.New("the body is not encoded as it says")

// decoders counts the decoders that take much memory.
type decoders chan struct{}

// decode undoes the content encodings; known is false if it cannot. Browsers pass over names
// that are no encodings. What lies between two encodings is bounded as the body is.
func (d decoders) decode(h http.Header, r io.Reader) (decoded io.Reader, release func(), known bool) {
	names := strings.Split(strings.Join(h["Content-Encoding"], ","), ",")
	var held []func()
	release = func() {
		for _, f := range held {
			f()
		}
	}
	if len(names) > maxEncodings {
		return r, release, false
	}
	for i := len(names) - 1; i >= 0; i-- {
		below := io.LimitReader(r, maxRaw)
		switch name := strings.ToLower(strings.TrimSpace(names[i])); name {
		case "gzip", "x-gzip":
			r = newGunzip(below)
		case "deflate":
			r = newInflate(below)
		case "br", "zstd":
			select {
			case d <- struct{}{}:
				held = append(held, func() { <-d })
			default:
				return r, release, false
			}
			if name == "br" {
				r = brotli.NewReader(below)
				continue
			}
			z, err := zstd.NewReader(below, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
			if err != nil {
				return r, release, false
			}
			held = append(held, z.Close)
			r = z
		case "compress", "x-compress", "dcb", "dcz":
			return r, release, false
		}
	}
	return r, release, true
}

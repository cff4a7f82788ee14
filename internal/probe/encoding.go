package probe

import (
	"bufio"
	"compress/flate"
	"context"
	"errors"
	"io"
	"reflect"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Limits on content encodings.
const (
	// maxEncodings limits the encodings around one body.
	maxEncodings = 5
	// maxWindow limits the window that a body in zstd may ask for, as browsers do.
	maxWindow = 8 << 20
)

var (
	// errTruncated ends a body whose encoding ended early while its framing is whole.
	errTruncated = errors.New("encoded body ended early")
	// errNoDecoder ends a body that this node has no memory to decode.
	errNoDecoder = errors.New("no decoder is free")
)

// decoding is a body without its content encodings.
type decoding struct {
	io.Reader
	layers []*layer
}

// close gives the decoders back.
func (d *decoding) close() {
	for _, l := range d.layers {
		if l.large != nil {
			l.large.end(l.failed)
			l.large.giveBack()
		}
	}
}

// decode removes the content encodings that browsers know, asked for or not. Like browsers,
// it passes over names that are none.
func (d *decoders) decode(ctx context.Context, h head, body io.Reader) (*decoding, error) {
	result := &decoding{Reader: body}
	names := h.encodings()
	if len(names) > maxEncodings {
		return result, errBadEncoding
	}
	if len(names) == 0 {
		return result, nil
	}
	larges, err := d.take(ctx, names)
	if err != nil {
		return result, err
	}
	for i := len(names) - 1; i >= 0; i-- {
		layer := &layer{name: names[i], large: larges[i], source: source{r: result.Reader}, left: maxRaw}
		result.Reader, result.layers = layer, append(result.layers, layer)
	}
	return result, nil
}

// encodings returns the content encodings that have to be removed, the last first applied.
func (h head) encodings() []string {
	var names []string
	for field := range h.all("Content-Encoding") {
		for name := range strings.SplitSeq(field, ",") {
			switch name = strings.ToLower(strings.Trim(name, " \t")); name {
			case "gzip", "x-gzip", "deflate", "br", "zstd":
				names = append(names, name)
			}
		}
	}
	return names
}

// source is what a decoder reads; it remembers how it ended.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil {
		s.err = err
	}
	return n, err
}

// layer removes one content encoding. An empty body is empty in every encoding.
type layer struct {
	name   string
	source source
	// left is how many bytes it may still yield. The limit keeps one encoding inside
	// another from growing without end between them.
	left    int64
	decoder io.Reader
	// large is the memory of the decoders of br and zstd.
	large           *large
	yielded, failed bool
}

func (l *layer) Read(p []byte) (int, error) {
	if l.decoder == nil {
		if err := l.begin(); err != nil {
			return 0, err
		}
	}
	if l.left <= 0 {
		return 0, errBodyLimit
	}
	n, err := l.decoder.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	l.yielded = l.yielded || n > 0
	if err != nil && err != io.EOF {
		l.failed = true
		err = l.fault(err)
	}
	return n, err
}

// begin makes the decoder once there is something to decode.
func (l *layer) begin() error {
	br := bufio.NewReader(&l.source)
	if _, err := br.Peek(1); err != nil {
		return err
	}
	switch l.name {
	case "br":
		body, readable := narrowBrotli(br)
		l.decoder, l.left = l.large.beginBrotli(body), min(l.left, readable)
	case "zstd":
		body, readable := narrowZstd(br)
		d, err := l.large.beginZstd(body)
		if err != nil {
			return err
		}
		l.decoder, l.left = d, min(l.left, readable)
	case "deflate":
		l.decoder = &deflateReader{br: br}
	default:
		l.decoder = &gzipReader{br: br}
	}
	return nil
}

// fault classifies a decoder's error: the body below it broke off, the encoding ended
// early, something harmless stands behind the encoded body, or the encoding is broken.
func (l *layer) fault(err error) error {
	switch {
	case l.source.err != nil && l.source.err != io.EOF:
		return l.source.err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errTruncated
	case l.yielded && errors.Is(err, zstd.ErrWindowSizeExceeded):
		return errBodyLimit // by a later frame
	case l.name == "zstd" && l.yielded && errors.Is(err, zstd.ErrMagicMismatch),
		l.name == "br" && isBehindBrotli(err):
		return io.EOF
	}
	return errBadEncoding
}

// isBehindBrotli reports whether an error of the decoder means bytes behind the encoded
// body. Neither that error nor the type of those about the encoding is exported, but the
// latter are numbers.
func isBehindBrotli(err error) bool { return reflect.ValueOf(err).Kind() != reflect.Int }

// gzipReader decodes gzip as browsers do: they pass over the header's fields and do not
// look at the sums. Members may follow one another; anything else behind one is ignored.
type gzipReader struct {
	br     *bufio.Reader
	data   io.ReadCloser
	inData bool
}

func (g *gzipReader) Read(p []byte) (int, error) {
	for {
		if !g.inData {
			if err := g.begin(); err != nil {
				return 0, err
			}
		}
		n, err := g.data.Read(p)
		if err != io.EOF {
			return n, err
		}
		g.inData = false
		if err = g.end(); err != nil || n > 0 {
			return n, err
		}
	}
}

// begin reads a member's header.
func (g *gzipReader) begin() error {
	if err := g.header(); err != nil {
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	g.data, g.inData = inflate(g.data, g.br), true
	return nil
}

// end passes over a member's sums, which may be missing. It returns nil when another member
// follows and io.EOF when none does.
func (g *gzipReader) end() error {
	if _, err := g.br.Discard(8); err != nil {
		return err
	}
	magic, err := g.br.Peek(2)
	switch {
	case len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		return nil
	case err != nil:
		return err // the framing's own end, good or bad
	}
	return drain(g.br)
}

// The flags of a gzip header.
const (
	gzipSum     = 1 << 1
	gzipExtra   = 1 << 2
	gzipName    = 1 << 3
	gzipComment = 1 << 4
)

func (g *gzipReader) header() error {
	fixed, err := g.br.Peek(10)
	if err != nil {
		return err
	}
	if fixed[0] != 0x1f || fixed[1] != 0x8b || fixed[2] != 8 {
		return errBadEncoding
	}
	flags := fixed[3]
	_, _ = g.br.Discard(len(fixed))
	if flags&gzipExtra != 0 {
		size, err := g.br.Peek(2)
		if err != nil {
			return err
		}
		if _, err := g.br.Discard(2 + (int(size[0]) | int(size[1])<<8)); err != nil {
			return err
		}
	}
	for _, text := range [...]byte{gzipName, gzipComment} {
		if flags&text != 0 {
			if err := skipText(g.br); err != nil {
				return err
			}
		}
	}
	if flags&gzipSum != 0 {
		_, err := g.br.Discard(2)
		return err
	}
	return nil
}

// skipText passes over a text that ends with a zero byte.
func skipText(br *bufio.Reader) error {
	for {
		_, err := br.ReadSlice(0)
		if err != bufio.ErrBufferFull {
			return err
		}
	}
}

// deflateReader decodes deflate with or without the envelope of zlib, since servers send
// both under this name.
type deflateReader struct {
	br   *bufio.Reader
	data io.ReadCloser
}

func (d *deflateReader) Read(p []byte) (int, error) {
	if d.data == nil {
		if b, _ := d.br.Peek(2); isZlib(b) {
			_, _ = d.br.Discard(2)
		}
		d.data = inflate(nil, d.br)
	}
	n, err := d.data.Read(p)
	if err == io.EOF {
		err = drain(d.br)
	}
	return n, err
}

// isZlib reports whether b is a header of zlib without a dictionary.
func isZlib(b []byte) bool {
	return len(b) == 2 && b[0]&0x0f == 8 && b[0]>>4 <= 7 && b[1]&0x20 == 0 && (int(b[0])<<8|int(b[1]))%31 == 0
}

// inflate returns a decoder of raw deflate, the old one if there is one.
func inflate(old io.ReadCloser, br *bufio.Reader) io.ReadCloser {
	if again, ok := old.(flate.Resetter); ok && again.Reset(br, nil) == nil {
		return old
	}
	return flate.NewReader(br)
}

// drain reads what stands behind an encoded body, so that a body cut short is noticed. It
// returns io.EOF at the end.
func drain(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	return io.EOF
}

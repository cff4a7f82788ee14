package probe

import (
	"context"
	"io"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// maxLargeDecoders limits how many decoders of br, and how many of zstd, are in use at once.
// A body may need as many as it has encodings; no request asks for these two.
const maxLargeDecoders = maxEncodings

// decoders are the decoders of br and zstd that a node has. Each needs the memory for all that
// it may refer to, which is as much as is read of a page. So there are few, they are made when
// first needed, and what one body used the next one gets: a body costs nothing of the kind.
type decoders struct {
	br, zstd shelf
	// several admits one body at a time that waits for more than one decoder, so that no two
	// wait for each other.
	several chan struct{}
}

func newDecoders() *decoders {
	return &decoders{br: newShelf(), zstd: newShelf(), several: make(chan struct{}, 1)}
}

// of returns the decoders of an encoding that needs much memory, nil for another.
func (d *decoders) of(encoding string) *shelf {
	switch encoding {
	case "br":
		return &d.br
	case "zstd":
		return &d.zstd
	}
	return nil
}

// take returns a decoder for each encoding that needs much memory, nil for the others.
func (d *decoders) take(ctx context.Context, encodings []string) ([]*large, error) {
	taken, wanted := make([]*large, len(encodings)), 0
	for _, name := range encodings {
		if d.of(name) != nil {
			wanted++
		}
	}
	if wanted > 1 {
		select {
		case d.several <- struct{}{}:
			defer func() { <-d.several }()
		case <-ctx.Done():
			return nil, errNoDecoder
		}
	}
	for i, name := range encodings {
		s := d.of(name)
		if s == nil {
			continue
		}
		if taken[i] = s.take(ctx); taken[i] == nil {
			for _, l := range taken[:i] {
				l.giveBack()
			}
			return nil, errNoDecoder
		}
	}
	return taken, nil
}

// shelf has the decoders of one encoding. The one used last is the next one used, so that
// there are no more than were ever in use at once.
type shelf struct {
	// used has an element for each decoder in use.
	used chan struct{}
	lock sync.Mutex
	idle []*large
}

func newShelf() shelf { return shelf{used: make(chan struct{}, maxLargeDecoders)} }

// take waits for a decoder and returns nil when the time is over.
func (s *shelf) take(ctx context.Context) *large {
	select {
	case s.used <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	last := len(s.idle) - 1
	if last < 0 {
		return &large{home: s}
	}
	l := s.idle[last]
	s.idle = s.idle[:last]
	return l
}

// large is the memory of a decoder of br or zstd, which is used again and again.
type large struct {
	home *shelf
	// kept has the memory for br. Only a copy of it, busy, decodes: a decoder that meets an
	// error drops its memory.
	kept, busy *brotli.Reader
	zstd       *zstd.Decoder
}

// giveBack puts the decoder back; l may be nil.
func (l *large) giveBack() {
	if l == nil {
		return
	}
	l.home.lock.Lock()
	l.home.idle = append(l.home.idle, l)
	l.home.lock.Unlock()
	<-l.home.used
}

// The shortest bodies of which a decoder learns the largest window that one may have here. That
// in br is a block of as many bytes that are as they are, of which one follows.
const (
	widestBrotli = "\xc9\xff\xff\x8fx"
	widestZstd   = zstdMagic + "\x00" + string(rune(zstdWindow)) + "\x09\x00\x00x"
)

// beginBrotli returns a decoder of a body in br.
func (l *large) beginBrotli(body io.Reader) io.Reader {
	if l.kept == nil {
		l.kept = brotli.NewReader(strings.NewReader(widestBrotli))
		_, _ = l.kept.Read(make([]byte, 1))
	}
	reader := *l.kept
	l.busy = &reader
	_ = l.busy.Reset(body)
	return l.busy
}

// beginZstd returns a decoder of a body in zstd.
func (l *large) beginZstd(body io.Reader) (io.Reader, error) {
	if l.zstd == nil {
		d, err := zstd.NewReader(strings.NewReader(widestZstd), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(false),
			zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.IgnoreChecksum(true))
		if err != nil {
			return nil, err
		}
		_, _ = d.Read(make([]byte, 1))
		l.zstd = d
	}
	return l.zstd, l.zstd.Reset(body)
}

// end forgets the body. Failed is true when it was broken.
func (l *large) end(failed bool) {
	if l.busy != nil {
		if !failed {
			l.kept = l.busy // its tables may have grown
		}
		l.busy = nil
		_ = l.kept.Reset(nil)
	}
	if l.zstd != nil {
		_ = l.zstd.Reset(nil)
	}
}

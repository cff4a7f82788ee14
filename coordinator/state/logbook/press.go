package logbook

import (
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

const (
	// maxPlain bounds the bytes of a blob before it is compressed: what a reader takes on trust.
	maxPlain = 32 << 20
	// maxCodes bounds the codes of a row of the journal; what is more gets another row.
	maxCodes = 2 << 20
	// window is as far back as compression looks.
	window = 1 << 20
)

// press compresses blobs, and opens them again. It is safe for concurrent use.
type press struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
	// plain are buffers to use again.
	plain sync.Pool
}

func newPress() *press {
	// An encoder keeps its memory for the next blob; its checksum finds bytes that have changed.
	// A level that looks harder for what repeats finds nothing more in codes. All that helps is to
	// have frequent bytes take less room, which zstd would leave where nothing repeats.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithAllLitEntropyCompression(true), zstd.WithEncoderCRC(true),
		zstd.WithEncoderConcurrency(flushers), zstd.WithWindowSize(window))
	if err != nil {
		panic(fmt.Sprintf("zstd refuses its options: %v", err))
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxPlain), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		panic(fmt.Sprintf("zstd refuses its options: %v", err))
	}
	return &press{enc: enc, dec: dec, plain: sync.Pool{New: func() any { return new([]byte) }}}
}

// binary is what has a form of bytes.
type binary interface{ AppendBinary(dst []byte) []byte }

// errTooLarge means that what is to be kept does not fit into a row.
var errTooLarge = errors.New("it is too large for a row")

// pack compresses something.
func (p *press) pack(x binary) ([]byte, error) {
	buf := p.plain.Get().(*[]byte)
	defer p.plain.Put(buf)
	*buf = x.AppendBinary((*buf)[:0])
	if len(*buf) > maxPlain {
		return nil, errTooLarge
	}
	blob := p.enc.EncodeAll(*buf, nil)
	if len(blob) > store.MaxCheckBlob {
		return nil, errTooLarge
	}
	return blob, nil
}

// open undoes pack, and has f read the bytes, which are valid only during the call.
func (p *press) open(blob []byte, f func([]byte) error) error {
	if len(blob) == 0 {
		return errors.New("it is empty") // zstd takes nothing for nothing
	}
	buf := p.plain.Get().(*[]byte)
	defer p.plain.Put(buf)
	plain, err := p.dec.DecodeAll(blob, (*buf)[:0])
	if err != nil {
		return err
	}
	*buf = plain
	return f(plain)
}

// split divides a sheet into some that each fit into a row of the journal.
func split(s *history.Sheet) (sheets []*history.Sheet) {
	from, codes := 0, 0
	for i := range s.Strips {
		n := len(s.Strips[i].Codes)
		if i > from && codes+n > maxCodes {
			sheets = append(sheets, &history.Sheet{Regions: s.Regions, Strips: s.Strips[from:i]})
			from, codes = i, 0
		}
		codes += n
	}
	if from < len(s.Strips) {
		sheets = append(sheets, &history.Sheet{Regions: s.Regions, Strips: s.Strips[from:]})
	}
	return sheets
}

package probe

import (
	"bufio"
	"bytes"
	"io"
)

// A decoder's window is how far back a piece of a body may refer; br and zstd have decoders
// allocate it in advance, up to 16 MiB. Of a body only the first maxDecoded bytes are read,
// and nothing in these refers to what is before the first. So a window that is as large as
// that decodes them just as well, and the functions here replace a larger one.

const (
	// maxBrotliWindow is the logarithm of the largest window of a body in br. It is 16 bytes
	// larger than what it can refer to.
	maxBrotliWindow = 21
	brotliGap       = 16
	// maxZstdWindow is the largest window of a body in zstd: what is read, and a block that
	// begins there. zstdWindow is how the format writes it: an exponent and eighths.
	maxZstdWindow = maxDecoded + maxDecoded/8
	zstdWindow    = (21-10)<<3 | 1
)

// narrowBrotli returns a body in br with a window that is not too large, and how much of it may
// be read.
func narrowBrotli(br *bufio.Reader) (body io.Reader, readable int64) {
	first, err := br.Peek(1)
	// A set bit and three others, not all 0, are a window of 17 and these three.
	if err != nil || first[0]&1 == 0 || first[0]>>1&7 <= maxBrotliWindow-17 {
		return br, maxRaw
	}
	narrow := first[0]&^0x0e | (maxBrotliWindow-17)<<1
	_, _ = br.Discard(1)
	return io.MultiReader(bytes.NewReader([]byte{narrow}), br), 1<<maxBrotliWindow - brotliGap
}

// The bits of the byte behind a zstd frame's magic number, and where they are.
const (
	zstdMagic       = "\x28\xb5\x2f\xfd"
	zstdDescriptor  = len(zstdMagic)
	zstdOneSegment  = 1 << 5
	zstdDictionary  = 3
	zstdWindowShift = 3
)

// narrowZstd returns a body in zstd with a window that is not too large, and how much of it may
// be read. A window that browsers refuse is left to the decoder, which refuses it, too.
func narrowZstd(br *bufio.Reader) (body io.Reader, readable int64) {
	h, err := br.Peek(zstdDescriptor + 2)
	if err != nil || string(h[:zstdDescriptor]) != zstdMagic {
		return br, maxRaw
	}
	descriptor, window := h[zstdDescriptor], h[zstdDescriptor+1]
	if descriptor&zstdOneSegment != 0 {
		return narrowSegment(br, descriptor)
	}
	if window <= zstdWindow || window > (23-10)<<zstdWindowShift {
		return br, maxRaw
	}
	_, _ = br.Discard(zstdDescriptor + 2)
	return io.MultiReader(bytes.NewReader([]byte(zstdMagic+string([]byte{descriptor, zstdWindow}))), br), maxDecoded
}

// narrowSegment does so for a frame whose window is its whole content.
func narrowSegment(br *bufio.Reader, descriptor byte) (body io.Reader, readable int64) {
	sizeBytes := 1 << (descriptor >> 6)
	at := zstdDescriptor + 1 + []int{0, 1, 2, 4}[descriptor&zstdDictionary]
	h, err := br.Peek(at + sizeBytes)
	if err != nil || sizeBytes < 4 {
		return br, maxRaw // or it is smaller than 64 KiB
	}
	size := uint64(0)
	for i := range sizeBytes {
		size |= uint64(h[at+i]) << (8 * i)
	}
	if size <= maxZstdWindow || size > maxWindow {
		return br, maxRaw
	}
	_, _ = br.Discard(zstdDescriptor + 1)
	return io.MultiReader(bytes.NewReader([]byte(zstdMagic+string([]byte{descriptor &^ zstdOneSegment, zstdWindow}))), br), maxDecoded
}

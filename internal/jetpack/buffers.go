package jetpack

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Buffers is nginx's fastcgi_buffers: a number of buffers and the bytes of each.
type Buffers struct {
	Number int
	Size   int64
}

// DefaultBuffers are nginx's where a page has 4 KiB.
func DefaultBuffers() Buffers { return Buffers{8, 4 << 10} }

// Bounds of what is taken for a setting.
const (
	maxBuffers    = 1 << 16
	maxBufferSize = 1 << 30
	// preferredNumber is how many buffers are proposed before larger ones are.
	preferredNumber = 64
	// maxProposed is how much memory a request may take by a proposal.
	maxProposed = 8 << 20
)

// ParseBuffers reads "8x4k" or nginx's own "8 4k".
func ParseBuffers(text string) (Buffers, error) {
	mistake := errors.New(`must look like 8x4k: number of buffers, x, size with k or m`)
	number, size, ok := strings.Cut(strings.ToLower(strings.TrimSpace(text)), "x")
	if !ok {
		if number, size, ok = strings.Cut(number, " "); !ok {
			return Buffers{}, mistake
		}
	}
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || n < 1 || n > maxBuffers {
		return Buffers{}, mistake
	}
	size = strings.TrimSpace(size)
	unit := int64(1)
	switch {
	case strings.HasSuffix(size, "k"):
		unit, size = 1<<10, size[:len(size)-1]
	case strings.HasSuffix(size, "m"):
		unit, size = 1<<20, size[:len(size)-1]
	}
	bytes, err := strconv.ParseInt(size, 10, 64)
	if err != nil || bytes < 1 || bytes > maxBufferSize/unit {
		return Buffers{}, mistake
	}
	return Buffers{n, bytes * unit}, nil
}

// Bytes is what fits in all of them.
func (b Buffers) Bytes() int64 { return int64(b.Number) * b.Size }

// String is as ParseBuffers reads it.
func (b Buffers) String() string { return fmt.Sprintf("%dx%s", b.Number, b.size()) }

// Directive is the line for nginx's configuration.
func (b Buffers) Directive() string { return fmt.Sprintf("fastcgi_buffers %d %s;", b.Number, b.size()) }

func (b Buffers) size() string {
	switch {
	case b.Size%(1<<20) == 0:
		return fmt.Sprintf("%dm", b.Size>>20)
	case b.Size%(1<<10) == 0:
		return fmt.Sprintf("%dk", b.Size>>10)
	}
	return strconv.FormatInt(b.Size, 10)
}

// propose gives buffers that hold a response of so many bytes: as many of the same size
// as it takes, larger ones when that would be too many.
func (b Buffers) propose(bytes int64) Buffers {
	p := b
	p.Number = int((bytes + p.Size - 1) / p.Size)
	for p.Number > preferredNumber {
		p.Size *= 2
		p.Number = int((bytes + p.Size - 1) / p.Size)
	}
	return p
}

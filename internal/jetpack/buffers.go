package jetpack

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Buffers is nginx's fastcgi_buffers: the number of buffers and the size of each in bytes.
type Buffers struct {
	Number int
	Size   int64
}

// defaultBuffers are nginx's defaults on machines with 4 KiB pages.
func defaultBuffers() Buffers { return Buffers{8, 4 << 10} }

// Limits on settings.
const (
	maxBuffers    = 1 << 16
	maxBufferSize = 1 << 30
	// preferredNumber is how many buffers propose accepts before it makes them larger.
	preferredNumber = 64
	// maxProposed limits the memory of one request under a proposal.
	maxProposed = 8 << 20
)

// ParseBuffers parses "8x4k" or nginx's own "8 4k".
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

// Bytes is the size of all buffers together.
func (b Buffers) Bytes() int64 { return int64(b.Number) * b.Size }

// String returns the form that ParseBuffers parses.
func (b Buffers) String() string { return fmt.Sprintf("%dx%s", b.Number, b.size()) }

// Directive returns the line for nginx's configuration.
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

// propose returns buffers that hold a response of so many bytes: more of the same size, or
// larger ones when that would be too many.
func (b Buffers) propose(bytes int64) Buffers {
	p := b
	p.Number = int((bytes + p.Size - 1) / p.Size)
	for p.Number > preferredNumber {
		p.Size *= 2
		p.Number = int((bytes + p.Size - 1) / p.Size)
	}
	return p
}

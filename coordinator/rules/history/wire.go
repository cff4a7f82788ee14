package history

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrDamaged is the error of bytes that are not what their writer has written.
var ErrDamaged = errors.New("damaged history")

func damaged(what string) error { return fmt.Errorf("%w: %s", ErrDamaged, what) }

// column reads numbers off the front of bytes. Once it has met the end, or a number that is
// larger than asked for, it is bad and reads zeros.
type column struct {
	b   []byte
	bad bool
}

// next reads a number, most at most.
func (c *column) next(most uint64) uint64 {
	if len(c.b) > 0 && c.b[0] < 0x80 && uint64(c.b[0]) <= most {
		x := c.b[0]
		c.b = c.b[1:]
		return uint64(x)
	}
	x, n := binary.Uvarint(c.b)
	if n <= 0 || x > most {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return x
}

// skip passes over n numbers.
func (c *column) skip(n uint64) {
	for i, b := range c.b {
		if n == 0 {
			c.b = c.b[i:]
			return
		}
		if b < 0x80 {
			n--
		}
	}
	c.b, c.bad = nil, c.bad || n > 0
}

// next8 reads a byte.
func (c *column) next8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

// take reads n bytes. They are the caller's to read only.
func (c *column) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	x := c.b[:n:n]
	c.b = c.b[n:]
	return x
}

// columns reads the sizes of columns, and then the columns.
func (c *column) columns(into ...*column) {
	for _, x := range into {
		x.b = c.b[:0]
	}
	sizes := make([]uint64, len(into))
	for i := range sizes {
		sizes[i] = c.next(uint64(len(c.b)))
	}
	for i, x := range into {
		x.b = c.take(sizes[i])
	}
}

// over reports whether all of the columns has been read, and nothing beyond.
func over(columns ...*column) bool {
	for _, c := range columns {
		if c.bad || len(c.b) > 0 {
			return false
		}
	}
	return true
}

// appendColumns adds the sizes of columns, and then the columns.
func appendColumns(dst []byte, columns ...[]byte) []byte {
	for _, c := range columns {
		dst = binary.AppendUvarint(dst, uint64(len(c)))
	}
	for _, c := range columns {
		dst = append(dst, c...)
	}
	return dst
}

package probe

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// maxChunkLine limits the line before a chunk, as browsers do.
const maxChunkLine = 16 << 10

// errCutShort ends a body that ended before its framing said so.
var errCutShort = errors.New("body ended early")

// framed is a body without its framing.
type framed struct {
	io.Reader
	// open is true for a body that only the end of the connection ends, so that a body cut
	// short looks like a whole one.
	open bool
}

// bodyReader removes the body's framing: chunks, a length, or the end of the connection.
func bodyReader(h head, r io.Reader) (framed, error) {
	if h.isChunked() {
		return framed{&chunkReader{br: bufio.NewReader(r)}, false}, nil
	}
	length, known, err := h.length()
	if err != nil {
		return framed{}, err
	}
	if known {
		return framed{&lengthReader{r, length}, false}, nil
	}
	return framed{r, true}, nil
}

// isChunked reports whether the body comes in chunks. Browsers take no notice of the field
// in an answer of HTTP/1.0: old proxies pass it on and send the body as it is.
func (h head) isChunked() bool {
	if h.proto == "HTTP/1" || strings.HasPrefix(h.proto, "HTTP/1.0") || strings.HasPrefix(h.proto, "HTTP/0") {
		return false
	}
	return h.hasToken("Transfer-Encoding", "chunked")
}

// length returns the body's length as the Fetch Standard extracts it: values that differ
// are an error, however they are written, and one that is no number is not known.
func (h head) length() (n int64, known bool, err error) {
	first, seen := "", false
	for field := range h.all("Content-Length") {
		for value := range strings.SplitSeq(field, ",") {
			value = strings.Trim(value, " \t")
			if seen && value != first {
				return 0, false, errBadLength
			}
			first, seen = value, true
		}
	}
	if first == "" || !isDigits([]byte(first)) {
		return 0, false, nil
	}
	n, err = strconv.ParseInt(first, 10, 64)
	return n, err == nil, nil // a length beyond all numbers ends with the connection
}

// lengthReader reads a body of known length; an early end is an error.
type lengthReader struct {
	r    io.Reader
	left int64
}

func (l *lengthReader) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	switch {
	case l.left == 0:
		return n, io.EOF
	case err == io.EOF:
		err = errCutShort
	}
	return n, err
}

// chunkReader reads a chunked body as browsers do: lines may end with a bare line feed, and
// a size may have blanks and other things around it. The chunk of size 0 ends the body;
// nothing behind it matters.
type chunkReader struct {
	br   *bufio.Reader
	left uint64
	over bool
	// long holds the beginning of a line that is longer than the buffer of br.
	long [64]byte
}

func (c *chunkReader) Read(p []byte) (n int, err error) {
	for n < len(p) && err == nil && (n == 0 || c.hasMore()) {
		if c.left == 0 && !c.over {
			if err = c.next(); err != nil {
				break
			}
		}
		if c.over {
			return n, io.EOF
		}
		var m int
		m, err = c.br.Read(p[n:min(uint64(len(p)), uint64(n)+c.left)])
		n += m
		c.left -= uint64(m)
		if err == io.EOF {
			err = errCutShort
		}
	}
	return n, err
}

// hasMore reports whether there is more to read without waiting for the connection, so
// that small chunks are read together.
func (c *chunkReader) hasMore() bool {
	waiting, _ := c.br.Peek(c.br.Buffered())
	if c.left > 0 {
		return len(waiting) > 0
	}
	return bytes.IndexByte(bytes.TrimLeft(waiting, "\r\n"), '\n') >= 0
}

// next reads the line with the size of the next chunk. It passes over blank lines, one of
// which ends the chunk before.
func (c *chunkReader) next() error {
	for {
		line, err := c.line()
		if err != nil && err != io.EOF {
			return err
		}
		size, blank, ok := chunkSize(line)
		switch {
		case blank && err != nil:
			return errCutShort
		case blank:
			continue
		case !ok:
			return errBadChunks
		case err != nil && size > 0:
			return errCutShort
		}
		c.left, c.over = size, size == 0
		return nil
	}
}

// line reads a line, of a very long one only the beginning. The error io.EOF comes with
// the part before the end.
func (c *chunkReader) line() ([]byte, error) {
	line, err := c.br.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return line, err
	}
	begin := c.long[:copy(c.long[:], line)]
	for total := len(line); err == bufio.ErrBufferFull; total += len(line) {
		if total > maxChunkLine {
			return nil, errBadChunks
		}
		line, err = c.br.ReadSlice('\n')
	}
	return begin, err
}

// chunkSize reads the size from a chunk's line. Each of these is taken by one browser at
// least: blanks, a plus or 0x before the digits, and anything behind them.
func chunkSize(line []byte) (size uint64, blank, ok bool) {
	for len(line) > 0 && (line[0] == ' ' || line[0] >= '\t' && line[0] <= '\r') {
		line = line[1:]
	}
	if len(line) == 0 {
		return 0, true, false
	}
	if line[0] == '+' {
		line = line[1:]
	}
	if len(line) > 2 && line[0] == '0' && line[1]|0x20 == 'x' && isHex(line[2]) {
		line = line[2:]
	}
	for _, c := range line {
		if !isHex(c) {
			break
		}
		if size >= 1<<59 {
			return 0, false, false // beyond all numbers
		}
		size, ok = size<<4|uint64(hexDigit(c)), true
	}
	return size, false, ok
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

func hexDigit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

package sitefile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// errLong is the error of a row that is longer than MaxRow.
var errLong = fmt.Errorf("is longer than %d bytes", MaxRow)

// errUTF16 is the error of a file in UTF-16.
var errUTF16 = errors.New("the file is in UTF-16: save it as UTF-8")

// line is a line of a file with the characters that end it.
type line struct {
	number int64
	text   []byte
	long   bool
}

// lines reads lines of at most MaxRow bytes; of a longer one nothing is kept.
type lines struct {
	in     *bufio.Reader
	number int64
	// again holds lines that were read already and are to be read once more.
	again []line
}

func newLines(r io.Reader) *lines { return &lines{in: bufio.NewReaderSize(r, 64<<10)} }

// begin passes over a byte order mark.
func (l *lines) begin() error {
	head, err := l.in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, err := l.in.Discard(3)
		return err
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return errUTF16
	}
	return nil
}

// next returns the next line, whose text is the caller's to keep, or io.EOF.
func (l *lines) next() (line, error) {
	if len(l.again) > 0 {
		first := l.again[0]
		l.again = l.again[1:]
		return first, nil
	}
	found := line{number: l.number + 1}
	for {
		part, err := l.in.ReadSlice('\n')
		if len(found.text)+len(part) > MaxRow {
			found.long, found.text = true, nil
		}
		if !found.long {
			found.text = append(found.text, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && (len(found.text) > 0 || found.long):
		case err != nil:
			return line{}, err
		}
		l.number++
		return found, nil
	}
}

// repeat has lines read once more, before those that follow them.
func (l *lines) repeat(read []line) { l.again = append(read[:len(read):len(read)], l.again...) }

// trimEnd cuts the characters that end a line.
func trimEnd(text []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
}

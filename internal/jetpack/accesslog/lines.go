package accesslog

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

const (
	// maxLine limits the length of a line; signed URLs and their referrers make long ones.
	maxLine = 64 << 10
	// chunk is the size of the read buffer.
	chunk = 256 << 10
)

// Lines calls f with each line of a log, without its line end; the bytes are valid until f
// returns. For a line that is too long it calls f with nil. It recognises gzip by its first
// bytes, and reads several concatenated gzip members. It returns the error that ended the
// reading early.
func Lines(r io.Reader, f func(line []byte)) error {
	in := bufio.NewReaderSize(r, chunk)
	magic, err := in.Peek(2)
	if err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		defer unpacked.Close()
		in = bufio.NewReaderSize(unpacked, chunk)
	}
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if err := skipLine(in); err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("read: %w", err)
			}
			f(nil)
			continue
		case err != nil && !errors.Is(err, io.EOF):
			if len(line) > 0 {
				give(line, f)
			}
			return fmt.Errorf("read: %w", err)
		}
		if len(line) > 0 {
			give(line, f)
		}
		if err != nil {
			return nil
		}
	}
}

func give(line []byte, f func([]byte)) {
	line = bytes.TrimRight(line, "\r\n")
	if len(line) > maxLine {
		line = nil
	}
	line = unwrap(line)
	if line == nil || len(line) > 0 {
		f(line)
	}
}

// skipLine reads to the end of a line that is too long.
func skipLine(in *bufio.Reader) error {
	for {
		_, err := in.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// unwrap takes a line out of the JSON in which Docker keeps what a container writes.
func unwrap(line []byte) []byte {
	const before = `{"log":"`
	if !bytes.HasPrefix(line, []byte(before)) {
		return line
	}
	s := scanner{line: line, at: len(before)}
	text, ok := s.text()
	if !ok {
		return line
	}
	return bytes.TrimRight(text, "\r\n")
}

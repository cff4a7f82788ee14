package main

import (
	"context"
	"io"
	"strings"

	"github.com/Automattic/jetmon/internal/cli"
)

// stdin returns stdin, which is empty where there is none.
func (p *program) stdin(ctx context.Context) io.Reader {
	if p.In == nil {
		return strings.NewReader("")
	}
	return interruptible(ctx, p.In)
}

// interruptible returns a reader of r whose Read ends when ctx does: nobody waits for a pipe or
// for keys after Ctrl-C. Its goroutine ends with the input, or with the process.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	in := &patientReader{ctx: ctx, parts: make(chan part)}
	go in.read(r)
	return in
}

const partBytes = 64 << 10

// part is what one Read of the input has brought.
type part struct {
	text []byte
	err  error
}

type patientReader struct {
	ctx   context.Context
	parts chan part
	rest  part
}

func (in *patientReader) read(r io.Reader) {
	for {
		b := make([]byte, partBytes)
		n, err := r.Read(b)
		select {
		case in.parts <- part{b[:n], err}:
		case <-in.ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// Read reads what has come, or waits for it.
func (in *patientReader) Read(b []byte) (int, error) {
	for len(in.rest.text) == 0 {
		if in.rest.err != nil {
			return 0, in.rest.err
		}
		if in.ctx.Err() != nil {
			return 0, unchanged()
		}
		select {
		case in.rest = <-in.parts:
		case <-in.ctx.Done():
		}
	}
	n := copy(b, in.rest.text)
	in.rest.text = in.rest.text[n:]
	return n, nil
}

// unchanged is the error of a command that was told to stop before it did anything.
func unchanged() error { return cli.Interrupt("interrupted: nothing was changed") }

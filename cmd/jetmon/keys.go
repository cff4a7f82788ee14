package main

import (
	"bytes"
	"io"

	"github.com/Automattic/jetmon/internal/cli"
)

// keyCodes are what terminals send for the keys of jetmon top.
var keyCodes = []struct {
	code string
	key  cli.Key
}{
	{"\x1b[A", cli.KeyUp}, {"\x1bOA", cli.KeyUp}, {"\x1b[B", cli.KeyDown}, {"\x1bOB", cli.KeyDown},
	{"\x1b[5~", cli.KeyPageUp}, {"\x1b[6~", cli.KeyPageDown},
	{"\x1b[H", cli.KeyHome}, {"\x1bOH", cli.KeyHome}, {"\x1b[1~", cli.KeyHome}, {"\x1b[F", cli.KeyEnd}, {"\x1bOF", cli.KeyEnd}, {"\x1b[4~", cli.KeyEnd},
	{"q", cli.KeyQuit}, {"Q", cli.KeyQuit}, {"\x03", cli.KeyQuit}, {"\x04", cli.KeyQuit},
	{"k", cli.KeyUp}, {"j", cli.KeyDown}, {"g", cli.KeyHome}, {"G", cli.KeyEnd}, {" ", cli.KeyNow},
}

// readKeys gives the keys that are typed, until in or the reading of keys ends.
func readKeys(in io.Reader, done <-chan struct{}, keys chan<- cli.Key) {
	defer close(keys)
	b := make([]byte, 64)
	for {
		n, err := in.Read(b)
		for _, key := range keysOf(b[:n]) {
			select {
			case keys <- key:
			case <-done:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// keysOf returns the keys of what a terminal has sent; others are passed over.
func keysOf(sent []byte) (out []cli.Key) {
next:
	for len(sent) > 0 {
		for _, k := range keyCodes {
			if bytes.HasPrefix(sent, []byte(k.code)) {
				out, sent = append(out, k.key), sent[len(k.code):]
				continue next
			}
		}
		if sent[0] != 0x1b {
			sent = sent[1:]
			continue
		}
		// Another key: its code ends with the next letter.
		end := bytes.IndexFunc(sent[1:], func(r rune) bool { return r >= '@' && r <= '~' && r != '[' && r != 'O' })
		if end < 0 {
			return out
		}
		sent = sent[end+2:]
	}
	return out
}

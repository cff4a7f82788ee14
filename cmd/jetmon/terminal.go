package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/Automattic/jetmon/internal/cli"
)

// isTerminal reports whether v, a stream of the process, is a terminal.
func isTerminal(v any) bool {
	_, ok := terminalSize(v)
	return ok
}

// terminalWidth returns how many cells a line of w has; 0 when w is no terminal, or has no
// width.
func terminalWidth(w io.Writer) int {
	columns, _ := terminalSize(w)
	return columns
}

// dumb reports whether the terminal knows no commands, as that of an editor.
func (p *program) dumb() bool {
	kind, _ := p.LookupEnv("TERM")
	return kind == "dumb"
}

// meter returns a meter on stderr, nil where nobody would see it or it would disturb.
func (p *program) meter(output io.Writer) *cli.Meter {
	if p.dumb() || !isTerminal(p.Err) || isTerminal(output) {
		return nil
	}
	return cli.NewMeter(p.Err, terminalWidth(p.Err))
}

// confirm asks a question on the terminal, and returns an error unless the answer is yes.
func (p *program) confirm(ctx context.Context, question string) error {
	if !isTerminal(p.In) || !isTerminal(p.Err) {
		return usagef("nobody can be asked without a terminal: give --yes")
	}
	fmt.Fprintf(p.Err, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // ends with the line, or with the process
		line, _ := bufio.NewReader(p.In).ReadString('\n') // an error is no yes
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.Err)
		return unchanged()
	case line := <-answer:
		if line == "y" || line == "yes" {
			return nil
		}
		return fmt.Errorf("the answer was not yes: nothing was changed")
	}
}

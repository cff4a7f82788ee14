package main

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/Automattic/jetmon/internal/cli"
	"github.com/Automattic/jetmon/internal/fault"
)

// stdin stands for the lines of stdin among arguments.
const stdin = "-"

// idArguments are the ids of sites on a command line.
type idArguments struct {
	IDs []string `arg:"" name:"id" help:"Ids of sites; - takes them from stdin, one a line."`
}

// ids returns the ids. Those of stdin are read as they are needed.
func (a idArguments) ids(ctx context.Context, p *program) (cli.IDs, error) {
	if !slices.Contains(a.IDs, stdin) { // a mistake is found before anything is done
		for _, arg := range a.IDs {
			if _, err := siteID(arg); err != nil {
				return cli.IDs{}, err
			}
		}
	}
	return cli.IDs{Many: len(a.IDs) > 1 || a.fromStdin(), All: func(yield func(int64, error) bool) {
		for line, err := range p.lines(ctx, a.IDs) {
			id := int64(0)
			if err == nil {
				id, err = siteID(line)
			}
			if !yield(id, err) || err != nil {
				return
			}
		}
	}}, nil
}

func (a idArguments) fromStdin() bool { return slices.Contains(a.IDs, stdin) }

// siteID reads an id, which may be in quotes, as jq writes it without -r.
func siteID(text string) (int64, error) {
	id, err := strconv.ParseInt(strings.Trim(text, `"`), 10, 64)
	if err != nil || id <= 0 {
		return 0, usagef("%q is no id of a site", fault.Clip(text, maxQuoted))
	}
	return id, nil
}

// maxLine bounds a line of stdin.
const maxLine = 64 << 10

// lines yields arguments, and in the place of - the lines of stdin that are not empty.
func (p *program) lines(ctx context.Context, args []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, arg := range args {
			if arg != stdin {
				if !yield(arg, nil) {
					return
				}
				continue
			}
			lines := bufio.NewScanner(p.stdin(ctx))
			lines.Buffer(nil, maxLine)
			for lines.Scan() {
				if line := strings.TrimSpace(lines.Text()); line != "" && !yield(line, nil) {
					return
				}
			}
			if err := lines.Err(); err != nil {
				if ctx.Err() == nil {
					err = fmt.Errorf("stdin: %w", err)
				}
				yield("", err)
				return
			}
		}
	}
}

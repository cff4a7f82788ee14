package main

import (
	"context"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/Automattic/jetmon/internal/cli"
)

// topCommand is `jetmon top`.
type topCommand struct {
	Every time.Duration `default:"2s" help:"Time from one question to the next, 200ms..1m."`
	Once  bool          `noenv:"" help:"Print the screen once, for scripts."`

	serverFlags `embed:""`
}

// Run shows the screen.
func (c *topCommand) Run(ctx context.Context, p *program) error {
	if c.Every < 200*time.Millisecond || c.Every > time.Minute {
		return usagef("--every: must be from 200ms to 1m, is %s", c.Every)
	}
	client := cli.Client{Out: p.Out, Err: p.Err, Width: terminalWidth(p.Out)}
	if c.Once {
		return c.connect(client, func(client cli.Client) error { return client.TopOnce(ctx, c.Every) })
	}
	in, isFile := p.In.(*os.File)
	out, isScreen := p.Out.(*os.File)
	if !isFile || !isScreen || !isTerminal(in) || !isTerminal(out) || p.dumb() {
		return usagef("needs a terminal: --once prints the screen once")
	}
	return c.connect(client, func(client cli.Client) error { return watchTop(ctx, p, client, c.Every) })
}

// watchTop shows the screen on the terminal, whose settings it gives back at the end.
func watchTop(ctx context.Context, p *program, client cli.Client, every time.Duration) error {
	in, out := p.In.(*os.File), p.Out.(*os.File)
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return err
	}
	defer term.Restore(int(in.Fd()), before) // nothing can be done about an error
	done, keys := make(chan struct{}), make(chan cli.Key)
	defer close(done)
	go readKeys(in, done, keys) // ends with a key after done, or with the process
	return client.Top(ctx, cli.TopOptions{
		Every: every, Keys: keys, Color: reportFlags{Color: "auto"}.color(p),
		Size: func() (columns, rows int) {
			columns, rows, err := term.GetSize(int(out.Fd()))
			if err != nil || columns <= 0 || rows <= 0 {
				return 80, 24
			}
			return columns, rows
		},
	})
}

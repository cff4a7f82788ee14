package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// catchHangups replaces the default action of SIGHUP, which ends a process undrained. It
// lasts until the process ends, so that SIGHUP does not cut a draining role off either.
func catchHangups() <-chan os.Signal {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	return hangups
}

// followHangups reads the configuration again at each SIGHUP, and the certificates when they
// have changed, until ctx ends.
func (p *process) followHangups(ctx context.Context) {
	ticks, stop := p.renewal.ticks()
	defer stop()
	for {
		select {
		case <-p.hangups:
			if p.reload == nil {
				p.log.Warn("SIGHUP ignored: this command reads its configuration only when it starts")
				continue
			}
			p.reload()
		case now := <-ticks:
			p.renewal.look(now)
		case <-ctx.Done():
			return
		}
	}
}

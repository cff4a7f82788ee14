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

// followHangups reads the configuration again at each SIGHUP, until ctx ends.
func (p *process) followHangups(ctx context.Context) {
	for {
		select {
		case <-p.hangups:
			if p.reload == nil {
				p.log.Warn("SIGHUP ignored: this command reads its configuration only when it starts")
				continue
			}
			p.reload()
		case <-ctx.Done():
			return
		}
	}
}

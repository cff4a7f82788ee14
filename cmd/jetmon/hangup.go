package main

import (
	"context"
	"log/slog"
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

// logHangups logs each SIGHUP until ctx ends.
func logHangups(ctx context.Context, log *slog.Logger, hangups <-chan os.Signal) {
	for {
		select {
		case <-hangups:
			log.Warn("SIGHUP ignored: a role reads its configuration only when it starts")
		case <-ctx.Done():
			return
		}
	}
}

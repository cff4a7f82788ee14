package dev

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
)

// ticker prints a line per status change. changed enqueues one without waiting for the
// terminal; Run prints them.
type ticker struct {
	out     io.Writer
	changes chan coordinator.StatusChange
}

// tickerBuffer is the number of changes that may wait for the terminal; further ones are not
// printed. The database and the API have all of them.
const tickerBuffer = 1000

func newTicker(out io.Writer) *ticker {
	return &ticker{out: out, changes: make(chan coordinator.StatusChange, tickerBuffer)}
}

func (t *ticker) changed(c coordinator.StatusChange) {
	select {
	case t.changes <- c:
	default:
	}
}

// Run prints until ctx ends, and then the changes that still wait.
func (t *ticker) Run(ctx context.Context) error {
	for {
		select {
		case c := <-t.changes:
			fmt.Fprintln(t.out, changeLine(c))
		case <-ctx.Done():
			for len(t.changes) > 0 {
				fmt.Fprintln(t.out, changeLine(<-t.changes))
			}
			return nil
		}
	}
}

// changeLine formats one change: time, status, URL, cause.
func changeLine(c coordinator.StatusChange) string {
	var what, why string
	switch c.To {
	case check.StatusDown:
		what = "DOWN"
	case check.StatusConfirmedDown:
		what = "STILL DOWN"
	case check.StatusRunning:
		what = "UP"
		if !c.Start.IsZero() {
			why = "after " + c.At.Sub(c.Start).Round(time.Second).String()
		}
	}
	if c.To != check.StatusRunning {
		kind := checkpb.ObservationToProto(c.Cause).GetFailure().String()
		why = strings.ToLower(strings.TrimPrefix(kind, "FAILURE_KIND_"))
		switch {
		case c.Cause.HTTPStatus >= 400: // below, the status is good and says nothing
			why += fmt.Sprintf(": %d %s", c.Cause.HTTPStatus, http.StatusText(c.Cause.HTTPStatus))
		case c.Cause.Reason != "":
			why += ": " + c.Cause.Reason
		}
	}
	if c.OutageID == 0 { // the URL has changed since it was told down
		return fmt.Sprintf("%s  %-10s  %s", c.At.Format(time.TimeOnly), what, c.URL)
	}
	if why != "" {
		why += ", "
	}
	return fmt.Sprintf("%s  %-10s  %s  (%soutage %d)", c.At.Format(time.TimeOnly), what, c.URL, why, c.OutageID)
}

package api

import (
	"context"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// wideSites is how many sites make a read a wide one, which takes about a second of a
	// processor; wideReads bounds those, narrowReads the others that are under way.
	wideSites   = 100
	wideReads   = 2
	narrowReads = 8
	// readWait is how long a read waits for its turn: some answers in time are better than all
	// too late.
	readWait = 4 * time.Second
	// historyReads is what those who wait are told is done by others.
	historyReads = "histories are read"
)

// boundedHistory is a History of which only so much is read at once, whoever asks: whoever
// looks back must not take the processors and the connections from the checks of now.
type boundedHistory struct {
	History
	wide, narrow chan struct{}
}

func newBoundedHistory(h History) *boundedHistory {
	return &boundedHistory{History: h, wide: make(chan struct{}, wideReads), narrow: make(chan struct{}, narrowReads)}
}

// turn waits for a read's turn, and returns what ends it. what is being done by the others, in words.
func turn(ctx context.Context, running chan struct{}, what string) (end func(), err error) {
	wait := time.NewTimer(readWait)
	defer wait.Stop()
	select {
	case running <- struct{}{}:
		return func() { <-running }, nil
	case <-wait.C:
		return nil, fault.New(fault.Exhausted, "too many %s at this moment", what).
			With(&errdetails.RetryInfo{RetryDelay: durationpb.New(readWait)})
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Turns implements History.
func (b *boundedHistory) Turns(ctx context.Context, site record.Site, from, to time.Time) (history.Sheet, time.Time, error) {
	end, err := turn(ctx, b.narrow, historyReads)
	if err != nil {
		return history.Sheet{}, time.Time{}, err
	}
	defer end()
	return b.History.Turns(ctx, site, from, to)
}

// Days implements History.
func (b *boundedHistory) Days(ctx context.Context, sites []record.Site, from, to history.Day, f func(check.SiteID, history.Day, []history.Summary)) (time.Time, error) {
	running := b.narrow
	if len(sites) >= wideSites {
		running = b.wide
	}
	end, err := turn(ctx, running, historyReads)
	if err != nil {
		return time.Time{}, err
	}
	defer end()
	return b.History.Days(ctx, sites, from, to, f)
}

// Fleet implements History.
func (b *boundedHistory) Fleet(ctx context.Context, from, to history.Hour) ([]history.FleetHour, time.Time, error) {
	end, err := turn(ctx, b.narrow, historyReads)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer end()
	return b.History.Fleet(ctx, from, to)
}

package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator/state/feed"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// outlet sends the messages of a stream, from a goroutine of its own: a send lasts as long as
// the watcher takes nothing, and the stream must be able to end meanwhile. gRPC ends a send
// when the handler has returned.
type outlet struct {
	in   chan rpc.Encoded
	sent chan error
	done <-chan struct{}
	stop func()
}

// newOutlet makes an outlet, which gives up when done is closed.
func newOutlet(stream grpc.ServerStream, done <-chan struct{}) *outlet {
	o := &outlet{in: make(chan rpc.Encoded), sent: make(chan error, 1), done: done}
	o.stop = sync.OnceFunc(func() { close(o.in) })
	go func() {
		for m := range o.in {
			o.sent <- stream.SendMsg(m)
		}
	}()
	return o
}

// send sends a message. It returns when it is on its way.
func (o *outlet) send(ctx context.Context, m rpc.Encoded) error {
	timer := time.NewTimer(takeWithin)
	defer timer.Stop()
	o.in <- m // the one before is sent
	select {
	case err := <-o.sent:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-o.done:
		return feed.ErrStopping
	case <-timer.C:
		return feed.ErrSlow
	}
}

// close ends the goroutine, once its last send has ended.
func (o *outlet) close() { o.stop() }

// watchFault gives an error of the feed its kind. token is the last one that the watcher got.
func watchFault(err error, token string) error {
	info := func(reason string) *errdetails.ErrorInfo {
		i := &errdetails.ErrorInfo{Domain: "jetmon.coordinator", Reason: reason}
		if token != "" {
			i.Metadata = map[string]string{"resume_token": token}
		}
		return i
	}
	again := &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)}
	switch {
	case errors.Is(err, feed.ErrStopping):
		return fault.New(fault.Unavailable, "this coordinator stops: go on with the last resume_token, at another").With(info("STOPPING"), again)
	case errors.Is(err, feed.ErrAway):
		return fault.New(fault.Unavailable, "%w", err).Hidden("the database does not answer: go on with the last resume_token in some seconds").With(again)
	case errors.Is(err, feed.ErrSlow):
		return fault.New(fault.Exhausted, "more has happened than is kept in memory before it was taken: go on with the last resume_token, or with a filter").
			With(info("WATCHER_TOO_SLOW"), again)
	case errors.Is(err, feed.ErrFull):
		return fault.New(fault.Exhausted, "%d watch at this coordinator, which is the most", feed.MaxWatchers).With(again)
	case errors.Is(err, feed.ErrForeign):
		return fault.InvalidField("resume_token", "is one of another database")
	case errors.Is(err, feed.ErrExpired):
		return fault.New(fault.Gone, "resume_token: events after it are no longer kept: read the state anew, and begin without it or with from_start").
			With(info("RESUME_TOKEN_EXPIRED"))
	case errors.Is(err, feed.ErrAhead):
		return fault.New(fault.Gone, "resume_token: the database has not come as far: read the state anew, and begin without it or with from_start").
			With(info("RESUME_TOKEN_AHEAD"))
	}
	return err
}

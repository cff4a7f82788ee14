package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/backoff"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// WatchChanges prints a line for each event, until ctx ends. When the connection breaks it goes
// on where it was. The error at the end has the token with which another call goes on.
func (c Client) WatchChanges(ctx context.Context, from *monitorv1.WatchChangesRequest) error {
	w := watcher{Client: c, req: proto.CloneOf(from)}
	waits := backoff.Policy{Base: 500 * time.Millisecond, Most: 10 * time.Second}
	failures := 0
	for {
		came, err := w.once(ctx)
		if came {
			failures = 0
		}
		switch {
		case ctx.Err() != nil && w.begun:
			return Interrupt("interrupted: --since-token=%s goes on from here", w.req.GetResumeToken())
		case !w.begun || !again(err):
			return w.stopped(err)
		}
		if failures++; failures == 1 {
			if _, err := fmt.Fprintf(c.Err, "the stream broke off, and goes on: %v\n", c.explain(err)); err != nil {
				return err
			}
		}
		sleep(ctx, waits.Wait(failures, 0.5+rand.Float64()/2))
	}
}

// watcher is how far somebody who watches has got.
type watcher struct {
	Client
	req *monitorv1.WatchChangesRequest
	// begun means that there was a stream.
	begun bool
}

// errOutput is an error of the output, which ends the watching.
type errOutput struct{ error }

// once prints what one stream has. It reports whether anything came.
func (w *watcher) once(ctx context.Context) (came bool, err error) {
	ctx, idle := watchIdle(ctx)
	defer idle.close()
	stream, err := monitorv1.NewChangeServiceClient(w.Conn).WatchChanges(ctx, w.req)
	for err == nil {
		var m *monitorv1.WatchChangesResponse
		idle.begin()
		m, err = stream.Recv()
		idle.end()
		if err != nil {
			break
		}
		for _, e := range m.GetEvents() {
			if err := w.print(e); err != nil {
				return true, errOutput{err}
			}
		}
		// What was printed counts.
		w.req.ResumeToken, w.req.FromStart, w.begun, came = m.GetResumeToken(), false, true, true
	}
	return came, idle.cause(err)
}

func (w *watcher) print(e *monitorv1.Event) error {
	if w.Output == Text {
		return format.Event(w.Out, e, w.Width)
	}
	return format.JSONLine(w.Out, e)
}

// again reports whether another stream may do better.
func again(err error) bool {
	if errors.Is(err, errIdle) {
		return true
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.Internal, codes.Unknown, codes.DeadlineExceeded, codes.Canceled, codes.Aborted:
		_, output := errors.AsType[errOutput](err)
		return !output
	}
	return false
}

func (w *watcher) stopped(err error) error {
	if output, ok := errors.AsType[errOutput](err); ok {
		return output.error
	}
	if err = w.explain(err); w.begun {
		return fmt.Errorf("%w; the last token was %s", err, w.req.GetResumeToken())
	}
	return err
}

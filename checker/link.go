package checker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/address"
	"github.com/Automattic/jetmon/internal/backoff"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	// steadyAfter is how long a session must last to reset the back-off: a coordinator that
	// accepts sessions and then fails is still failing.
	steadyAfter = 10 * time.Second

	openTimeout = 10 * time.Second
)

// retries are the waits between two sessions with a coordinator.
func retries() backoff.Policy {
	return backoff.Policy{Base: 200 * time.Millisecond, Most: 10 * time.Second, Least: 10 * time.Millisecond}
}

var (
	errDrained = errors.New("the coordinator is draining")
	errSilent  = errors.New("the coordinator is silent")
	// errVersion lasts until one side is upgraded.
	errVersion = errors.New("no common protocol version")
	// errStreamEnded is the error of a failed Send; the receiver has the reason.
	errStreamEnded = errors.New("the stream has ended")
)

// link is the connection to one coordinator. It has one session after another until Run's
// context ends.
type link struct {
	checker *Checker
	endpoint
	conn   *grpc.ClientConn
	client coordinatorv1.AssignmentServiceClient
	quota  *quota
	log    *slog.Logger
}

// run opens sessions until ctx ends. It never gives up: a coordinator may come back at any
// time.
func (l *link) run(ctx context.Context) {
	for failures := 1; ; failures++ {
		begin := time.Now()
		err := l.session(ctx)
		l.checker.metrics.ended.Inc()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.checker.trouble.Store(&err)
		}
		select {
		case l.failed <- struct{}{}:
		default: // the address has no follower, or the follower has a signal already
		}
		if time.Since(begin) >= steadyAfter {
			failures = 1
		}
		wait := nextTry(err, failures, rand.Float64())
		l.log.Log(ctx, severity(err), "no session", "error", err, "next_try", wait)
		if !pause.For(ctx, wait) {
			return
		}
		// Our own jitter decides when to try again, not the connection's.
		l.conn.ResetConnectBackoff()
	}
}

// severity is the log level for the end of a session. A condition that only an operator
// can fix is an error.
func severity(err error) slog.Level {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented:
		return slog.LevelError
	default:
		switch {
		case errors.Is(err, errDrained):
			return slog.LevelInfo
		case errors.Is(err, errVersion):
			return slog.LevelError
		}
		return slog.LevelWarn
	}
}

// session opens one stream and serves it to its end.
func (l *link) session(ctx context.Context) error {
	// The stream outlives ctx by the time of the departure.
	streamCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	// While it is opening, it ends with ctx and after openTimeout.
	abort := context.AfterFunc(ctx, cancel)
	opening := time.AfterFunc(openTimeout, cancel)
	defer opening.Stop()
	defer abort()
	stream, err := l.client.StreamAssignments(streamCtx)
	if err != nil {
		return fmt.Errorf("open the stream: %w", err)
	}
	welcome, err := l.greet(stream)
	if err != nil {
		return err
	}
	if !opening.Stop() || !abort() {
		return fmt.Errorf("open the stream: %w", context.Canceled)
	}
	s := newSession(l, stream, welcome, cancel)
	l.log.Info("session open", "session", welcome.GetSessionId(), "name", welcome.GetCoordinator(), "version", chosen(welcome))
	l.checker.metrics.sessions.Inc()
	defer l.checker.metrics.sessions.Dec()
	l.quota.traceOneIn.Store(welcome.GetTraceOneIn())
	l.quota.connect()
	defer l.quota.disconnect()
	received := make(chan error, 1)
	go func() { received <- s.receive() }()
	ended, err := s.send(ctx, received)
	switch {
	case ended:
	case errors.Is(err, errStreamEnded):
		err = <-received // the reason
	default:
		cancel()
		<-received
	}
	return err
}

// maxAllowed bounds the exceptions that a coordinator reads.
const maxAllowed = 64

// addressPolicy spells an address policy; one that it cannot is not said.
func addressPolicy(o *address.Options) *coordinatorv1.AddressPolicy {
	if o == nil || len(o.Allowed) > maxAllowed {
		return nil
	}
	p := &coordinatorv1.AddressPolicy{AllowPrivate: o.AllowPrivate, AllowMetadata: o.AllowMetadata}
	for _, a := range o.Allowed {
		p.Allowed = append(p.Allowed, a.String())
	}
	return p
}

// greet sends Hello and waits for a Welcome with a version that we speak.
func (l *link) greet(stream coordinatorv1.AssignmentService_StreamAssignmentsClient) (*coordinatorv1.Welcome, error) {
	c := l.checker
	err := stream.Send(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{
		Hello: &coordinatorv1.Hello{
			Node: c.node, InstanceId: c.instance, Region: c.region,
			MaxInFlight:        uint32(c.inFlight.limit),
			ProtocolVersion:    minVersion,
			MinProtocolVersion: minVersion,
			MaxProtocolVersion: maxVersion,
			Resume:             l.quota.resume(time.Now()),
			AddressPolicy:      addressPolicy(c.addresses),
		},
	}})
	// When Send fails, Recv has the reason.
	first, recvErr := stream.Recv()
	switch {
	case recvErr != nil:
		return nil, fmt.Errorf("wait for the welcome: %w", refusal(recvErr))
	case err != nil:
		return nil, fmt.Errorf("say hello: %w", err)
	case first.GetWelcome() == nil:
		return nil, fmt.Errorf("the coordinator began with %T, not with a welcome", first.GetMessage())
	}
	return first.GetWelcome(), admit(first.GetWelcome())
}

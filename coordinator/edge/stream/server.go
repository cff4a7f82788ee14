package stream

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/address"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// maxUnread bounds the messages that a slow checker may leave unread.
	maxUnread = 1024
	// maxResults bounds the results in one message, maxInFlight the open checks of one
	// checker.
	maxResults  = 1000
	maxInFlight = 1_000_000
	// errorDomain is the domain of our google.rpc.ErrorInfo.
	errorDomain = "jetmon.coordinator"
)

// Options for New.
type Options struct {
	Engine *engine.Engine
	// Node is the coordinator's name.
	Node string
	// Heartbeat is the time between two heartbeats of a checker; Lease is how long a batch
	// stays checked out.
	Heartbeat, Lease time.Duration
	// TraceOneIn is of which good checks a checker records a span: one in so many. 0 means
	// that no checks are traced at all.
	TraceOneIn uint32
}

// Server is the AssignmentService.
type Server struct {
	coordinatorv1.UnimplementedAssignmentServiceServer
	o Options

	pool     sync.Pool // of *encoded, for all links
	stopping chan struct{}
	stop     sync.Once
}

// New makes the service.
func New(o Options) *Server { return &Server{o: o, stopping: make(chan struct{})} }

// Stop asks all checkers to leave and hands out nothing more. A stream ends when its checker
// has no open checks, and within cadence.Drain.
func (s *Server) Stop() { s.stop.Do(func() { close(s.stopping) }) }

// StreamAssignments serves one session.
func (s *Server) StreamAssignments(st responder) error {
	first, err := firstRequest(st)
	if err != nil {
		return err
	}
	version, err := spoken().negotiate(first.GetHello())
	if err != nil {
		return err
	}
	hello, err := readHello(first.GetHello())
	if err != nil {
		return err
	}
	if by := access.From(st.Context()); !by.MayBe(hello.Node) {
		return fault.New(fault.Denied, "hello.node: %s may not be node %q", by, fault.Clip(hello.Node, maxQuoted))
	}
	l := newLink(s.o.Lease, &s.pool)
	resume := make([]dispatch.Ref, len(first.GetHello().GetResume()))
	for i, ref := range first.GetHello().GetResume() {
		resume[i] = refFromProto(ref)
	}
	hello.Address = addressOf(st.Context())
	id, err := s.o.Engine.Join(time.Now(), hello, resume, l)
	if err != nil {
		return refusal(hello.Node, err)
	}
	defer func() { s.o.Engine.Leave(time.Now(), id) }()
	if err := st.Send(s.welcome(id, version)); err != nil {
		return err
	}
	in := receiver{engine: s.o.Engine, session: id, link: l}
	received := make(chan error, 1)
	go func() { received <- in.run(st) }()
	return s.send(st, id, l, received)
}

// send is the loop of the sender. It returns the error that ends the stream.
func (s *Server) send(st responder, id dispatch.SessionID, l *link, received <-chan error) error {
	stopping := s.stopping
	var leave parting
	defer leave.stop()
	for {
		select {
		case m := <-l.out:
			if err := st.SendMsg(m); err != nil {
				return err
			}
			l.sent(m)
		case err := <-received:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-st.Context().Done(): // the caller is gone, or no longer welcome
			return context.Cause(st.Context())
		case <-l.ended:
			return fault.New(fault.Conflict, "session ended: %s", l.reason)
		case <-stopping:
			stopping = nil // once is enough
			s.o.Engine.Leaving(id)
			if err := st.Send(drain("the coordinator is stopping")); err != nil {
				return err
			}
			leave.begin(time.Now())
		case <-leave.tick():
			// A message that waits to be sent may acknowledge results.
			if leave.over(time.Now(), s.o.Engine.Out(id)+len(l.out)) {
				return fault.New(fault.Unavailable, "the coordinator is stopping")
			}
		}
	}
}

func readHello(h *coordinatorv1.Hello) (dispatch.Hello, error) {
	switch {
	case h.GetNode() == "" || len(h.GetNode()) > 128:
		return dispatch.Hello{}, fault.InvalidField("hello.node", "must have 1 to 128 bytes")
	case h.GetInstanceId() == "" || len(h.GetInstanceId()) > 128:
		return dispatch.Hello{}, fault.InvalidField("hello.instance_id", "must have 1 to 128 bytes")
	case len(h.GetRegion()) > 128:
		return dispatch.Hello{}, fault.InvalidField("hello.region", "must have at most 128 bytes")
	case len(h.GetResume()) > maxInFlight:
		return dispatch.Hello{}, fault.InvalidField("hello.resume", "must name at most %d batches", maxInFlight)
	case h.GetMaxInFlight() == 0 || h.GetMaxInFlight() > maxInFlight:
		return dispatch.Hello{}, fault.InvalidField("hello.max_in_flight", "must be from 1 to %d", maxInFlight)
	}
	addresses, err := readAddresses(h.GetAddressPolicy())
	return dispatch.Hello{
		Node: h.GetNode(), Instance: h.GetInstanceId(), Region: h.GetRegion(), MaxInFlight: int(h.GetMaxInFlight()), Addresses: addresses,
	}, err
}

// maxQuoted bounds what an error repeats of a name.
const maxQuoted = 64

// maxAllowed bounds the exceptions of an address policy.
const maxAllowed = 64

// readAddresses reads an address policy; nil when there is none.
func readAddresses(p *coordinatorv1.AddressPolicy) (*address.Policy, error) {
	if p == nil {
		return nil, nil
	}
	if n := len(p.GetAllowed()); n > maxAllowed {
		return nil, fault.InvalidField("hello.address_policy.allowed", "must be at most %d, are %d", maxAllowed, n)
	}
	o := address.Options{AllowPrivate: p.GetAllowPrivate(), AllowMetadata: p.GetAllowMetadata()}
	for _, text := range p.GetAllowed() {
		a, err := netip.ParseAddrPort(text)
		if err != nil {
			return nil, fault.InvalidField("hello.address_policy.allowed", "must be addresses with a port, as 127.0.0.1:8080")
		}
		o.Allowed = append(o.Allowed, a)
	}
	return address.New(o), nil
}

// refusal is the error of a stream that gets no session. It does not name the process that
// has the node's name: that is for operators.
func refusal(node string, err error) error {
	taken, ok := errors.AsType[*dispatch.NameTaken](err)
	if !ok {
		return err
	}
	return fault.New(fault.AlreadyExists, "%w %q and answers heartbeats", err, node).With(
		&errdetails.ErrorInfo{Domain: errorDomain, Reason: "NODE_NAME_TAKEN", Metadata: map[string]string{"node": node}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(taken.Left)},
	)
}

// addressOf returns the address of the caller; empty when it is not known.
func addressOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return ""
}

func (s *Server) welcome(id dispatch.SessionID, version uint32) *coordinatorv1.StreamAssignmentsResponse {
	ours := spoken()
	return &coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Welcome{
		Welcome: &coordinatorv1.Welcome{
			SessionId:          strconv.FormatUint(uint64(id), 10),
			Coordinator:        s.o.Node,
			HeartbeatMillis:    uint32(s.o.Heartbeat.Milliseconds()),
			LeaseMillis:        uint32(s.o.Lease.Milliseconds()),
			MaxResults:         maxResults,
			ProtocolVersion:    version,
			MinProtocolVersion: ours.lowest,
			MaxProtocolVersion: ours.highest,
			TraceOneIn:         s.o.TraceOneIn,
		},
	}}
}

func drain(why string) *coordinatorv1.StreamAssignmentsResponse {
	return &coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Drain{
		Drain: &coordinatorv1.Drain{Reason: why},
	}}
}

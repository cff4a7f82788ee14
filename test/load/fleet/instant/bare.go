//go:build linux

package main

import (
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

// outbox is how many messages may wait to be sent, as in the coordinator.
const outbox = 1024

// bareMessages is the service without an engine: it sends the same messages and receives
// results with the generated code, and keeps nothing.
type bareMessages struct {
	coordinatorv1.UnimplementedAssignmentServiceServer
	sites  int
	checks atomic.Uint64
}

func serveMessages(p plan) (*served, error) {
	b := &bareMessages{sites: p.sites}
	s, err := serve(func(r grpc.ServiceRegistrar) { coordinatorv1.RegisterAssignmentServiceServer(r, b) })
	if err != nil {
		return nil, err
	}
	s.checks = b.checks.Load
	return s, nil
}

// StreamAssignments serves one session.
func (b *bareMessages) StreamAssignments(st grpc.BidiStreamingServer[coordinatorv1.StreamAssignmentsRequest, coordinatorv1.StreamAssignmentsResponse]) error {
	out := make(chan *coordinatorv1.StreamAssignmentsResponse, outbox)
	done := make(chan error, 1)
	go func() {
		defer close(out)
		done <- b.receive(st, out)
	}()
	for m := range out {
		if err := st.Send(m); err != nil {
			return err // the receiver does not block: its puts end with the stream's context
		}
	}
	return <-done
}

func (b *bareMessages) receive(st grpc.BidiStreamingServer[coordinatorv1.StreamAssignmentsRequest, coordinatorv1.StreamAssignmentsResponse], out chan<- *coordinatorv1.StreamAssignmentsResponse) error {
	credit, id, site := 0, uint64(0), 0
	put := func(m *coordinatorv1.StreamAssignmentsResponse) error {
		select {
		case out <- m:
			return nil
		case <-st.Context().Done():
			return st.Context().Err()
		}
	}
	for {
		m, err := st.Recv()
		if err != nil {
			return nil // the checker has ended
		}
		switch m := m.GetMessage().(type) {
		case *coordinatorv1.StreamAssignmentsRequest_Credit:
			credit += int(m.Credit.GetAdd())
		case *coordinatorv1.StreamAssignmentsRequest_Results:
			n := len(m.Results.GetResults())
			b.checks.Add(uint64(n))
			ack := &coordinatorv1.ResultsAck{Batch: m.Results.GetBatch(), Accepted: uint32(n)}
			if err := put(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_ResultsAck{ResultsAck: ack}}); err != nil {
				return nil
			}
		}
		for ; credit >= batchSize; credit -= batchSize {
			id++
			if err := put(b.batch(id, &site)); err != nil {
				return nil
			}
		}
	}
}

// batch makes a batch as cheaply as the generated messages allow.
func (b *bareMessages) batch(id uint64, site *int) *coordinatorv1.StreamAssignmentsResponse {
	all := make([]struct {
		assignment coordinatorv1.Assignment
		target     checkv1.Target
	}, batchSize)
	m := &coordinatorv1.Assignments{
		Batch: &coordinatorv1.BatchRef{BatchId: id, CheckoutId: id * 0x9e3779b97f4a7c15}, LeaseMillis: 60_000,
		Assignments: make([]*coordinatorv1.Assignment, batchSize),
	}
	for i := range all {
		*site = *site%b.sites + 1
		a := &all[i]
		a.target.Url, a.target.TimeoutMillis = sampleURL, 10_000
		a.assignment.SiteId, a.assignment.Sequence, a.assignment.Target = int64(*site), id, &a.target
		m.Assignments[i] = &a.assignment
	}
	return &coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Assignments{Assignments: m}}
}

const sampleURL = "https://www.a-web-site-00001234.example/"

// serveBytes carries the same bytes without encoding or decoding a message, which shows the
// cost of gRPC itself.
func serveBytes(p plan) (*served, error) {
	b := &bareMessages{sites: p.sites}
	site := 0
	batch, err := marshal(b.batch(1<<20, &site))
	if err != nil {
		return nil, err
	}
	ack, err := marshal(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_ResultsAck{
		ResultsAck: &coordinatorv1.ResultsAck{Batch: &coordinatorv1.BatchRef{BatchId: 1 << 20, CheckoutId: 1 << 63}, Accepted: batchSize},
	}})
	if err != nil {
		return nil, err
	}
	handler := func(_ any, st grpc.ServerStream) error { return b.bytes(st, batch, ack) }
	server := grpc.NewServer(grpc.ForceServerCodecV2(bytesCodec{}))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: coordinatorv1.AssignmentService_ServiceDesc.ServiceName, HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{StreamName: "StreamAssignments", Handler: handler, ServerStreams: true, ClientStreams: true}},
	}, b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	return &served{address: l.Addr().String(), checks: b.checks.Load, stop: func() error {
		server.Stop()
		return within(20*time.Second, "stopping the server", done)
	}}, nil
}

// bytes serves one stream; it distinguishes messages only by their first byte.
func (b *bareMessages) bytes(st grpc.ServerStream, batch, ack []byte) error {
	out := make(chan *[]byte, outbox)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m := range out {
			if st.SendMsg(m) != nil {
				return
			}
		}
	}()
	defer func() {
		close(out)
		<-done
	}()
	var m []byte
	credit := 0
	for st.RecvMsg(&m) == nil {
		f, _, value, _, err := field(m)
		if err != nil {
			return err
		}
		var say []*[]byte
		switch f {
		case requestCredit:
			if _, add, _, _, err := field(value); err == nil {
				credit += int(add)
			}
		case requestResults:
			b.checks.Add(batchSize)
			say = append(say, &ack)
		}
		for ; credit >= batchSize; credit -= batchSize {
			say = append(say, &batch)
		}
		for _, m := range say {
			select {
			case out <- m:
			case <-done:
				return nil
			}
		}
	}
	return nil
}

package checker_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/checker"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

// pump is a coordinator that assigns batches of one size while there is credit, and counts
// the results.
type pump struct {
	coordinatorv1.UnimplementedAssignmentServiceServer
	size int
	want int
	done chan struct{}

	mu  sync.Mutex
	got int
}

func (p *pump) StreamAssignments(stream coordinatorv1.AssignmentService_StreamAssignmentsServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	if err := stream.Send(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Welcome{
		Welcome: &coordinatorv1.Welcome{MaxResults: 1000},
	}}); err != nil {
		return err
	}
	credit, batch := 0, uint64(0)
	for {
		said, err := stream.Recv()
		if err != nil {
			return nil
		}
		credit += int(said.GetCredit().GetAdd())
		if r := said.GetResults(); r != nil {
			if err := stream.Send(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_ResultsAck{
				ResultsAck: &coordinatorv1.ResultsAck{Batch: r.GetBatch(), Accepted: uint32(len(r.GetResults()))},
			}}); err != nil {
				return err
			}
			p.count(len(r.GetResults()))
		}
		for credit >= p.size {
			credit -= p.size
			batch++
			if err := stream.Send(p.batch(batch)); err != nil {
				return err
			}
		}
	}
}

func (p *pump) batch(id uint64) *coordinatorv1.StreamAssignmentsResponse {
	m := &coordinatorv1.Assignments{Batch: &coordinatorv1.BatchRef{BatchId: id, CheckoutId: id}, Assignments: make([]*coordinatorv1.Assignment, p.size)}
	for i := range m.Assignments {
		m.Assignments[i] = &coordinatorv1.Assignment{
			SiteId: int64(i) + 1, Sequence: id, Target: &checkv1.Target{Url: "https://blog.example.com/", TimeoutMillis: 10_000},
		}
	}
	return &coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Assignments{Assignments: m}}
}

func (p *pump) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.got
	p.got += n
	if before < p.want && p.got >= p.want {
		close(p.done)
	}
}

// BenchmarkChecks measures the path of a check through the checker and its stream, with both
// ends in this process and a prober that takes no time.
func BenchmarkChecks(b *testing.B) {
	for _, network := range []struct {
		name string
		rpc.Network
		addr string
	}{{"memory", rpc.NewMemory(), "coordinator"}, {"TCP", rpc.TCP(), "127.0.0.1:0"}} {
		for _, size := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("%s/batches of %d", network.name, size), func(b *testing.B) {
				l, err := network.Listen(network.addr)
				if err != nil {
					b.Fatal(err)
				}
				p := &pump{size: size, want: b.N, done: make(chan struct{})}
				stop := serveOn(b, l, p)
				b.ReportAllocs()
				b.ResetTimer()
				begin := time.Now()
				r := start(b, network, instant{}, func(o *checker.Options) { o.MaxInFlight = 1000 }, l.Addr().String())
				<-p.done
				b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "checks/s")
				b.StopTimer()
				r.stop()
				<-r.ended
				stop()
			})
		}
	}
}

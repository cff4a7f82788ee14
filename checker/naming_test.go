package checker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/checker"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

// book is a name server for one name.
type book struct {
	mu    sync.Mutex
	hosts []string
	err   error
	asked []time.Time
}

func (b *book) LookupHost(_ context.Context, host string) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, time.Now())
	if host != "coordinators.internal" {
		return nil, fmt.Errorf("asked for %s", host)
	}
	return slices.Clone(b.hosts), b.err
}

func (b *book) becomes(err error, hosts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hosts, b.err = hosts, err
}

func (b *book) lookups() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.asked)
}

const named = "dns:///coordinators.internal:7800"

// follows starts a checker that follows the name, with a limit of 12.
func follows(t *testing.T, network rpc.Network, s checker.Prober, b *book, others ...string) *running {
	t.Helper()
	return start(t, network, s, func(o *checker.Options) { o.Resolver, o.MaxInFlight = b, 12 }, append(others, named)...)
}

// quiet checks that nobody connects to a coordinator for a while.
func (c *coordinator) quiet(t *testing.T, d time.Duration) {
	t.Helper()
	time.Sleep(d) // virtual
	select {
	case k := <-c.sessions:
		t.Errorf("a checker came with %v", k.hello)
	default:
	}
}

// converse answers heartbeats, adds up credit, and closes the channel that it returns when
// the checker has left.
func (k *session) converse() <-chan struct{} {
	left := make(chan struct{})
	go func() {
		defer close(left)
		for m := range k.in {
			k.granted += m.GetCredit().GetAdd()
			if m.GetHeartbeat() != nil {
				_ = k.stream.Send(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_HeartbeatAck{HeartbeatAck: &coordinatorv1.HeartbeatAck{}}})
			}
		}
		k.end <- nil
	}()
	return left
}

func TestEveryAddressOfANameIsServedWithItsShareOfTheCapacity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		b := &book{hosts: []string{"10.0.0.2", "10.0.0.1", "10.0.0.2", "nonsense", "fd00::1"}}
		one, _ := serve(t, network, "10.0.0.1:7800")
		two, _ := serve(t, network, "10.0.0.2:7800")
		six, _ := serve(t, network, "[fd00::1]:7800")
		r := follows(t, network, &sites{answer: up}, b)
		k1, k2 := one.accept(t), two.accept(t)
		left1, left2 := k1.converse(), k2.converse()
		six.quiet(t, 2*time.Minute+time.Second) // the same hosts once more, in the other family
		if n := b.lookups(); n != 5 {
			t.Errorf("%d lookups within two minutes, want one each 30 s", n)
		}
		one.quiet(t, 0)
		r.stop()
		<-left1
		<-left2
		if k1.hello.GetInstanceId() != k2.hello.GetInstanceId() {
			t.Error("the two were told of different processes")
		}
		// The first coordinator had all the room for a moment.
		if got := []uint32{k1.granted, k2.granted}; slices.Min(got) != 6 || slices.Max(got) > 12 {
			t.Errorf("granted were %v, want a half each", got)
		}
	})
}

func TestNewAddressesAreServedAndThoseMissingFromTwoLookupsAreLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		b := &book{hosts: []string{"10.0.0.1"}}
		one, _ := serve(t, network, "10.0.0.1:7800")
		two, _ := serve(t, network, "10.0.0.2:7800")
		s := &sites{answer: bySeconds}
		follows(t, network, s, b)
		k1 := one.accept(t)
		k1.next(true)
		synctest.Wait()
		b.becomes(nil, "10.0.0.1", "10.0.0.2")
		begin := time.Now()
		for len(two.sessions) == 0 {
			k1.still(t, time.Second)
		}
		k2 := two.accept(t)
		if took := time.Since(begin); took > 35*time.Second {
			t.Errorf("the new address was served after %s", took)
		}
		left2 := k2.converse()

		b.becomes(nil, "10.0.0.2") // one lookup without the first changes nothing
		k1.still(t, 30*time.Second)
		b.becomes(nil, "10.0.0.1", "10.0.0.2")
		k1.still(t, 2*time.Minute)

		b.becomes(nil, "10.0.0.2")
		k1.still(t, 45*time.Second)
		begin = time.Now()
		k1.overhear()
		k1.assign(1, "https://a.example/25s")
		k1.leaving()
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("the address that is gone was left %s later", took)
		}
		k1.released(1) // it has run for longer than leaving may take
		k1.closed()
		one.quiet(t, 5*time.Minute)
		select {
		case <-left2:
			t.Error("the address that stays was left, too")
		default:
		}
		if _, running, _ := s.seen(); running != 0 {
			t.Errorf("%d probes run on", running)
		}

		b.becomes(nil, "10.0.0.1", "10.0.0.2") // and back again
		k1 = one.accept(t)
		if len(k1.hello.GetResume()) != 0 {
			t.Errorf("it resumes %v", k1.hello.GetResume())
		}
		k1.next(true)
		synctest.Wait()
		k1.assign(2, "https://a.example/1s")
		k1.ack(k1.results())
	})
}

// still checks that the session lasts for a while longer.
func (k *session) still(t *testing.T, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		if m := k.next(true); m.GetHeartbeat() == nil {
			t.Fatalf("the checker said %v, want that it lives", m)
		}
	}
}

func TestAFailedLookupChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		b := &book{err: errors.New("no name server")}
		one, _ := serve(t, network, "10.0.0.1:7800")
		follows(t, network, &sites{answer: up}, b)
		one.quiet(t, time.Minute)
		b.becomes(nil, "10.0.0.1")
		k := one.accept(t)
		k.next(true)
		b.becomes(errors.New("no such host"))
		k.still(t, 3*time.Minute)
		b.becomes(nil) // an answer without an address is none
		k.still(t, 3*time.Minute)
	})
}

func TestAFailedLinkTriggersALookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		b := &book{hosts: []string{"10.0.0.1"}}
		one, _ := serve(t, network, "10.0.0.1:7800")
		two, _ := serve(t, network, "10.0.0.2:7800")
		follows(t, network, &sites{answer: up}, b)
		one.accept(t).still(t, 10*time.Second)
		b.becomes(nil, "10.0.0.2") // it has moved
		one.stop()
		begin, before := time.Now(), b.lookups()
		two.accept(t)
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("the new address was served after %s", took)
		}
		time.Sleep(time.Minute)
		if n := b.lookups() - before; n > 13 {
			t.Errorf("%d lookups within a minute", n)
		}
	})
}

func TestAnAddressOfTwoNamesIsServedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		one, _ := serve(t, network, "10.0.0.1:7800")
		follows(t, network, &sites{answer: up}, &book{hosts: []string{"10.0.0.1"}}, "10.0.0.1:7800")
		left := one.accept(t).converse()
		one.quiet(t, 2*time.Minute)
		select {
		case <-left:
			t.Error("it was left")
		default:
		}
	})
}

func TestCoordinatorsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		b := &book{}
		var all []*coordinator
		var hosts []string
		for i := range 70 {
			hosts = append(hosts, fmt.Sprintf("10.0.1.%d", i+100))
			c, _ := serve(t, network, hosts[i]+":7800")
			all = append(all, c)
		}
		b.becomes(nil, hosts...)
		// The last one is also given by its address.
		follows(t, network, &sites{answer: up}, b, hosts[69]+":7800")
		time.Sleep(5 * time.Second)
		came := 0
		for _, c := range all {
			came += len(c.sessions)
		}
		if came != 64 || len(all[69].sessions) != 1 || len(all[68].sessions) != 0 {
			t.Errorf("%d of 70 were served, want 64 with the one that is named by its address", came)
		}
	})
}

func TestWrongNamesAreRefused(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"dns:///", "dns:///host", "dns:///:7800", "dns:///host:0", "dns:///host:seven", "dns:///host:70000", "dns:///[::1:7800"} {
		_, err := checker.New(checker.Options{Node: "a", Region: "eu", Coordinators: []string{addr}, Prober: &sites{answer: up}})
		if err == nil || !strings.Contains(err.Error(), addr) {
			t.Errorf("%s: error is %v", addr, err)
		}
	}
}

package gateway_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/internal/rpc"
)

// coordinatorAt starts a coordinator at addr.
func coordinatorAt(t *testing.T, n *rpc.Memory, addr string, ready func() error) (stop context.CancelFunc, ended func() error) {
	t.Helper()
	l, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	server, err := rpc.NewServer(rpc.ServerOptions{Name: addr, Validate: true, Access: rpc.Open(), Ready: ready}, newFake().register)
	if err != nil {
		t.Fatal(err)
	}
	return background(t, func(ctx context.Context) error { return server.Serve(ctx, l) })
}

func TestTheGatewayGoesOnWhileOneOfSeveralCoordinatorsIsThere(t *testing.T) {
	t.Parallel()
	n := rpc.NewMemory()
	var ill atomic.Bool
	stopA, endedA := coordinatorAt(t, n, "a:1", nil)
	coordinatorAt(t, n, "b:1", unless(&ill))
	h := openAlone(t, n, func(o *gateway.Options) { o.Coordinator = "a:1,b:1,nobody:1" })
	for range 4 {
		if a := h.get("/v1/sites/7"); a.status != 200 {
			t.Errorf("both are there: %d %s", a.status, a.body)
		}
	}
	if a := h.get("/readyz"); a.status != 200 {
		t.Errorf("readyz: %d %s", a.status, a.body)
	}
	stopA()
	if err := endedA(); err != nil {
		t.Fatal(err)
	}
	// A call that runs when a coordinator ends may fail; after that none does.
	eventually(t, "the other takes over", func() bool { return h.get("/v1/sites/7").status == 200 })
	for range 10 {
		if a := h.get("/v1/sites/7"); a.status != 200 {
			t.Errorf("one is left: %d %s", a.status, a.body)
		}
	}
	ill.Store(true)
	eventually(t, "none is ready", func() bool { return h.get("/readyz").status == 503 })
	if a := h.get("/readyz"); a.message() != "no coordinator is ready" {
		t.Errorf("none is ready: %d %s", a.status, a.body)
	}
	// Its answers, such as the reason of its trouble, are worth more than a 503.
	for range 10 {
		if a := h.get("/v1/fleet"); a.status != 200 {
			t.Errorf("none is ready, one is there: %d %s", a.status, a.body)
		}
	}
	ill.Store(false)
	eventually(t, "one is ready again", func() bool { return h.get("/readyz").status == 200 })
}

// eventually waits at most 10 s for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestListsOfCoordinatorsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"", ",", "a:1,", "a:1,,b:1", "a:1,dns:///b:1"} {
		if _, err := gateway.New(gateway.Options{Coordinator: list}); err == nil {
			t.Errorf("%q is accepted", list)
		}
	}
}

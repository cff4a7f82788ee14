package scenario

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon"
	role "github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/cluster"
	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/secondopinion"
)

// inside runs all roles in this process, on SQLite, with all times short.
type inside struct {
	cluster   *cluster.Cluster
	addresses [3]string // REST, coordinator, first veriflier
	database  string
	out       *output
}

func startInside(t *testing.T, o setup, b *inbox) harness {
	t.Helper()
	h := &inside{database: "sqlite:" + filepath.Join(t.TempDir(), "jetmon.db"), out: &output{}}
	logger := obs.NewLogger(h.out, slog.LevelInfo, "text")
	db, err := sqlstore.Open(t.Context(), h.database, sqlstore.Options{LegacyWrites: true, Migrate: true, Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	var fronts [3]net.Listener
	for i := range fronts {
		if fronts[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		h.addresses[i] = fronts[i].Addr().String()
	}
	policy := lifecycle.DefaultPolicy()
	policy.Between = o.recheck
	policy.RoundWaits = []time.Duration{200 * time.Millisecond, 400 * time.Millisecond}
	h.cluster, err = cluster.New(cluster.Options{
		Store: far{db, o.distance}, Policy: policy, IntervalOverride: time.Second, Pages: check.PageDecides,
		History: role.History{FlushEvery: time.Second},
		Notify: notify.Options{
			URL: b.URL(), Token: o.token, Base: 50 * time.Millisecond, Max: 300 * time.Millisecond,
			Timeout: time.Second, Poll: 200 * time.Millisecond,
		},
		Prober: func(name string) (cluster.Prober, error) {
			p := probe.Options{AllowPrivate: true, Resolver: o.checkerDNS}
			if strings.HasPrefix(name, "veriflier") {
				p.Resolver = o.veriflierDNS
			}
			real, err := probe.New(p)
			if err != nil || o.prober == nil {
				return real, err
			}
			return o.prober(node(name), real), nil
		},
		SecondReader: func(string) (cluster.SecondReader, error) {
			return secondopinion.New(probe.Options{AllowPrivate: true, Resolver: o.veriflierDNS})
		},
		Anchors: o.anchors, Regions: o.regions,
		GatewayListener: fronts[0], CoordinatorListener: fronts[1], VeriflierListener: fronts[2],
		OpenAPI: jetmon.OpenAPI, Log: logger, Traces: o.traces, TraceOneIn: o.traceOneIn,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.run(t)
	serving(t, h.addresses[1])
	return h
}

// far is a store at a distance: it answers some calls later by that time. It stands for a
// database on another machine, and for one with many rows.
type far struct {
	store.Store
	distance time.Duration
}

func (f far) wait(ctx context.Context) {
	timer := time.NewTimer(f.distance)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// ListSites answers late.
func (f far) ListSites(ctx context.Context, q store.SiteQuery) ([]record.Site, error) {
	f.wait(ctx)
	return f.Store.ListSites(ctx, q)
}

// ClaimShard answers late.
func (f far) ClaimShard(ctx context.Context, s shard.ID, o shard.Owner, now time.Time) (shard.Lease, error) {
	f.wait(ctx)
	return f.Store.ClaimShard(ctx, s, o, now)
}

// run runs the cluster until the end of the test. Then the cluster must end in order.
func (h *inside) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.cluster.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the cluster ended with %v", err)
		}
	})
}

func (h *inside) restURL() string         { return "http://" + h.addresses[0] }
func (h *inside) coordinatorAddr() string { return h.addresses[1] }
func (h *inside) veriflierAddr() string   { return h.addresses[2] }
func (h *inside) dsn() string             { return h.database }
func (h *inside) log(node) string         { return h.out.String() }

func (h *inside) hurry(*testing.T, string) {} // a second is soon enough

func (h *inside) node(t *testing.T, n node) *cluster.Node {
	t.Helper()
	all := append([]*cluster.Node{h.cluster.Coordinator(), h.cluster.Gateway()}, h.cluster.Checkers()...)
	all = append(all, h.cluster.Verifliers()...)
	i := slices.IndexFunc(all, func(c *cluster.Node) bool { return c.Name() == string(n) })
	if i < 0 {
		t.Fatalf("there is no node %s", n)
	}
	return all[i]
}

func (h *inside) start(t *testing.T, n node) {
	t.Helper()
	if err := h.node(t, n).Start(); err != nil {
		t.Fatal(err)
	}
	if n == coordinator {
		serving(t, h.addresses[1])
	}
}

func (h *inside) crash(t *testing.T, n node) { h.node(t, n).Stop() }

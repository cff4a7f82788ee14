package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/rpc"
)

// Options say what the cluster is made of. Store and Policy are required.
type Options struct {
	// Store is the coordinator's. It is used, and not closed.
	Store store.Store
	// Policy of the coordinator, and IntervalOverride for all sites when it is not 0.
	Policy           lifecycle.Policy
	IntervalOverride time.Duration
	// PeerOfflineLimit is how many DOWN votes confirm; 0 means the rule's default.
	PeerOfflineLimit int
	Notify           notify.Options
	// OnChange, optional, is called after each committed status change. It must not block.
	OnChange func(coordinator.StatusChange)

	// Checkers is how many there are; 0 means 2.
	Checkers int
	// Regions are those of the verifliers, one each; none means three.
	Regions []string
	// Probe configures the check engine of every node.
	Probe probe.Options
	// Prober, optional, gives a node another check engine than Probe says.
	Prober func(node string) (Prober, error)
	// Anchors are the URLs by which every node measures its own connectivity.
	Anchors []string
	// AnchorEvery is the time between these measurements; 0 means 10 s.
	AnchorEvery time.Duration
	// MetadataURL is WordPress.com's public API, which diagnoses ask; empty is the real
	// one, jetpack.NoMetadata none.
	MetadataURL string

	// Network is where the nodes meet; nil is a new one in memory. Each node listens
	// on its name.
	Network rpc.Network
	// CoordinatorListener, VeriflierListener (the first veriflier's) and
	// GatewayListener are TCP listeners to serve on besides; each may be nil. A node
	// that is started again claims its address anew. The coordinator's has no
	// AssignmentService.
	CoordinatorListener, VeriflierListener, GatewayListener net.Listener

	// OpenAPI is the gateway's document.
	OpenAPI []byte
	// Log of all roles; nil is silence. Metrics is optional.
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// maxNodes bounds each kind of node.
const maxNodes = 100

func (o *Options) complete() error {
	if o.Store == nil {
		return errors.New("cluster: a store is required")
	}
	if o.Checkers == 0 {
		o.Checkers = 2
	}
	if len(o.Regions) == 0 {
		o.Regions = []string{"europe", "america", "asia"}
	}
	if o.Checkers < 0 || o.Checkers > maxNodes || len(o.Regions) > maxNodes {
		return fmt.Errorf("cluster: at most %d checkers and %d verifliers, not %d and %d",
			maxNodes, maxNodes, o.Checkers, len(o.Regions))
	}
	if o.Network == nil {
		o.Network = rpc.NewMemory()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	return nil
}

// lastBucket is the last one that the only coordinator owns.
const lastBucket = check.Buckets - 1

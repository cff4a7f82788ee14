package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/channels"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/tracing"
)

// Options describe a cluster. Store and Policy are required.
type Options struct {
	// Store is the coordinator's. The cluster does not close it.
	Store store.Store
	// Policy is the coordinator's. IntervalOverride, if not 0, is the interval of all sites.
	Policy           lifecycle.Policy
	IntervalOverride time.Duration
	// Pages is as in coordinator.Options.
	Pages check.PageRule
	// PeerOfflineLimit is the number of DOWN votes that confirm; 0 means the rule's default.
	PeerOfflineLimit int
	Notify           notify.Options
	// Channels are about how subscriptions are told.
	Channels channels.Options
	// History is the coordinator's.
	History coordinator.History
	// OnChange is called after each committed status change; nil is allowed. It must not
	// block.
	OnChange func(coordinator.StatusChange)

	// Checkers is the number of checkers; 0 means 2.
	Checkers int
	// Regions are the verifliers' regions, one veriflier each; none means three.
	Regions []string
	// Probe configures the check engine of every node.
	Probe probe.Options
	// Prober, if set, makes each node's check engine instead of Probe.
	Prober func(node string) (Prober, error)
	// SecondReader, if set, makes each veriflier's second reader. Without it there is the real
	// one, or none where Prober replaces the engine.
	SecondReader func(node string) (SecondReader, error)
	// Anchors are the URLs that every node probes to measure its own connectivity.
	Anchors []string
	// AnchorEvery is the time between measurements; 0 means 10 s.
	AnchorEvery time.Duration
	// MetadataURL is WordPress.com's public API, for diagnoses; empty means the real one,
	// jetpack.NoMetadata none.
	MetadataURL string

	// Network connects the nodes; nil means a new one in memory. Each node listens on its
	// name.
	Network rpc.Network
	// CoordinatorListener, VeriflierListener (the first veriflier's) and
	// GatewayListener are additional TCP listeners; each may be nil. A restarted node claims
	// its address anew. The coordinator's has no AssignmentService.
	CoordinatorListener, VeriflierListener, GatewayListener net.Listener

	// StatusPages are the public pages of the gateway.
	StatusPages []gateway.StatusPage
	// AllowedHosts are as in gateway.Options.
	AllowedHosts []string
	// OpenAPI is the gateway's answer at /openapi.json.
	OpenAPI []byte
	// Log is the log of all roles; nil discards it. Metrics may be nil.
	Log     *slog.Logger
	Metrics prometheus.Registerer
	// Traces, optional, takes the spans of all roles, and of one in TraceOneIn good checks.
	Traces     *tracing.Recorder
	TraceOneIn uint32
}

// maxNodes limits each kind of node.
const maxNodes = 100

// withDefaults returns o with a value for each field that has a default.
func (o Options) withDefaults() Options {
	o.Checkers = cmp.Or(o.Checkers, 2)
	if len(o.Regions) == 0 {
		o.Regions = []string{"europe", "america", "asia"}
	}
	if o.Network == nil {
		o.Network = rpc.NewMemory()
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	return o
}

func (o *Options) validate() error {
	if o.Store == nil {
		return errors.New("cluster: a store is required")
	}
	if o.Checkers < 0 || o.Checkers > maxNodes || len(o.Regions) > maxNodes {
		return fmt.Errorf("cluster: at most %d checkers and %d verifliers, not %d and %d",
			maxNodes, maxNodes, o.Checkers, len(o.Regions))
	}
	return nil
}

// lastBucket is the last bucket: the only coordinator owns all.
const lastBucket = check.Buckets - 1

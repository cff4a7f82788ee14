package coordinator

import (
	"context"
	"log/slog"
	"math"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator/edge/api"
	"github.com/Automattic/jetmon/coordinator/edge/channels"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/edge/v1stats"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/cadence"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/tracing"
)

// Options for New. What is not said to be optional is required.
type Options struct {
	// Node is the coordinator's name, unique and stable over restarts; Endpoint is
	// where others dial its API.
	Node, Endpoint string
	// Store is used, and not closed.
	Store store.Store
	// Listeners are for everybody, checkers too.
	Listeners []net.Listener
	// PublicListeners, optional, are for all but checkers: the AssignmentService is not
	// there. Who is a checker says whether sites are up.
	PublicListeners []net.Listener
	// Server is completed with the services and the log; the rest is the caller's.
	Server rpc.ServerOptions
	// Verifliers are the panel; VeriflierClient is how they are dialled.
	Verifliers      []panel.Member
	VeriflierClient rpc.ClientOptions
	// PeerClient is how the other coordinators are dialled.
	PeerClient rpc.ClientOptions
	// PeerOfflineLimit is how many DOWN votes confirm; 0 means the rule's default.
	PeerOfflineLimit int
	// ShadowNeed and ShadowRegions are a rule that is tried beside; a ShadowNeed of 0 tries none.
	ShadowNeed, ShadowRegions int
	Policy                    lifecycle.Policy
	// IntervalOverride, when not 0, is used for every site instead of its own.
	IntervalOverride time.Duration
	// Pages is what page checks make of a broken page; the zero value makes no page checks.
	Pages check.PageRule
	// TLSErrors is what a certificate means that does not verify, where a site does not say.
	TLSErrors check.TLSErrors
	// ChecksPerHost is how many checks may be out at once that go to one machine; 0 means
	// any number.
	ChecksPerHost int
	// BucketMin and BucketMax bound the buckets to watch, both included.
	BucketMin, BucketMax check.BucketID
	// Retention is how long ballots that opened no outage are kept, OutageRetention how
	// long outages that are over, EventRetention how long events; 0 is for ever.
	Retention, OutageRetention, EventRetention time.Duration
	// History is about what is kept of every check.
	History History
	// Notify is completed with the log.
	Notify notify.Options
	// Channels are about how subscriptions are told.
	Channels channels.Options
	// Trial, when not 0, puts the coordinator on trial beside v1, with one site in Trial: it
	// decides and records, and neither notifies WordPress.com nor writes the legacy rows. The
	// shards that were taken over from v1 are exempt.
	Trial int
	// NameServers, optional, returns the name servers of a host's domain: sites whose names do not
	// resolve are one incident if they share one.
	NameServers func(ctx context.Context, host string) ([]string, error)
	// Diagnoser, optional, answers questions why Jetpack does not talk to a site.
	Diagnoser api.Diagnoser
	// Stats, optional, serves what watched v1; it is completed with the engine and the log.
	Stats v1stats.Options
	// ChangeLog, optional, is v1's log of status changes.
	ChangeLog *v1stats.ChangeLog
	// Traces says what is traced; the zero value nothing.
	Traces Traces
	// OnChange, optional, is called after each committed change. It must not block.
	OnChange func(StatusChange)
	Log      *slog.Logger
	// Metrics is optional.
	Metrics prometheus.Registerer
}

// Traces says which checks are traced, and where to.
type Traces struct {
	// Recorder takes the spans; without it nothing is traced.
	Recorder *tracing.Recorder
	// OneIn is of which good checks a span is recorded: one in so many. 0 means of none; failures
	// are always recorded.
	OneIn uint32
}

// oneIn is what checkers are told: 0 only if nothing is traced.
func (t Traces) oneIn() uint32 {
	switch {
	case !t.Recorder.On():
		return 0
	case t.OneIn == 0:
		return math.MaxUint32 // of none, as good as
	}
	return t.OneIn
}

// History says what is kept of every check.
type History struct {
	// Off keeps nothing. What is there already is kept for as long as the rest says.
	Off bool
	// Retention is how long every turn is kept, SummaryRetention how long summaries by day;
	// 0 is for ever. Whole days are deleted.
	Retention, SummaryRetention time.Duration
	// FlushEvery is how often the checks of a shard are written; 0 means
	// logbook.DefaultFlushEvery.
	FlushEvery time.Duration
}

// StatusChange is one committed change, for people who watch.
type StatusChange struct {
	Site     check.SiteID
	BlogID   check.BlogID
	URL      string
	From, To check.Status
	Start    time.Time
	At       time.Time
	OutageID int64
	Cause    check.Observation
}

const (
	// maxQueue bounds the queue of routine checks.
	maxQueue = 1 << 20
	// writeAfter and ownAfter are when, after the end was asked for, writing and owning
	// stop at the latest; they then need up to 4 s and 1 s. At writeAfter checkers have
	// checked in what they had.
	writeAfter = cadence.Drain + 500*time.Millisecond
	ownAfter   = writeAfter + 4*time.Second
	// auditRetention is how long the audit trail is kept.
	auditRetention = 400 * 24 * time.Hour
	// deliveryRetention is how long deliveries are kept that were accepted or superseded,
	// deadLetterRetention those that were given up.
	deliveryRetention, deadLetterRetention = 7 * 24 * time.Hour, 30 * 24 * time.Hour
	// advanceEvery is the time between two calls of Engine.Advance.
	advanceEvery = 50 * time.Millisecond
	// handOver bounds what is written of a shard before another coordinator gets it.
	handOver = 2 * time.Second
)

// voice is who hears of the changes.
func (o *Options) voice() shard.Voice {
	switch {
	case o.Notify.Disabled:
		return shard.Muted
	case o.Trial != 0:
		return shard.OnTrial
	default:
		return shard.Telling
	}
}

func (o *Options) validate() error {
	switch {
	case o.Node == "":
		return fault.InvalidField("node", "must not be empty")
	case o.Store == nil:
		return fault.InvalidField("store", "must be given")
	case len(o.Listeners) == 0:
		return fault.InvalidField("listeners", "must not be empty")
	case o.BucketMin > o.BucketMax || o.BucketMax >= check.Buckets:
		return fault.InvalidField("bucket-min, bucket-max", "must be 0 <= min <= max <= %d", check.Buckets-1)
	case !shard.Range{First: o.BucketMin, Last: o.BucketMax}.Whole():
		return fault.InvalidField("bucket-min, bucket-max", "must be whole shards of %d buckets", shard.BucketsPer)
	case o.IntervalOverride != 0 && o.IntervalOverride < time.Second:
		return fault.InvalidField("interval", "must be at least 1s")
	case o.Trial < 0 || o.Trial > 0 && o.Notify.Disabled:
		return fault.InvalidField("trial", "must be a sample of one site in 1 or more, and excludes no-notify")
	case o.ChecksPerHost < 0:
		return fault.InvalidField("checks-per-host", "must not be negative")
	case o.Policy.Failures < 1:
		return fault.InvalidField("num-of-checks", "must be at least 1")
	case o.Policy.Between <= 0 || o.Policy.NoticeWindow <= 0:
		return fault.InvalidField("time-between-checks, time-between-notices", "must be greater than 0")
	case o.Retention < 0 || o.OutageRetention < 0 || o.EventRetention < 0:
		return fault.InvalidField("retention, outage-retention, event-retention", "must not be negative")
	case o.History.Retention < 0 || o.History.SummaryRetention < 0:
		return fault.InvalidField("history-retention, history-summary-retention", "must not be negative")
	case o.History.FlushEvery != 0 && (o.History.FlushEvery < time.Second || o.History.FlushEvery > logbook.DefaultFlushEvery):
		return fault.InvalidField("history-flush-every", "must be from 1s to %s", logbook.DefaultFlushEvery)
	case o.Server.Access == nil:
		return fault.InvalidField("server.access", "must be given: who may call")
	case o.Log == nil:
		return fault.InvalidField("log", "must be given")
	}
	return nil
}

package api

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/committer"
	"github.com/Automattic/jetmon/coordinator/state/feed"
	"github.com/Automattic/jetmon/coordinator/state/hush"
	"github.com/Automattic/jetmon/coordinator/state/keyring"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/watchdog"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
)

// Options for Register. All but Diagnoser and History are required.
type Options struct {
	Store     store.Store
	Engine    *engine.Engine
	Panel     *panel.Panel
	Committer *committer.Committer
	Notify    *notify.Deliverer
	// Peers are the coordinators that own the other shards.
	Peers  *peers.Peers
	Policy func() lifecycle.Policy
	// Keyring knows the tokens of the API.
	Keyring *keyring.Keyring
	// Channels makes the channel of a subscription; an *subscription.EndpointError says what is
	// wrong with it.
	Channels func(subscription.Subscription) (channel.Channel, error)
	// Feed follows the events.
	Feed *feed.Feed
	// Hush keeps sites in maintenance quiet.
	Hush *hush.Hush
	// History reads what became of turns; nil when none are kept.
	History History
	// Diagnoser answers DiagnoseSite; it is optional.
	Diagnoser Diagnoser
	// Shards knows the shards that this coordinator holds.
	Shards shard.Holder
	// Watchdog holds the alarms of this coordinator.
	Watchdog *watchdog.Watchdog
	// Trial means that this coordinator watches beside v1.
	Trial bool
	// Node and Instance name this process, which started at Started.
	Node, Instance string
	Started        time.Time
}

// Register adds the services to a gRPC server.
func Register(r grpc.ServiceRegistrar, o Options) {
	all := o.Store
	o.Store = visible{all}
	if o.History != nil {
		o.History = newBoundedHistory(o.History)
	}
	monitorv1.RegisterSiteServiceServer(r, &sites{o: o})
	monitorv1.RegisterOutageServiceServer(r, newOutages(o))
	monitorv1.RegisterHistoryServiceServer(r, &histories{o: o, look: lookback{o: o}})
	monitorv1.RegisterAdvisoryServiceServer(r, &advisories{o: o})
	monitorv1.RegisterBadgeServiceServer(r, newBadges(o, all))
	monitorv1.RegisterIncidentServiceServer(r, &incidents{o: o})
	monitorv1.RegisterChangeServiceServer(r, &changes{feed: o.Feed})
	monitorv1.RegisterFleetServiceServer(r, &fleet{o: o})
	monitorv1.RegisterDiagnosisServiceServer(r, newDiagnosis(o))
	monitorv1.RegisterProbeServiceServer(r, newProbes(o))
	monitorv1.RegisterMaintenanceServiceServer(r, &maintenances{o: o})
	monitorv1.RegisterAccessServiceServer(r, &accessService{o: o})
	monitorv1.RegisterSubscriptionServiceServer(r, newSubscriptions(o))
	monitorv1.RegisterNotificationServiceServer(r, &notifications{o: o})
	monitor := &jetpackMonitor{o: o}
	wpcomv1.RegisterJetpackMonitorServiceServer(r, monitor)
	wpcomv1.RegisterProtectDashboardServiceServer(r, &protectDashboard{monitor: monitor})
	wpcomv1.RegisterJetpackAgencyServiceServer(r, &jetpackAgency{o: o})
}

// Services lists the names that Register registers.
func Services() []string {
	return []string{
		monitorv1.SiteService_ServiceDesc.ServiceName,
		monitorv1.OutageService_ServiceDesc.ServiceName,
		monitorv1.HistoryService_ServiceDesc.ServiceName,
		monitorv1.AdvisoryService_ServiceDesc.ServiceName,
		monitorv1.BadgeService_ServiceDesc.ServiceName,
		monitorv1.IncidentService_ServiceDesc.ServiceName,
		monitorv1.ChangeService_ServiceDesc.ServiceName,
		monitorv1.FleetService_ServiceDesc.ServiceName,
		monitorv1.DiagnosisService_ServiceDesc.ServiceName,
		monitorv1.ProbeService_ServiceDesc.ServiceName,
		monitorv1.MaintenanceService_ServiceDesc.ServiceName,
		monitorv1.AccessService_ServiceDesc.ServiceName,
		monitorv1.SubscriptionService_ServiceDesc.ServiceName,
		monitorv1.NotificationService_ServiceDesc.ServiceName,
		wpcomv1.JetpackMonitorService_ServiceDesc.ServiceName,
		wpcomv1.ProtectDashboardService_ServiceDesc.ServiceName,
		wpcomv1.JetpackAgencyService_ServiceDesc.ServiceName,
	}
}

// timestamp converts a time; the zero time becomes nil.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

const (
	defaultPage = 100
	maxPage     = 1000
)

// pageSize bounds the page size of a request; 0 or less means the default.
func pageSize(asked int32) int {
	if asked <= 0 {
		return defaultPage
	}
	return min(int(asked), maxPage)
}

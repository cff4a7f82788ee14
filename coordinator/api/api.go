package api

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/ledger"
	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/notify"
	"github.com/Automattic/jetmon/coordinator/panel"
	"github.com/Automattic/jetmon/coordinator/peers"
	"github.com/Automattic/jetmon/coordinator/shard"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/coordinator/watchdog"
	monitorpb "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	wpcompb "github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
)

// Options for Register. All but Diagnoser are required.
type Options struct {
	Store  store.Store
	Engine *engine.Engine
	Panel  *panel.Panel
	Ledger *ledger.Ledger
	Notify *notify.Deliverer
	// Peers are the coordinators that own what this one does not.
	Peers  *peers.Peers
	Policy lifecycle.Policy
	// Diagnoser, optional, answers DiagnoseSite.
	Diagnoser Diagnoser
	// Shards says which shards are this coordinator's.
	Shards shard.Holder
	// Watchdog knows the alarms of this coordinator.
	Watchdog *watchdog.Watchdog
	// Node and Instance name this process, which started at Started.
	Node, Instance string
	Started        time.Time
}

// Register adds the services to a gRPC server.
func Register(r grpc.ServiceRegistrar, o Options) {
	monitorpb.RegisterSiteServiceServer(r, &sites{o: o})
	monitorpb.RegisterOutageServiceServer(r, &outages{o: o})
	monitorpb.RegisterFleetServiceServer(r, &fleet{o: o})
	monitorpb.RegisterDiagnosisServiceServer(r, newDiagnosis(o))
	wpcompb.RegisterJetpackMonitorServiceServer(r, &jetpackMonitor{o: o})
}

// Services lists the names that Register registers.
func Services() []string {
	return []string{
		monitorpb.SiteService_ServiceDesc.ServiceName,
		monitorpb.OutageService_ServiceDesc.ServiceName,
		monitorpb.FleetService_ServiceDesc.ServiceName,
		monitorpb.DiagnosisService_ServiceDesc.ServiceName,
		wpcompb.JetpackMonitorService_ServiceDesc.ServiceName,
	}
}

// timestamp converts; the zero time is absent.
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

func pageSize(asked int32) int {
	if asked <= 0 {
		return defaultPage
	}
	return min(int(asked), maxPage)
}

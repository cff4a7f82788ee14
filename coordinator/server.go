package coordinator

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/api"
	"github.com/Automattic/jetmon/coordinator/peers"
	coordinatorpb "github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

// servers are the gRPC servers of a coordinator.
type servers struct {
	// all serves the API and the AssignmentService, public the API alone; nil when there is
	// no listener for it.
	all, public *rpc.Server
}

// services are what several servers serve.
type services []service

type service struct {
	desc *grpc.ServiceDesc
	impl any
}

// RegisterService implements grpc.ServiceRegistrar.
func (s *services) RegisterService(desc *grpc.ServiceDesc, impl any) {
	*s = append(*s, service{desc, impl})
}

func (s *services) register(r grpc.ServiceRegistrar) {
	for _, one := range *s {
		r.RegisterService(one.desc, one.impl)
	}
}

// newServers makes the gRPC servers with all services of this role.
func (c *Coordinator) newServers(instance string) (err error) {
	var public services
	api.Register(&public, api.Options{
		Store: c.o.Store, Engine: c.engine, Panel: c.panel, Ledger: c.ledger, Notify: c.notify, Policy: c.o.Policy,
		Peers:     c.peers,
		Watchdog:  c.watchdog,
		Diagnoser: c.o.Diagnoser, Shards: c.ownership, Node: c.o.Node, Instance: instance, Started: time.Now(),
	})
	o := c.o.Server
	o.Name, o.Log, o.Metrics, o.Validate = "coordinator", c.o.Log, c.o.Metrics, true
	o.Ready = c.Ready
	named := peers.HealthName(c.o.Node) // peers ask for it
	if len(c.o.PublicListeners) > 0 {
		front := o
		front.Name, front.Services = "coordinator-public", append(api.Services(), named)
		if c.servers.public, err = rpc.NewServer(front, public.register); err != nil {
			return err
		}
	}
	o.Services = append(api.Services(), coordinatorpb.AssignmentService_ServiceDesc.ServiceName, named)
	c.servers.all, err = rpc.NewServer(o, func(r grpc.ServiceRegistrar) {
		coordinatorpb.RegisterAssignmentServiceServer(r, c.stream)
		public.register(r)
	})
	return err
}

// serve has the servers answer in a group until ctx ends.
func (c *Coordinator) serve(ctx context.Context, group *errgroup.Group) {
	group.Go(func() error { return c.servers.all.Serve(ctx, c.o.Listeners...) })
	if c.servers.public != nil {
		group.Go(func() error { return c.servers.public.Serve(ctx, c.o.PublicListeners...) })
	}
}

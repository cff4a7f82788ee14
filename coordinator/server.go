package coordinator

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/edge/api"
	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/stages"
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
		Store: c.o.Store, Engine: c.engine, Panel: c.panel, Committer: c.committer, Notify: c.notify, Policy: c.engine.Policy,
		Peers: c.peers, Keyring: c.keyring, Hush: c.hush, Channels: c.o.Channels.Open,
		Watchdog:  c.watchdog,
		Feed:      c.feed,
		History:   c.history(),
		Diagnoser: c.o.Diagnoser, Shards: c.ownership, Trial: c.o.Trial != 0, Node: c.o.Node, Instance: instance, Started: time.Now(),
	})
	o := c.o.Server
	if o.Access != nil {
		o.Access.SetKeys(c.keyring)
	}
	o.Name, o.Log, o.Metrics, o.Validate = "coordinator", c.o.Log, c.o.Metrics, true
	o.Ready, o.Around = c.Ready, c.patiently
	named := peers.HealthName(c.o.Node) // peers ask for it
	if len(c.o.PublicListeners) > 0 {
		front := o
		front.Name, front.Services = "coordinator-public", append(api.Services(), named)
		if c.servers.public, err = rpc.NewServer(front, public.register); err != nil {
			return err
		}
	}
	o.Services = append(api.Services(), coordinatorv1.AssignmentService_ServiceDesc.ServiceName, named)
	c.servers.all, err = rpc.NewServer(o, func(r grpc.ServiceRegistrar) {
		coordinatorv1.RegisterAssignmentServiceServer(r, c.stream)
		public.register(r)
	})
	return err
}

// history returns the reader of what became of turns; nil while none are kept: what is missing
// then is no gap.
func (c *Coordinator) history() api.History {
	if c.o.History.Off {
		return nil
	}
	return logbook.NewReader(c.o.Store, c.o.Log)
}

// serving are the steps in which the servers answer.
func (c *Coordinator) serving() []stages.Step {
	steps := []stages.Step{{Name: "server", Run: func(ctx context.Context) error { return c.servers.all.Serve(ctx, c.o.Listeners...) }}}
	if c.servers.public != nil {
		steps = append(steps, stages.Step{Name: "public server", Run: func(ctx context.Context) error { return c.servers.public.Serve(ctx, c.o.PublicListeners...) }})
	}
	return steps
}

//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/load/machine"
)

// askWithin limits one call of the coordinator.
const askWithin = 10 * time.Second

// system is the real program.
type system struct {
	roles       []*machine.Role
	coordinator *machine.Role
	conn        *grpc.ClientConn
}

func startSystem(ctx context.Context, p plan, dsn string, w *world) (s *system, err error) {
	s = &system{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	start := func(role string, args ...string) (*machine.Role, error) {
		r, err := machine.Start(ctx, p.program, role, append(args, "--insecure")...)
		if err == nil {
			s.roles = append(s.roles, r)
		}
		return r, err
	}
	args := []string{
		"--db=" + dsn, "--node=outage", "--listen=127.0.0.1:0", "--db-updates", "--diagnose-metadata-url=none",
		"--interval=" + p.interval.String(), "--time-between-checks=" + p.recheck.String(),
		"--wpcom-url=" + w.wordpress.url() + "/jetmon/", "--webhooks-allow-private",
	}
	for _, region := range []string{"europe", "america", "asia"} {
		v, err := start("veriflier", "--name=v-"+region, "--region="+region, "--listen=127.0.0.1:0", "--allow-private")
		if err != nil {
			return s, err
		}
		args = append(args, fmt.Sprintf("--veriflier=name=v-%s,region=%s,addr=%s", region, region, v.Address))
	}
	if s.coordinator, err = start("coordinator", args...); err != nil {
		return s, err
	}
	for _, name := range []string{"checker-1", "checker-2"} {
		if _, err = start("checker", "--node="+name, "--allow-private", "--coordinator="+s.coordinator.Address); err != nil {
			return s, err
		}
	}
	if s.conn, err = rpc.Dial(s.coordinator.Address, rpc.ClientOptions{}); err != nil {
		return s, err
	}
	return s, s.subscribe(ctx, w)
}

// subscribe makes the subscription of the operators.
func (s *system) subscribe(ctx context.Context, w *world) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	_, err := monitorv1.NewSubscriptionServiceClient(s.conn).CreateSubscription(ctx, &monitorv1.CreateSubscriptionRequest{
		Subscription: &monitorv1.Subscription{
			Name: "operators", Kind: monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_WEBHOOK, Url: w.operators.url() + "/",
			Filter: &monitorv1.SubscriptionFilter{Types: []monitorv1.EventType{
				monitorv1.EventType_EVENT_TYPE_INCIDENT_OPENED, monitorv1.EventType_EVENT_TYPE_INCIDENT_UPDATED,
				monitorv1.EventType_EVENT_TYPE_INCIDENT_RESOLVED,
			}},
		},
	})
	if err != nil {
		return fmt.Errorf("subscribe the operators: %w", err)
	}
	return nil
}

// status asks the coordinator how it is.
func (s *system) status(ctx context.Context) (*monitorv1.CoordinatorStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	r, err := monitorv1.NewFleetServiceClient(s.conn).GetFleet(ctx, &monitorv1.GetFleetRequest{})
	if err != nil {
		return nil, fmt.Errorf("ask the coordinator: %w", err)
	}
	return r.GetFleet().GetCoordinator(), nil
}

func (s *system) close() {
	if s.conn != nil {
		_ = s.conn.Close()
	}
	for i := range s.roles {
		s.roles[len(s.roles)-1-i].Stop()
	}
}

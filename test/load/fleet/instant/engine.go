//go:build linux

package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/edge/stream"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/outlier"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
)

const (
	batchSize = 100
	// forever is longer than a run, by the schedule's own clock.
	forever  = 10_000 * time.Hour
	interval = time.Minute
	grain    = 100 * time.Millisecond
)

// idle stands for a panel and a ledger: nothing goes down.
type idle struct{}

func (idle) Ask(engine.Question)          {}
func (idle) Abandon(check.SiteID, uint32) {}
func (idle) Look(engine.Question)         {}
func (idle) Record(record.Change)         {}
func (idle) Keep(record.Ballot)           {}
func (idle) Full() bool                   { return false }

// serveEngine serves the real stream with the real engine.
func serveEngine(p plan) (*served, error) {
	now := time.Now()
	e := engine.New(engine.Options{
		Policy: lifecycle.DefaultPolicy(), Panel: idle{}, Committer: idle{}, Outliers: outlier.DefaultRule(),
		Random: rand.Uint64, Log: slog.New(slog.DiscardHandler),
		Dispatch: dispatch.Config{
			Lease: forever, SessionTimeout: forever, AvoidFor: 5 * time.Second, MaxBatch: batchSize, MaxQueue: 1 << 20, PerHost: 10, Random: rand.Uint64,
		},
	}, now)
	for bucket := range check.Buckets {
		var rows []record.Site
		for id := bucket + 1; id <= p.sites; id += check.Buckets {
			rows = append(rows, record.Site{
				ID: check.SiteID(id), BlogID: check.BlogID(id), Bucket: check.BucketID(bucket), Interval: interval,
				URL: url(id), Status: check.StatusRunning,
			})
		}
		e.Read(now, check.BucketID(bucket)).Put(rows)
	}
	srv := stream.New(stream.Options{Engine: e, Node: "instant", Heartbeat: 5 * time.Second, Lease: time.Minute})
	s, err := serve(func(r grpc.ServiceRegistrar) { coordinatorv1.RegisterAssignmentServiceServer(r, srv) })
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	driven := make(chan error, 1)
	go func() { driven <- drive(ctx, e, p, now) }()
	s.checks = func() uint64 { return e.Counters().Checks }
	stop := s.stop
	s.stop = func() error {
		cancel()
		<-driven
		return stop()
	}
	return s, nil
}

// drive runs the schedule ahead of the clock, as far as the checkers have room. So due
// checks are assigned at once, as in a coordinator whose checkers keep up.
func drive(ctx context.Context, e *engine.Engine, p plan, now time.Time) error {
	perGrain := max(1, p.sites/int(interval/grain))
	made := 0
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	for ctx.Err() == nil {
		if made < int(e.Counters().Checks)+p.checkers*p.inFlight-perGrain {
			now = now.Add(grain)
			e.Tick(now)
			made += perGrain
			continue
		}
		<-pause.C
	}
	return ctx.Err()
}

func url(id int) string { return fmt.Sprintf("https://www.a-web-site-%08d.example/", id) }

// serve runs a server from package rpc until it is stopped.
func serve(register func(grpc.ServiceRegistrar)) (*served, error) {
	server, err := rpc.NewServer(rpc.ServerOptions{Name: "instant", Access: rpc.Open()}, register)
	if err != nil {
		return nil, err
	}
	l, err := rpc.TCP().Listen("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	return &served{address: l.Addr().String(), stop: func() error {
		cancel()
		return within(20*time.Second, "stopping the server", done)
	}}, nil
}

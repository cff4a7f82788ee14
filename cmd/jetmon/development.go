package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon"
	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/notify"
	"github.com/Automattic/jetmon/coordinator/store/sqlstore"
	"github.com/Automattic/jetmon/internal/cluster"
	"github.com/Automattic/jetmon/internal/demo"
	"github.com/Automattic/jetmon/internal/probe"
)

// development is the whole system in one process, with its own sites and inbox. open
// makes it, Run runs it, close cleans up after either.
type development struct {
	command *devCommand
	process *process
	out     io.Writer

	path      string // of the database
	temporary string // directory to remove, empty when the database is kept
	store     *sqlstore.Store
	demo      *demo.Demo
	anchor    *anchor // nil when others are given
	cluster   *cluster.Cluster
	ticker    *ticker
	// unused are the listeners that nobody closes yet.
	unused []net.Listener
}

func (d *development) open(ctx context.Context) error {
	if err := d.openStore(ctx); err != nil {
		return err
	}
	sites, err := d.openDemo()
	if err != nil {
		return err
	}
	anchors, own, err := d.openAnchors()
	if err != nil {
		return err
	}
	if err := d.seed(ctx, d.demo.URLs()); err != nil {
		return fmt.Errorf("add the sites: %w", err)
	}
	var fronts [3]net.Listener
	for i, f := range [3]struct{ flag, addr string }{
		{"http", d.command.HTTP}, {"grpc", d.command.GRPC}, {"veriflier", d.command.Veriflier},
	} {
		if fronts[i], err = d.listen(f.flag, f.addr); err != nil {
			return err
		}
	}
	policy := lifecycle.DefaultPolicy()
	policy.Between = d.command.Recheck
	wpcom := d.command.WPCOM
	if wpcom == "" {
		wpcom = d.demo.InboxURL()
	}
	d.ticker = newTicker(d.out)
	d.cluster, err = cluster.New(cluster.Options{
		Store: d.store, Policy: policy, IntervalOverride: d.command.Interval,
		Notify: notify.Options{URL: wpcom}, OnChange: d.ticker.changed,
		Probe:           probe.Options{AllowPrivate: d.command.AllowPrivate, Allowed: append(sites, own...)},
		Anchors:         anchors,
		GatewayListener: fronts[0], CoordinatorListener: fronts[1], VeriflierListener: fronts[2],
		OpenAPI: jetmon.OpenAPI, Log: d.process.log, Metrics: d.process.metrics,
	})
	if err != nil {
		return usageError{err}
	}
	return d.greet(fronts)
}

// Run runs everything until ctx ends; the inbox outlives the roles, for their last notices.
func (d *development) Run(ctx context.Context) error {
	d.unused = nil
	group, ctx := errgroup.WithContext(ctx)
	outer, stop := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer stop()
		return d.cluster.Run(ctx)
	})
	group.Go(func() error { return d.demo.Run(outer) })
	group.Go(func() error { return d.ticker.Run(outer) })
	if d.anchor != nil {
		group.Go(func() error { return d.anchor.Run(outer) })
	}
	return group.Wait()
}

// Ready says which of the roles cannot do their work now, and why.
func (d *development) Ready() error { return d.cluster.Ready() }

// close cleans up; it is safe after an open that failed half way.
func (d *development) close() error {
	var errs []error
	for _, l := range d.unused {
		errs = append(errs, l.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	if d.temporary != "" {
		errs = append(errs, os.RemoveAll(d.temporary))
	}
	return errors.Join(errs...)
}

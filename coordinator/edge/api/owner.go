package api

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// A question to an owner gets a share of our caller's time, 1 of askShare, and at most
// maxAsk or maxHand, so that there is time left to answer from what we know ourselves.
const (
	maxAsk   = 2 * time.Second
	maxHand  = 4 * time.Second
	askShare = 2
)

// within bounds the time of a question to an owner.
func within(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(deadline)/askShare)
	}
	return context.WithTimeout(ctx, most)
}

// elsewhere tells, for the time of one call, which peers own buckets.
type elsewhere struct {
	owners peers.Owners
	held   shard.Held
	// here is set when this coordinator must answer everything itself.
	here bool
}

// elsewhere reads the owners. A forwarded call stays here.
func (o Options) elsewhere(ctx context.Context) elsewhere {
	if peers.Forwarded(ctx) {
		return elsewhere{here: true}
	}
	e := elsewhere{held: o.Shards.Held()}
	if e.here = len(e.held.Staying()) == shard.Count; !e.here {
		e.owners = o.Peers.Owners(ctx)
	}
	return e
}

// of returns the peer that owns a bucket; false when we own it or nobody does.
func (e elsewhere) of(b check.BucketID) (peers.Peer, bool) {
	if e.here || e.held.Stays(shard.Of(b%check.Buckets)) {
		return peers.Peer{}, false
	}
	return e.owners.Of(b)
}

// live returns the sites of rows with their live state: from this engine, or from the owner
// for the sites of others. When an owner cannot be asked, the stored state of the row stays.
func (o Options) live(ctx context.Context, rows []record.Site) []*monitorv1.Site {
	sites, _ := o.liveAndMissing(ctx, rows)
	return sites
}

// liveAndMissing is live, with why an owner cannot be asked, if one cannot.
func (o Options) liveAndMissing(ctx context.Context, rows []record.Site) ([]*monitorv1.Site, error) {
	out := make([]*monitorv1.Site, len(rows))
	theirs := map[peers.Peer][]*monitorv1.Site{}
	e := o.elsewhere(ctx)
	for i, row := range rows {
		out[i] = o.describe(row)
		if owner, ok := e.of(row.Bucket); ok {
			theirs[owner] = append(theirs[owner], out[i])
		}
	}
	o.markMaintenance(ctx, out)
	if len(theirs) == 0 {
		return out, nil
	}
	ctx, cancel := within(ctx, maxAsk)
	defer cancel()
	var asking errgroup.Group // at most one goroutine per shard
	for owner, sites := range theirs {
		asking.Go(func() error { return o.fetch(ctx, owner, sites) })
	}
	return out, asking.Wait()
}

// fetch adds the live state of sites, all of one owner, with one question to that owner.
func (o Options) fetch(ctx context.Context, owner peers.Peer, sites []*monitorv1.Site) error {
	byID := make(map[int64]*monitorv1.Site, len(sites))
	req := &monitorv1.BatchGetSitesRequest{SiteIds: make([]int64, len(sites))}
	for i, site := range sites {
		byID[site.GetSiteId()] = site
		req.SiteIds[i] = site.GetSiteId()
	}
	var resp *monitorv1.BatchGetSitesResponse
	err := o.Peers.AskBriefly(ctx, owner, func(ctx context.Context, conn grpc.ClientConnInterface) (err error) {
		resp, err = monitorv1.NewSiteServiceClient(conn).BatchGetSites(ctx, req)
		return err
	})
	if err != nil {
		return err // the stored state stays; Peers records the failure for the watchdog
	}
	for _, known := range resp.GetSites() {
		if site := byID[known.GetSiteId()]; site != nil {
			overlayFetched(site, known)
		}
	}
	return nil
}

// describe returns the site of a row with this engine's live state, if it has any.
func (o Options) describe(row record.Site) *monitorv1.Site {
	site := siteToProto(row)
	if v, ok := o.Engine.View(time.Now(), row.ID); ok {
		overlay(site, v)
	}
	return site
}

// made is the result of handing an edit to the owner of a site.
type made uint8

const (
	// notMade means that this coordinator must make the edit: it owns the bucket, nobody
	// does, or the owner cannot be reached or is not ready, as when it has lost the
	// database. The owner reads the change from the database within a minute.
	notMade made = iota
	// maybeMade is notMade, except that the owner may have made the edit before it stopped
	// answering.
	maybeMade
	// answered means that the owner has made or refused the edit.
	answered
)

// hand forwards a whole edit to the owner of a bucket, so that it takes effect at once. The
// error is the owner's or, with maybeMade, why it gave no answer.
func hand[Request, Response any](ctx context.Context, o Options, b check.BucketID, req *Request,
	edit func(monitorv1.SiteServiceClient, context.Context, *Request, ...grpc.CallOption) (*Response, error),
) (*Response, made, error) {
	owner, ok := o.elsewhere(ctx).of(b)
	if !ok {
		return nil, notMade, nil
	}
	asking, cancel := within(ctx, maxHand)
	defer cancel()
	var resp *Response
	var sent peers.Sent
	err := o.Peers.AskReady(asking, owner, func(ctx context.Context, conn grpc.ClientConnInterface) (err error) {
		resp, err = edit(monitorv1.NewSiteServiceClient(conn), ctx, req, sent.Option())
		return err
	})
	switch {
	case !peers.Unanswered(err):
		return resp, answered, err
	case sent.Left():
		return nil, maybeMade, err
	default:
		return nil, notMade, nil
	}
}

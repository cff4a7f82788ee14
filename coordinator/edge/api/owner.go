package api

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// Of the time that a caller gives us an owner gets a share and no more than a bound, so
// that what we know ourselves can still be answered.
const (
	maxAsk   = 2 * time.Second
	maxHand  = 4 * time.Second
	askShare = 2
)

// within bounds a question to an owner.
func within(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(deadline)/askShare)
	}
	return context.WithTimeout(ctx, most)
}

// elsewhere says which peers own buckets, as one call sees it.
type elsewhere struct {
	owners peers.Owners
	held   shard.Held
	// here says that everything is to be answered here.
	here bool
}

// elsewhere reads it. A call that was forwarded stays here.
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

// of is the peer that owns a bucket; false when we do, or nobody.
func (e elsewhere) of(b check.BucketID) (peers.Peer, bool) {
	if e.here || e.held.Stays(shard.Of(b%check.Buckets)) {
		return peers.Peer{}, false
	}
	return e.owners.Of(b)
}

// live says of rows what is known of them now: what this coordinator knows, and of the
// others' sites what their owners know. Where an owner cannot be asked, the row speaks.
func (o Options) live(ctx context.Context, rows []store.Site) []*monitorv1.Site {
	out := make([]*monitorv1.Site, len(rows))
	theirs := map[peers.Peer][]*monitorv1.Site{}
	e := o.elsewhere(ctx)
	for i, row := range rows {
		out[i] = o.describe(row)
		if owner, ok := e.of(row.Bucket); ok {
			theirs[owner] = append(theirs[owner], out[i])
		}
	}
	if len(theirs) == 0 {
		return out
	}
	ctx, cancel := within(ctx, maxAsk)
	defer cancel()
	var asking sync.WaitGroup // at most one a shard
	for owner, sites := range theirs {
		asking.Go(func() { o.fetch(ctx, owner, sites) })
	}
	asking.Wait()
	return out
}

// fetch lays what the owner of sites knows over them, in one question.
func (o Options) fetch(ctx context.Context, owner peers.Peer, sites []*monitorv1.Site) {
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
		return // the row's own knowledge stays; Peers remembers the failure for the fleet
	}
	for _, known := range resp.GetSites() {
		if site := byID[known.GetSiteId()]; site != nil {
			overlayFetched(site, known)
		}
	}
}

// describe lays the engine's live view over a row.
func (o Options) describe(row store.Site) *monitorv1.Site {
	site := siteToProto(row)
	if v, ok := o.Engine.View(time.Now(), row.ID); ok {
		overlay(site, v)
	}
	return site
}

// made is what became of an edit that another coordinator should make.
type made uint8

const (
	// notMade: it is to be made here, since we own the bucket, nobody does, or the owner
	// cannot be reached or is not ready, as when it has lost the database; the owner reads
	// the change from the database within a minute.
	notMade made = iota
	// maybeMade: the same, but the owner may have made it before it fell silent.
	maybeMade
	// answered: the owner has made or refused it.
	answered
)

// hand passes an edit on to the owner of a bucket, whole, so that it takes effect at once.
// The error is the owner's, or, with maybeMade, why it gave no answer.
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

package api

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// listState lists the sites in one of the states of trouble, which only the coordinators know that
// watch them: ours and, unless one of them asks us, those of the others.
func (s *sites) listState(ctx context.Context, req *monitorv1.ListSitesRequest, l listing) (resp *monitorv1.ListSitesResponse, err error) {
	caller := access.From(ctx)
	sel, _ := selection(l.state)
	sel.BlogID, sel.After, sel.Descending = l.blog, l.after, l.falling
	if caller.Limited() {
		sel.Blogs = caller.Blogs // not afterwards: the token of a page names the last site looked at
	}
	pages := make([]*monitorv1.ListSitesResponse, 1)
	if !l.bare {
		req = proto.CloneOf(req)
		if req.PageToken = ""; l.after != 0 {
			req.PageToken = token(int64(l.after))
		}
		if pages, err = s.pagesOfOthers(ctx, req); err != nil {
			return nil, err
		}
	}
	if pages[0], err = s.ownPage(ctx, sel, l); err != nil {
		return nil, err
	}
	return l.merge(pages, func(site *monitorv1.Site) bool { return l.fits(site) && caller.Sees(check.BlogID(site.GetBlogId())) }), nil
}

// selection returns what a state selects. ok is false when the sites in that state are nearly all
// sites, or are not watched.
func selection(state monitorv1.SiteState) (sel engine.Selection, ok bool) {
	switch state {
	case monitorv1.SiteState_SITE_STATE_UNCHECKABLE:
		return engine.Selection{Uncheckable: true}, true
	case monitorv1.SiteState_SITE_STATE_SUSPECT, monitorv1.SiteState_SITE_STATE_VERIFYING, monitorv1.SiteState_SITE_STATE_DOWN,
		monitorv1.SiteState_SITE_STATE_CONFIRMED_DOWN, monitorv1.SiteState_SITE_STATE_RECOVERING:
		return engine.Selection{Stage: lifecycle.Stage(state)}, true
	}
	return sel, false
}

// ownPage returns a page of the selected sites that we watch and that fit. A site that has left
// the state since it was selected is left out.
func (s *sites) ownPage(ctx context.Context, sel engine.Selection, l listing) (*monitorv1.ListSitesResponse, error) {
	resp := &monitorv1.ListSitesResponse{}
	step := l.size
	if l.at != (record.Location{}) || l.tag != "" || l.bucket != nil || l.status != nil || !l.since.IsZero() {
		step = lookedAtOnce
	}
	sel.Limit = step + 1
	for looked := 0; ; looked += step {
		ids := s.o.Engine.Select(sel)
		more := len(ids) > step
		ids = ids[:min(len(ids), step)]
		rows, err := s.rows(ctx, ids)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if site := s.o.describe(row); l.fits(site) {
				resp.Sites = append(resp.Sites, site)
			}
		}
		if more {
			sel.After = ids[len(ids)-1]
		}
		switch {
		case len(resp.Sites) > l.size:
			resp.Sites = resp.Sites[:l.size]
			resp.NextPageToken = token(resp.Sites[l.size-1].GetSiteId())
			return resp, nil
		case !more:
			return resp, nil
		case step == l.size || len(resp.Sites) == l.size || looked >= mostLooked:
			resp.NextPageToken = token(int64(sel.After))
			return resp, nil
		}
	}
}

// pagesOfOthers asks the other coordinators that own shards for their pages; the first page
// is left for ours.
func (s *sites) pagesOfOthers(ctx context.Context, req *monitorv1.ListSitesRequest) ([]*monitorv1.ListSitesResponse, error) {
	e := s.o.elsewhere(ctx)
	owners := map[peers.Peer]bool{}
	for b := range check.BucketID(check.Buckets) {
		if owner, ok := e.of(b); ok {
			owners[owner] = true
		}
	}
	ctx, cancel := within(ctx, maxHand)
	defer cancel()
	pages := make([]*monitorv1.ListSitesResponse, 1+len(owners))
	var asking errgroup.Group
	asking.SetLimit(askedAtOnce)
	i := 0
	for owner := range owners {
		i++
		asking.Go(func() error {
			err := s.o.Peers.Ask(ctx, owner, func(ctx context.Context, conn grpc.ClientConnInterface) (err error) {
				pages[i], err = monitorv1.NewSiteServiceClient(conn).ListSites(ctx, req)
				return err
			})
			if peers.Unanswered(err) {
				return fault.New(fault.Unavailable, "coordinator %s cannot be asked for its sites: %s", owner.Node, fault.Status(err).Message())
			}
			return err
		})
	}
	return pages, asking.Wait()
}

// merge makes one page of several that begin after the same id: the first sites of all that
// are wanted. A page with a token knows nothing of the ids after it. A coordinator of an older
// version lists sites in all states, or on all hosts.
func (l listing) merge(pages []*monitorv1.ListSitesResponse, wanted func(*monitorv1.Site) bool) *monitorv1.ListSitesResponse {
	all, known := &monitorv1.ListSitesResponse{}, check.SiteID(0)
	for _, p := range pages {
		all.Sites = append(all.Sites, p.GetSites()...)
		if n, err := parseToken(p.GetNextPageToken()); err == nil && n != 0 && (known == 0 || l.compare(check.SiteID(n), known) < 0) {
			known = check.SiteID(n)
		}
	}
	slices.SortFunc(all.Sites, func(a, b *monitorv1.Site) int {
		return l.compare(check.SiteID(a.GetSiteId()), check.SiteID(b.GetSiteId()))
	})
	// A shard that has just changed hands may be on two pages.
	all.Sites = slices.CompactFunc(all.Sites, func(a, b *monitorv1.Site) bool { return a.GetSiteId() == b.GetSiteId() })
	all.Sites = slices.DeleteFunc(all.Sites, func(s *monitorv1.Site) bool {
		return !wanted(s) || known != 0 && l.compare(check.SiteID(s.GetSiteId()), known) > 0
	})
	if len(all.Sites) > l.size {
		all.Sites = all.Sites[:l.size]
		known = check.SiteID(all.Sites[l.size-1].GetSiteId())
	}
	if known != 0 {
		all.NextPageToken = l.view.token(known)
	}
	return all
}

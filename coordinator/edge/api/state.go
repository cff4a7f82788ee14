package api

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// listState lists the sites in one state, which only the coordinators know that watch them:
// ours and, unless one of them asks us, those of the others.
func (s *sites) listState(ctx context.Context, req *monitorv1.ListSitesRequest, f filter, after check.SiteID) (*monitorv1.ListSitesResponse, error) {
	size := pageSize(req.GetPageSize())
	sel, err := selection(req.GetState())
	if err != nil {
		return nil, err
	}
	if f.none {
		return &monitorv1.ListSitesResponse{}, nil
	}
	caller := access.From(ctx)
	sel.BlogID, sel.After, sel.Limit = f.blog, after, size+1
	if caller.Limited() {
		sel.Blogs = caller.Blogs // not afterwards: the token of a page names the last site looked at
	}
	pages := make([]*monitorv1.ListSitesResponse, 1)
	if !peers.Forwarded(ctx) {
		if pages, err = s.pagesOfOthers(ctx, req); err != nil {
			return nil, err
		}
	}
	if pages[0], err = s.ownPage(ctx, sel, f, size); err != nil {
		return nil, err
	}
	wanted := func(site *monitorv1.Site) bool {
		blog := check.BlogID(site.GetBlogId())
		return site.GetState() == req.GetState() && f.fits(blog, site.GetUrl()) && caller.Sees(blog)
	}
	return merge(pages, wanted, size), nil
}

// selection returns what a state selects. Sites in the other states are nearly all sites, or
// are not watched.
func selection(state monitorv1.SiteState) (engine.Selection, error) {
	switch state {
	case monitorv1.SiteState_SITE_STATE_UNCHECKABLE:
		return engine.Selection{Uncheckable: true}, nil
	case monitorv1.SiteState_SITE_STATE_SUSPECT, monitorv1.SiteState_SITE_STATE_VERIFYING, monitorv1.SiteState_SITE_STATE_DOWN,
		monitorv1.SiteState_SITE_STATE_CONFIRMED_DOWN, monitorv1.SiteState_SITE_STATE_RECOVERING:
		return engine.Selection{Stage: lifecycle.Stage(state)}, nil
	}
	return engine.Selection{}, fault.InvalidField("state",
		"must be SITE_STATE_SUSPECT, VERIFYING, DOWN, CONFIRMED_DOWN, RECOVERING or UNCHECKABLE, is %s", state)
}

// filteredPage is how many sites in a state are looked at together for those that fit.
const filteredPage = 1000

// ownPage returns a page of the selected sites that we watch and that fit. A site that has left
// the state since it was selected is left out.
func (s *sites) ownPage(ctx context.Context, sel engine.Selection, f filter, size int) (*monitorv1.ListSitesResponse, error) {
	resp := &monitorv1.ListSitesResponse{}
	want := monitorv1.SiteState(sel.Stage)
	if sel.Uncheckable {
		want = monitorv1.SiteState_SITE_STATE_UNCHECKABLE
	}
	step := size
	if f.at != (record.Location{}) {
		step = filteredPage
	}
	for sel.Limit = step + 1; ; {
		ids := s.o.Engine.Select(sel)
		more := len(ids) > step
		ids = ids[:min(len(ids), step)]
		if len(ids) == 0 {
			return resp, nil
		}
		rows, err := s.o.Store.SitesByID(ctx, ids)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if !f.fits(row.BlogID, row.URL) {
				continue
			}
			if site := s.o.describe(row); site.GetState() == want {
				resp.Sites = append(resp.Sites, site)
			}
		}
		sel.After = ids[len(ids)-1]
		switch {
		case len(resp.Sites) > size:
			resp.Sites = resp.Sites[:size]
			resp.NextPageToken = token(resp.Sites[size-1].GetSiteId())
			return resp, nil
		case !more:
			return resp, nil
		case step == size || len(resp.Sites) == size:
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
func merge(pages []*monitorv1.ListSitesResponse, wanted func(*monitorv1.Site) bool, size int) *monitorv1.ListSitesResponse {
	all, known := &monitorv1.ListSitesResponse{}, int64(0)
	for _, p := range pages {
		all.Sites = append(all.Sites, p.GetSites()...)
		if end, err := parseToken(p.GetNextPageToken()); err == nil && end != 0 && (known == 0 || end < known) {
			known = end
		}
	}
	slices.SortFunc(all.Sites, func(a, b *monitorv1.Site) int { return cmp.Compare(a.GetSiteId(), b.GetSiteId()) })
	// A shard that has just changed hands may be on two pages.
	all.Sites = slices.CompactFunc(all.Sites, func(a, b *monitorv1.Site) bool { return a.GetSiteId() == b.GetSiteId() })
	if known != 0 {
		all.NextPageToken = token(known)
	}
	all.Sites = slices.DeleteFunc(all.Sites, func(s *monitorv1.Site) bool {
		return !wanted(s) || known != 0 && s.GetSiteId() > known
	})
	if len(all.Sites) > size {
		all.Sites = all.Sites[:size]
		all.NextPageToken = token(all.Sites[size-1].GetSiteId())
	}
	return all
}

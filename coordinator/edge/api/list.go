package api

import (
	"cmp"
	"context"

	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// listing is one call of ListSites.
type listing struct {
	filter
	view view
	// after is the last id of the page before, 0 for none.
	after check.SiteID
	// falling is the order by falling id.
	falling bool
	size    int
	// bare means that another coordinator asks, whose tokens are ids alone: they are ours to
	// merge, and it may be of an earlier version.
	bare bool
}

func listingOf(ctx context.Context, req *monitorv1.ListSitesRequest) (l listing, err error) {
	l = listing{falling: req.GetOrderBy() == descending, size: pageSize(req.GetPageSize()), bare: peers.Forwarded(ctx)}
	if !l.bare {
		l.view = viewOf(req)
	}
	if l.filter, err = filterOf(req); err != nil {
		return l, err
	}
	l.after, err = l.view.parse(req.GetPageToken())
	return l, err
}

// compare orders ids as the pages do.
func (l listing) compare(a, b check.SiteID) int {
	if l.falling {
		a, b = b, a
	}
	return cmp.Compare(a, b)
}

// query is what the store decides.
func (l listing) query(limit int) store.SiteQuery {
	return store.SiteQuery{After: l.after, Descending: l.falling, Limit: limit, BlogID: l.blog, At: l.at, Bucket: l.bucket, Tag: l.tag}
}

func (s *sites) ListSites(ctx context.Context, req *monitorv1.ListSitesRequest) (*monitorv1.ListSitesResponse, error) {
	l, err := listingOf(ctx, req)
	switch {
	case err != nil:
		return nil, err
	case l.none:
		return &monitorv1.ListSitesResponse{}, nil
	case l.isOfNow():
		if _, few := selection(l.state); few {
			return s.listState(ctx, req, l)
		}
		return s.listNow(ctx, l)
	}
	rows, err := s.o.Store.ListSites(ctx, l.query(l.size+1))
	if err != nil {
		return nil, err
	}
	resp := &monitorv1.ListSitesResponse{}
	if len(rows) > l.size {
		rows = rows[:l.size]
		resp.NextPageToken = l.view.token(rows[l.size-1].ID)
	}
	resp.Sites = s.o.live(ctx, rows)
	return resp, nil
}

// A page of what is true at this moment looks at no more than mostLooked sites, lookedAtOnce
// together.
const (
	mostLooked   = 4000
	lookedAtOnce = 1000
	lookGrowth   = 3
	fewMore      = 10
)

// listNow lists sites by what is true of them at this moment, of which what is stored leads to
// those that may fit. When few of these do, the page is short, or empty.
func (s *sites) listNow(ctx context.Context, l listing) (*monitorv1.ListSitesResponse, error) {
	resp := &monitorv1.ListSitesResponse{}
	for looked, step := 0, max(l.size, defaultPage); looked < mostLooked; {
		rows, next, err := s.candidates(ctx, l, step)
		if err != nil {
			return nil, err
		}
		found, err := s.o.liveOr(ctx, rows, l.state != monitorv1.SiteState_SITE_STATE_UNSPECIFIED)
		if err != nil {
			return nil, err
		}
		for _, site := range found {
			if !l.fits(site) {
				continue
			}
			if len(resp.Sites) == l.size {
				resp.NextPageToken = l.view.token(check.SiteID(resp.GetSites()[l.size-1].GetSiteId()))
				return resp, nil
			}
			resp.Sites = append(resp.Sites, site)
		}
		if next == 0 {
			return resp, nil
		}
		if l.after = next; len(resp.Sites) == l.size {
			break // without a look at whether there are more
		}
		if looked += step; 2*len(resp.Sites) < looked {
			step = min(step*lookGrowth, lookedAtOnce)
		} else { // most fit: few more are needed
			step = min(2*(l.size-len(resp.Sites))+fewMore, lookedAtOnce)
		}
	}
	resp.NextPageToken = l.view.token(l.after)
	return resp, nil
}

// candidates reads the next sites that may fit, and after which id there may be others; 0 for the
// end.
func (s *sites) candidates(ctx context.Context, l listing, limit int) (rows []record.Site, next check.SiteID, err error) {
	if !l.isFoundByStanding() || access.From(ctx).Limited() {
		if rows, err = s.o.Store.ListSites(ctx, l.query(limit)); err == nil && len(rows) == limit {
			next = rows[limit-1].ID
		}
		return rows, next, err
	}
	page, err := s.o.Store.FindStanding(ctx, store.StandingQuery{After: l.after, Descending: l.falling, Limit: limit, Status: l.status, Since: l.since})
	if err != nil {
		return nil, 0, err
	}
	rows, err = s.rows(ctx, page.IDs)
	return rows, page.Next, err
}

// isFoundByStanding reports whether the status, or when it began, leads to fewer sites than
// anything else that is asked for.
func (l listing) isFoundByStanding() bool {
	if l.at != (record.Location{}) || l.blog != 0 || l.tag != "" || l.bucket != nil {
		return false
	}
	return l.status != nil && *l.status != check.StatusRunning || !l.since.IsZero()
}

// liveOr is live, or UNAVAILABLE when strict and an owner cannot be asked: a list by state with
// gaps would mislead.
func (o Options) liveOr(ctx context.Context, rows []record.Site, strict bool) ([]*monitorv1.Site, error) {
	sites, err := o.liveAndMissing(ctx, rows)
	if err != nil && strict {
		return nil, fault.New(fault.Unavailable, "another coordinator cannot be asked for its sites: %s", fault.Status(err).Message())
	}
	return sites, nil
}

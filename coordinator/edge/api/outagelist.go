package api

import (
	"context"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// What no index leads to is looked for among at most mostOutages, read outagesAtOnce together: a
// page may be shorter than asked for, and the next one goes on where it ended.
const (
	mostOutages   = 5000
	outagesAtOnce = 1000
	// outageSearches bounds those that are under way, whoever asks; the others wait for their turn.
	outageSearches = 4
)

// outageFilter is what ListOutages restricts outages by, beyond what the store selects. A zero
// field restricts nothing.
type outageFilter struct {
	failure check.FailureKind
	at      record.Location
	tag     string
	region  string
	atLeast time.Duration
}

func outageFilterOf(req *monitorv1.ListOutagesRequest) (f outageFilter, err error) {
	f = outageFilter{failure: check.FailureKind(req.GetFailure()), tag: req.GetTag(), region: req.GetRegion(), atLeast: req.GetMinDuration().AsDuration()}
	if d := req.GetMinDuration(); d != nil && d.CheckValid() != nil {
		return f, fault.InvalidField("min_duration", "must be a duration: %w", d.CheckValid())
	}
	if req.GetHost() != "" {
		if f.at, err = record.LocateHost(req.GetHost()); err != nil {
			return f, fault.InvalidField("host", "must be a host, with or without a port: %w", err)
		}
	}
	return f, nil
}

// fits reports whether an outage is one that is asked for, but for the tag.
func (f outageFilter) fits(o record.Outage, now time.Time) bool {
	end := o.End
	if end.IsZero() {
		end = now
	}
	return (f.failure == 0 || f.failure == o.Failure) && end.Sub(o.Start) >= f.atLeast &&
		(f.region == "" || slices.Contains(o.Regions, f.region)) &&
		(f.at == (record.Location{}) || record.Locate(o.URL).Fits(f.at))
}

func (s *outages) ListOutages(ctx context.Context, req *monitorv1.ListOutagesRequest) (*monitorv1.ListOutagesResponse, error) {
	before, err := parseMark(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	f, err := outageFilterOf(req)
	if err != nil {
		return nil, err
	}
	q := store.OutageQuery{Before: before, SiteID: check.SiteID(req.GetSiteId()), OpenOnly: req.GetOpen()}
	if req.GetBlogId() != 0 {
		q.Blogs = []check.BlogID{check.BlogID(req.GetBlogId())}
	}
	rows, next, err := s.find(store.MayLag(ctx), q, f, pageSize(req.GetPageSize()))
	if err != nil {
		return nil, err
	}
	resp := &monitorv1.ListOutagesResponse{}
	if next.ID != 0 {
		resp.NextPageToken = markToken(next)
	}
	for _, row := range rows {
		resp.Outages = append(resp.Outages, outageToProto(row))
	}
	return resp, nil
}

// find reads a page of outages that fit. The mark is where the next page begins; its id is 0 when
// there is none.
func (s *outages) find(ctx context.Context, q store.OutageQuery, f outageFilter, size int) (page []record.Outage, next record.OutageMark, err error) {
	q.Limit = size + 1
	if f != (outageFilter{}) {
		q.Limit = outagesAtOnce
		end, err := turn(ctx, s.searching, "outages are searched")
		if err != nil {
			return nil, next, err
		}
		defer end()
	}
	for looked := 0; looked < mostOutages; looked += q.Limit {
		rows, err := s.o.Store.ListOutages(ctx, q)
		if err != nil {
			return nil, next, err
		}
		fitting, err := s.fitting(ctx, rows, f)
		if err != nil {
			return nil, next, err
		}
		for _, row := range fitting {
			if len(page) == size {
				return page, page[size-1].Mark(), nil
			}
			page = append(page, row)
		}
		if len(rows) < q.Limit {
			return page, record.OutageMark{}, nil
		}
		q.Before = rows[len(rows)-1].Mark()
	}
	return page, q.Before, nil
}

// fitting returns the outages that fit.
func (s *outages) fitting(ctx context.Context, rows []record.Outage, f outageFilter) ([]record.Outage, error) {
	now := time.Now()
	rows = slices.DeleteFunc(slices.Clone(rows), func(o record.Outage) bool { return !f.fits(o, now) })
	if f.tag == "" || len(rows) == 0 {
		return rows, nil
	}
	var ids []check.SiteID
	for _, o := range rows {
		ids = append(ids, o.SiteID)
	}
	sites, err := s.o.Store.SitesByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	tagged := map[check.SiteID]bool{}
	for _, site := range sites {
		tagged[site.ID] = slices.Contains(site.Tags, f.tag)
	}
	return slices.DeleteFunc(rows, func(o record.Outage) bool { return !tagged[o.SiteID] }), nil
}

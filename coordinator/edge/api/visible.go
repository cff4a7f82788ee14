package api

import (
	"context"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/incident"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// visible is a store as the caller of each call may see it: for a caller that is limited to
// some blogs, the sites and outages of others do not exist.
type visible struct{ store.Store }

// mayPut returns nil when the caller may have a site in a blog.
func mayPut(ctx context.Context, blog check.BlogID) error {
	if c := access.From(ctx); !c.Sees(blog) {
		return fault.New(fault.Denied, "%s may have no sites of blog %d", c, blog)
	}
	return nil
}

// Site implements store.Sites.
func (v visible) Site(ctx context.Context, id check.SiteID) (record.Site, error) {
	row, err := v.Store.Site(ctx, id)
	if err == nil && !access.From(ctx).Sees(row.BlogID) {
		return record.Site{}, noSite(id)
	}
	return row, err
}

// UpdateSite implements store.Sites. The site may have gone to another blog since the caller
// read it.
func (v visible) UpdateSite(ctx context.Context, id check.SiteID, at time.Time, edit func(record.Site) (record.Site, error)) (record.Site, error) {
	return v.Store.UpdateSite(ctx, id, at, func(row record.Site) (record.Site, error) {
		if !access.From(ctx).Sees(row.BlogID) {
			return row, noSite(id)
		}
		return edit(row)
	})
}

// DeleteSite implements store.Sites, as UpdateSite does.
func (v visible) DeleteSite(ctx context.Context, id check.SiteID, at time.Time, allow func(record.Site) error) error {
	return v.Store.DeleteSite(ctx, id, at, func(row record.Site) error {
		if !access.From(ctx).Sees(row.BlogID) {
			return noSite(id)
		}
		return allow(row)
	})
}

// CreateSiteOnce implements store.Keys. The site may have gone to another blog since it was added.
func (v visible) CreateSiteOnce(ctx context.Context, key store.Key, s record.Site) (record.Site, error) {
	row, err := v.Store.CreateSiteOnce(ctx, key, s)
	if err == nil && !access.From(ctx).Sees(row.BlogID) {
		return record.Site{}, noSite(row.ID)
	}
	return row, err
}

// noSite is what the store says of a site that does not exist.
func noSite(id check.SiteID) error { return fault.New(fault.NotFound, "there is no site %d", id) }

// SitesByID implements store.Sites.
func (v visible) SitesByID(ctx context.Context, ids []check.SiteID) ([]record.Site, error) {
	rows, err := v.Store.SitesByID(ctx, ids)
	c := access.From(ctx)
	return slices.DeleteFunc(rows, func(row record.Site) bool { return !c.Sees(row.BlogID) }), err
}

// ListSites implements store.Sites. It asks for each of the few blogs of a limited caller.
func (v visible) ListSites(ctx context.Context, q store.SiteQuery) ([]record.Site, error) {
	c := access.From(ctx)
	if !c.Limited() {
		return v.Store.ListSites(ctx, q)
	}
	blogs := c.Blogs
	if q.BlogID != 0 {
		blogs = slices.DeleteFunc(slices.Clone(blogs), func(b check.BlogID) bool { return b != q.BlogID })
	}
	var all []record.Site
	for _, b := range blogs {
		q.BlogID = b
		rows, err := v.Store.ListSites(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	slices.SortFunc(all, q.Compare)
	return all[:min(len(all), q.Limit)], nil
}

// FindStanding implements store.Standings. To leave out what a limited caller may not see would
// tell it how many there are.
func (v visible) FindStanding(ctx context.Context, q store.StandingQuery) (store.StandingPage, error) {
	if c := access.From(ctx); c.Limited() {
		return store.StandingPage{}, fault.New(fault.Denied, "%s may not search the sites of all blogs", c)
	}
	return v.Store.FindStanding(ctx, q)
}

// Outage implements store.History.
func (v visible) Outage(ctx context.Context, id int64) (record.Outage, error) {
	o, err := v.Store.Outage(ctx, id)
	if err == nil && !access.From(ctx).Sees(o.BlogID) {
		return record.Outage{}, fault.New(fault.NotFound, "there is no outage %d", id)
	}
	return o, err
}

// ListOutages implements store.History.
func (v visible) ListOutages(ctx context.Context, q store.OutageQuery) ([]record.Outage, error) {
	if c := access.From(ctx); c.Limited() {
		if len(q.Blogs) == 0 {
			q.Blogs = c.Blogs
		} else {
			q.Blogs = slices.DeleteFunc(slices.Clone(q.Blogs), func(b check.BlogID) bool { return !c.Sees(b) })
		}
		if len(q.Blogs) == 0 {
			return nil, nil
		}
	}
	return v.Store.ListOutages(ctx, q)
}

// ListRemarks implements store.Remarks.
func (v visible) ListRemarks(ctx context.Context, q store.RemarkQuery) ([]record.Remark, error) {
	c := access.From(ctx)
	switch {
	case !c.Limited():
	case len(q.Blogs) == 0:
		q.Blogs = c.Blogs
	default:
		q.Blogs = slices.DeleteFunc(slices.Clone(q.Blogs), func(b check.BlogID) bool { return !c.Sees(b) })
	}
	if c.Limited() && len(q.Blogs) == 0 {
		return nil, nil
	}
	return v.Store.ListRemarks(ctx, q)
}

// ListIncidents implements store.Incidents: an incident has sites of all blogs.
func (v visible) ListIncidents(ctx context.Context, before int64, limit int, openOnly bool) ([]incident.Incident, error) {
	if access.From(ctx).Limited() {
		return nil, nil
	}
	return v.Store.ListIncidents(ctx, before, limit, openOnly)
}

// Incident implements store.Incidents.
func (v visible) Incident(ctx context.Context, id int64) (incident.Incident, error) {
	if access.From(ctx).Limited() {
		return incident.Incident{}, fault.New(fault.NotFound, "there is no incident %d", id)
	}
	return v.Store.Incident(ctx, id)
}

// ListBallots implements store.History.
func (v visible) ListBallots(ctx context.Context, id check.SiteID, limit int) ([]record.Ballot, error) {
	if access.From(ctx).Limited() {
		if _, err := v.Site(ctx, id); err != nil {
			return nil, err
		}
	}
	return v.Store.ListBallots(ctx, id, limit)
}

// Maintenance implements store.Maintenances. One of a tag or a host is of the sites of all blogs.
func (v visible) Maintenance(ctx context.Context, id int64) (record.Maintenance, error) {
	m, err := v.Store.Maintenance(ctx, id)
	if err != nil || !access.From(ctx).Limited() {
		return m, err
	}
	if m.Covers.SiteID != 0 {
		switch _, err := v.Site(ctx, m.Covers.SiteID); {
		case err == nil:
			return m, nil
		case !fault.Is(err, fault.NotFound):
			return record.Maintenance{}, err
		}
	}
	return record.Maintenance{}, fault.New(fault.NotFound, "there is no maintenance %d", id)
}

// ListMaintenances implements store.Maintenances.
func (v visible) ListMaintenances(ctx context.Context, q store.MaintenanceQuery) ([]record.Maintenance, error) {
	if c := access.From(ctx); c.Limited() {
		if q.Blogs = c.Blogs; len(q.Blogs) == 0 {
			return nil, nil
		}
	}
	return v.Store.ListMaintenances(ctx, q)
}

// UpdateMaintenance implements store.Maintenances. Of its own site a caller may make no
// maintenance of others.
func (v visible) UpdateMaintenance(ctx context.Context, id int64, edit func(record.Maintenance) (record.Maintenance, error),
	tell func(before, after record.Maintenance) record.Audit) (record.Maintenance, error) {
	if _, err := v.Maintenance(ctx, id); err != nil {
		return record.Maintenance{}, err
	}
	return v.Store.UpdateMaintenance(ctx, id, edit, tell)
}

// DeleteMaintenance implements store.Maintenances.
func (v visible) DeleteMaintenance(ctx context.Context, id int64, allow func(record.Maintenance) error, tell func(record.Maintenance) record.Audit) error {
	if _, err := v.Maintenance(ctx, id); err != nil {
		return err
	}
	return v.Store.DeleteMaintenance(ctx, id, allow, tell)
}

// BlogSettings implements store.Blogs.
func (v visible) BlogSettings(ctx context.Context, blog check.BlogID) (record.BlogSettings, error) {
	if !access.From(ctx).Sees(blog) {
		return record.BlogSettings{}, fault.New(fault.NotFound, "there is no blog %d", blog)
	}
	return v.Store.BlogSettings(ctx, blog)
}

// EditBlogSettings implements store.Blogs.
func (v visible) EditBlogSettings(ctx context.Context, blog check.BlogID, edit func(record.BlogSettings) (record.BlogSettings, error),
	tell func(before, after record.BlogSettings) record.Audit) (record.BlogSettings, error) {
	if err := mayPut(ctx, blog); err != nil {
		return record.BlogSettings{}, err
	}
	return v.Store.EditBlogSettings(ctx, blog, edit, tell)
}

// Pasts implements store.Blogs.
func (v visible) Pasts(ctx context.Context, ids []check.SiteID, since time.Time, f func(record.Past)) error {
	if access.From(ctx).Limited() {
		rows, err := v.SitesByID(ctx, ids)
		if err != nil {
			return err
		}
		ids = make([]check.SiteID, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
		}
	}
	return v.Store.Pasts(ctx, ids, since, f)
}

// AddSites implements store.Import. It tells nobody of a site in a blog that is not the
// caller's.
func (v visible) AddSites(ctx context.Context, sites []record.Site) ([]store.Added, error) {
	for _, site := range sites {
		if err := mayPut(ctx, site.BlogID); err != nil {
			return nil, err
		}
	}
	return v.Store.AddSites(ctx, sites)
}

// Checks, CheckDays, BucketDays and FleetDays implement store.Checks: a blob has the checks of
// sites of all blogs. Handlers ask package logbook, about sites that the caller sees.
func (v visible) Checks(ctx context.Context, buckets []check.BucketID, first, end history.Hour, f func(store.CheckRow) error) error {
	if err := mayReadBlobs(ctx); err != nil {
		return err
	}
	return v.Store.Checks(ctx, buckets, first, end, f)
}

// CheckDays implements store.Checks, as Checks does.
func (v visible) CheckDays(ctx context.Context, of store.DaySpan, parts []store.PartKey, f func(store.DayRow) error) error {
	if err := mayReadBlobs(ctx); err != nil {
		return err
	}
	return v.Store.CheckDays(ctx, of, parts, f)
}

// BucketDays implements store.Checks, as Checks does.
func (v visible) BucketDays(ctx context.Context, of store.DaySpan, bucket check.BucketID, f func(store.DayRow) error) error {
	if err := mayReadBlobs(ctx); err != nil {
		return err
	}
	return v.Store.BucketDays(ctx, of, bucket, f)
}

// FleetDays implements store.Checks, as Checks does.
func (v visible) FleetDays(ctx context.Context, first, end history.Day) ([]store.FleetRow, error) {
	if err := mayReadBlobs(ctx); err != nil {
		return nil, err
	}
	return v.Store.FleetDays(ctx, first, end)
}

func mayReadBlobs(ctx context.Context) error {
	if c := access.From(ctx); c.Limited() {
		return fault.New(fault.Denied, "%s may not read the checks of all blogs", c)
	}
	return nil
}

package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// The query of a site joins its legacy row with our own data about it.
const (
	siteColumns = `SELECT l.jetpack_monitor_site_id, l.blog_id, l.bucket_no, l.monitor_url,
	l.monitor_active, l.site_status, l.last_status_change, l.check_interval,
	s.settings, o.id, o.status, o.status_ms, o.url, w.site_id, ` + ownColumns
	legacyTable = " FROM jetpack_monitor_sites l"
	siteTables  = legacyTable + ownTables
	ownTables   = `
	LEFT JOIN jetmon_site_settings s ON s.site_id = l.jetpack_monitor_site_id
	LEFT JOIN jetmon_outages o ON o.open_site = l.jetpack_monitor_site_id
	LEFT JOIN jetmon_site_status w ON w.site_id = l.jetpack_monitor_site_id`
	// wholeColumns adds what callers of the API see and the engine does not need.
	wholeColumns = siteColumns + ", " + tagColumn
)

// maxPage bounds the rows of a page.
const maxPage = 10000

// defaultInterval stands for a check_interval of 0.
const defaultInterval = 5 * time.Minute

// siteRow holds the columns of one row of the legacy table, and what we keep about the site.
type siteRow struct {
	id, blog, bucket, active, status, interval number
	url                                        text
	changed                                    moment
	tags                                       text
	*ours
}

// ours holds the columns of our own tables about a site: its settings, its open outage and
// its newest status. Most sites have nothing there, so that a scan of millions of rows lets
// them share Store.nothing.
type ours struct {
	settings                          text
	outage, outageStatus, outageSince number
	outageURL                         text
	newest                            ownStatus
}

// columns returns where a row of siteColumns is scanned to.
func (r *siteRow) columns() []any {
	if r.ours == nil {
		r.ours = new(ours)
	}
	return append([]any{&r.id, &r.blog, &r.bucket, &r.url, &r.active, &r.status, &r.changed, &r.interval,
		&r.settings, &r.outage, &r.outageStatus, &r.outageSince, &r.outageURL, &r.newest.site}, r.newest.columns()...)
}

// whole returns where a row of wholeColumns is scanned to.
func (r *siteRow) whole() []any { return append(r.columns(), &r.tags) }

// site converts a row to a site, whatever the row contains.
func (s *Store) site(r *siteRow) record.Site {
	site := record.Site{
		ID: check.SiteID(r.id), BlogID: check.BlogID(r.blog), Bucket: check.BucketID(r.bucket), URL: string(r.url),
		Paused:   r.active != 1,
		Interval: min(time.Duration(r.interval), 255) * time.Minute,
		OutageID: int64(r.outage),
	}
	if site.Interval <= 0 {
		site.Interval = defaultInterval
	}
	now := s.recorded(r)
	site.Status, site.StatusSince = now.status, now.since
	if site.Inherited = r.inherits(now.status); site.Inherited {
		site.OutageID = 0
	}
	if now.byRow && (now.status != check.StatusRunning || r.own()) {
		site.Ours = s.oursOf(r, now)
	}
	if r.untold() {
		site.Untold = s.knownOf(r)
	}
	if r.settings != "" {
		kept := s.settings(site.ID, r.settings)
		site.Settings, site.PublicBadges = kept.Settings, kept.PublicBadges
	}
	site.Tags = r.sortedTags()
	return site
}

// settings is the text of a site's settings: how to check it, and what nodes need not know.
type settings struct {
	check.Settings
	PublicBadges bool `json:"public_badges,omitempty"`
}

// settings parses the settings, which few sites have. It is a function of its own so that
// site, which runs millions of times when a coordinator starts, allocates nothing.
func (s *Store) settings(of check.SiteID, text text) (out settings) {
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		s.log.Warn("settings unreadable, defaults used", "site_id", of, "error", err)
		return settings{}
	}
	return out
}

// legacyStatus treats every status that v1 does not have as running.
func legacyStatus(n number) check.Status {
	switch n {
	case number(check.StatusDown):
		return check.StatusDown
	case number(check.StatusConfirmedDown):
		return check.StatusConfirmedDown
	default:
		return check.StatusRunning
	}
}

// Site implements store.Sites.
func (s *Store) Site(ctx context.Context, id check.SiteID) (record.Site, error) {
	found, err := s.listSites(ctx, 1, siteTables+" WHERE l.jetpack_monitor_site_id = ?", id)
	if err != nil {
		return record.Site{}, err
	}
	if len(found) == 0 {
		return record.Site{}, noSite(id)
	}
	return found[0], nil
}

func noSite(id check.SiteID) error {
	return fault.New(fault.NotFound, "there is no site %d", id)
}

// SitesByID implements store.Sites.
func (s *Store) SitesByID(ctx context.Context, ids []check.SiteID) ([]record.Site, error) {
	if len(ids) > maxPage {
		return nil, fault.InvalidField("site_ids", "must be at most %d, are %d", maxPage, len(ids))
	}
	distinct := slices.Compact(slices.Sorted(slices.Values(ids)))
	args := make([]any, len(distinct))
	for i, id := range distinct {
		args[i] = id
	}
	var found []record.Site
	err := inParts(args, func(part []any) error {
		sites, err := s.listSites(ctx, len(part), siteTables+" WHERE l.jetpack_monitor_site_id IN "+marks(len(part)), part...)
		found = append(found, sites...)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b record.Site) int { return cmp.Compare(a.ID, b.ID) })
	return found, nil
}

// likelyRows is for how many rows memory is reserved: a caller who takes as many as there are
// nearly always gets a few.
const likelyRows = 100

func (s *Store) listSites(ctx context.Context, most int, from string, args ...any) ([]record.Site, error) {
	var row siteRow
	read := func(ctx context.Context, db *sql.DB) ([]record.Site, error) {
		return appendRows(ctx, make([]record.Site, 0, min(most, likelyRows)), db, func(rows *sql.Rows) (record.Site, error) {
			if err := rows.Scan(row.whole()...); err != nil {
				return record.Site{}, err
			}
			return s.site(&row), nil
		}, wholeColumns+from, args...)
	}
	sites, err := laxlyBy(ctx, s, read)
	if err != nil {
		return nil, s.fault("read sites", err)
	}
	return sites, nil
}

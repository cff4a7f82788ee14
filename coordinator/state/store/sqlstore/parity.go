package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"math"
	"slices"

	"github.com/Automattic/jetmon/coordinator/rules/parity"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// ScanParity implements store.Handover. Each page of the table is of one moment.
func (s *Store) ScanParity(ctx context.Context, f func([]parity.Site) error) error {
	leases, err := s.ListShards(ctx)
	if err != nil {
		return err
	}
	var trials [shard.Count]shard.Trial
	began := int64(math.MaxInt64)
	for _, l := range leases {
		if l.Trial.Sample != 0 && l.Shard < shard.Count {
			trials[l.Shard], began = l.Trial, min(began, toMillis(l.Trial.Since))
		}
	}
	for after := int64(0); ; {
		sites, last, err := s.parityPage(ctx, after, began, &trials)
		if err != nil {
			return s.fault("compare sites", err)
		}
		if len(sites) > 0 {
			if err := f(sites); err != nil {
				return err
			}
		}
		if last == 0 {
			return nil
		}
		after = last
	}
}

// parityPage reads a page of sites after an id. last is 0 when there are no more.
func (s *Store) parityPage(ctx context.Context, after, began int64, trials *[shard.Count]shard.Trial) (sites []parity.Site, last int64, err error) {
	err = s.snapshot(ctx, func(each rowReader) error {
		rows, err := s.readRows(ctx, each, make([]siteRow, 0, scanPage), pageRows, after, math.MaxInt64, 0, check.Buckets-1, scanPage)
		if err != nil || len(rows) == 0 {
			return err
		}
		first, end := int64(rows[0].id), int64(rows[len(rows)-1].id)
		extras, err := s.readExtras(ctx, each, pageExtras, first, end)
		if err != nil {
			return err
		}
		s.join(rows, extras)
		if len(rows) == scanPage {
			last = end
		}
		sites = s.compared(rows, trials)
		return errors.Join(
			each(ctx, openCauses, []int64{first, end}, addCause(sites)),
			each(ctx, changesSince, []int64{first, end, began}, addChange(sites)),
		)
	})
	return sites, last, err
}

// compared converts the rows of shards on trial.
func (s *Store) compared(rows []siteRow, trials *[shard.Count]shard.Trial) []parity.Site {
	sites := make([]parity.Site, 0, len(rows))
	for i := range rows {
		r := &rows[i]
		bucket := check.BucketID(r.bucket)
		if bucket >= check.Buckets || trials[shard.Of(bucket)].Sample == 0 {
			continue
		}
		ours, v1 := s.verdict(r), r.legacy()
		sites = append(sites, parity.Site{
			ID: check.SiteID(r.id), BlogID: check.BlogID(r.blog), Bucket: bucket, URL: string(r.url), Interval: s.site(r).Interval,
			V1: parity.Side{Status: v1.status, Since: v1.since}, Ours: parity.Side{Status: ours.status, Since: ours.since},
			Trial: trials[shard.Of(bucket)],
		})
	}
	return sites
}

// findSite returns the site with an id in a list by rising id, nil if there is none.
func findSite(sites []parity.Site, id number) *parity.Site {
	i, found := slices.BinarySearchFunc(sites, check.SiteID(id), func(s parity.Site, id check.SiteID) int { return int(s.ID - id) })
	if !found {
		return nil
	}
	return &sites[i]
}

// openCauses selects the causes of the open outages of a range of sites, changesSince the
// changes since a moment.
const (
	openCauses   = "SELECT open_site, failure, reason, http_status FROM jetmon_outages WHERE open_site BETWEEN ? AND ?"
	changesSince = "SELECT site_id, to_status, at_ms FROM jetmon_transitions WHERE site_id BETWEEN ? AND ? AND at_ms >= ?"
)

// addCause returns what adds a row of openCauses to its site.
func addCause(sites []parity.Site) func([]driver.Value) error {
	return func(v []driver.Value) error {
		var id, failure, status number
		var reason text
		err := errors.Join(id.Scan(v[0]), failure.Scan(v[1]), reason.Scan(v[2]), status.Scan(v[3]))
		if site := findSite(sites, id); site != nil {
			site.Cause = parity.Cause{Failure: check.FailureKind(failure), Reason: string(reason), HTTPStatus: int(status)}
		}
		return err
	}
}

// addChange returns what adds a row of changesSince to its site.
func addChange(sites []parity.Site) func([]driver.Value) error {
	return func(v []driver.Value) error {
		var id, to, at number
		err := errors.Join(id.Scan(v[0]), to.Scan(v[1]), at.Scan(v[2]))
		if site := findSite(sites, id); site != nil {
			site.Changes = append(site.Changes, parity.Side{Status: check.Status(to), Since: fromMillis(int64(at))})
		}
		return err
	}
}

package sqlstore

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
)

// scanChunk is how many sites ScanBucket hands over at once.
const scanChunk = 500

// The rows of a bucket, and what more there is to say of few of them. That is quicker
// than looking for settings and outages row by row: both go at the same time, and the
// engine may begin with whichever table is the smallest.
const (
	// Adding 0 keeps the engine from walking the whole table in the order of its ids.
	bucketOrder = ` FROM jetpack_monitor_sites l WHERE l.bucket_no = ? AND l.monitor_active = 1
	ORDER BY l.jetpack_monitor_site_id + 0`
	bucketRows  = "SELECT l.jetpack_monitor_site_id, l.blog_id, l.monitor_url, l.check_interval"
	bucketState = ", l.site_status, l.last_status_change"

	more = `SELECT l.jetpack_monitor_site_id, s.settings, NULL, NULL, NULL, NULL FROM jetpack_monitor_sites l
	JOIN jetmon_site_settings s ON s.site_id = l.jetpack_monitor_site_id WHERE l.bucket_no = ? AND l.monitor_active = 1
	UNION ALL
	SELECT l.jetpack_monitor_site_id, NULL, o.id, o.status, o.status_ms, NULL FROM jetpack_monitor_sites l
	JOIN jetmon_outages o ON o.open_site = l.jetpack_monitor_site_id WHERE l.bucket_no = ? AND l.monitor_active = 1`
	moreEnds = `
	UNION ALL
	SELECT l.jetpack_monitor_site_id, NULL, NULL, NULL, NULL, MAX(o.end_ms) FROM jetpack_monitor_sites l
	JOIN jetmon_outages o ON o.site_id = l.jetpack_monitor_site_id WHERE l.bucket_no = ? AND l.monitor_active = 1
	GROUP BY l.jetpack_monitor_site_id`
)

// ScanBucket implements store.Sites.
//
// It reads the bucket before it calls f, so that a slow f keeps nothing open in the
// database. It needs no transaction: what we know of the sites beside their legacy rows
// comes from one statement, hence from one moment. Only a status that comes from the
// legacy row itself is of another moment, and that matters when a commit came between:
//   - running, without an open outage: at the one moment it was running, at the other
//     it had no outage; a commit between would have left it one or the other.
//   - any status, with an open outage: the outage outweighs it, as of its moment.
//   - down, without an open outage: perhaps the outage was just opened, or closed. Such
//     sites, which otherwise are those that somebody else called down, are read again,
//     each in one statement with all that is its own.
func (s *Store) ScanBucket(ctx context.Context, bucket check.BucketID, f func([]store.Site) error) error {
	rows, err := s.bucket(ctx, bucket)
	if err != nil {
		return s.fault(fmt.Sprintf("read bucket %d", bucket), err)
	}
	again, err := s.readAgain(ctx, rows)
	if err != nil {
		return err
	}
	chunk := make([]store.Site, 0, min(len(rows), scanChunk))
	for i := range rows {
		site := s.site(&rows[i])
		if s.doubtful(&rows[i]) {
			var there bool
			if site, there = again[site.ID]; !there || site.Paused || site.Bucket != bucket {
				continue
			}
		}
		if chunk = append(chunk, site); len(chunk) == scanChunk {
			if err := f(chunk); err != nil {
				return err
			}
			chunk = chunk[:0]
		}
	}
	if len(chunk) > 0 {
		return f(chunk)
	}
	return nil
}

// extra is what we know of a site beside its legacy row.
type extra struct {
	id, outage, outageStatus, outageSince, closed number
	settings                                      text
}

// bucket reads the active rows of a bucket by rising id, with all that belongs to them.
func (s *Store) bucket(ctx context.Context, bucket check.BucketID) (rows []siteRow, err error) {
	query, ends, args := bucketRows+bucketOrder, moreEnds, []int64{int64(bucket), int64(bucket), int64(bucket)}
	if s.legacyWrites {
		query, ends, args = bucketRows+bucketState+bucketOrder, "", args[:2]
	}
	var extras []extra
	var group errgroup.Group
	group.Go(func() error {
		return s.each(ctx, more+ends, args, func(v []driver.Value) error {
			var x extra
			err := errors.Join(x.id.Scan(v[0]), x.settings.Scan(v[1]), x.outage.Scan(v[2]), x.outageStatus.Scan(v[3]),
				x.outageSince.Scan(v[4]), x.closed.Scan(v[5]))
			extras = append(extras, x)
			return err
		})
	})
	group.Go(func() error {
		return s.each(ctx, query, args[:1], func(v []driver.Value) error {
			r := siteRow{bucket: number(bucket), active: 1}
			err := errors.Join(r.id.Scan(v[0]), r.blog.Scan(v[1]), r.url.Scan(v[2]), r.interval.Scan(v[3]))
			if len(v) > 4 {
				err = errors.Join(err, r.status.Scan(v[4]), r.changed.Scan(v[5]))
			}
			if r.id != 0 { // else it is no int64
				rows = append(rows, r)
			}
			return err
		})
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, x := range extras {
		i, found := slices.BinarySearchFunc(rows, x.id, func(r siteRow, id number) int { return cmp.Compare(r.id, id) })
		if !found {
			continue // it was not there, or not active, when the rows were read
		}
		switch r := &rows[i]; {
		case x.settings != "":
			r.settings = x.settings
		case x.outage != 0:
			r.outage, r.outageStatus, r.outageSince = x.outage, x.outageStatus, x.outageSince
		default:
			r.closed = x.closed
		}
	}
	return rows, nil
}

// doubtful says whether a status may have changed between the two reads of bucket.
func (s *Store) doubtful(r *siteRow) bool {
	return s.legacyWrites && r.outage == 0 && legacyStatus(r.status) != check.StatusRunning
}

// readAgain reads the doubtful ones of a bucket.
func (s *Store) readAgain(ctx context.Context, rows []siteRow) (map[check.SiteID]store.Site, error) {
	var ids []any
	for i := range rows {
		if s.doubtful(&rows[i]) {
			ids = append(ids, int64(rows[i].id))
		}
	}
	again := make(map[check.SiteID]store.Site, len(ids))
	return again, inParts(ids, func(part []any) error {
		sites, err := s.listSites(ctx, len(part), " WHERE l.jetpack_monitor_site_id IN "+marks(len(part)), part...)
		for _, site := range sites {
			again[site.ID] = site
		}
		return err
	})
}

// each runs a query and hands f every row as the driver has it, valid only during the
// call. database/sql would spend as much on a row as the driver does, most of it on
// finding out what each destination is.
func (s *Store) each(ctx context.Context, query string, args []int64, f func([]driver.Value) error) error {
	conn, err := s.reader.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	named := make([]driver.NamedValue, len(args))
	for i, v := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return conn.Raw(func(c any) error {
		rows, err := c.(driver.QueryerContext).QueryContext(ctx, query, named)
		if err != nil {
			return err
		}
		defer rows.Close()
		values := make([]driver.Value, len(rows.Columns()))
		for {
			err := rows.Next(values)
			if err == nil {
				err = f(values)
			}
			switch {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
		}
	})
}

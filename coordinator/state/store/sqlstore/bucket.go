package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// scanChunk is the number of sites that a scan passes on at once.
	scanChunk = 500
	// scanPage is the number of rows of one page in the order of the table.
	scanPage = 20000
	// manyBuckets is the number of buckets from which on reading the whole table in its own
	// order is faster than following an index to each of their rows.
	manyBuckets = check.Buckets / 4
)

// scanRows selects the columns that are read from the legacy table.
const scanRows = `SELECT l.jetpack_monitor_site_id, l.bucket_no, l.blog_id, l.monitor_url, l.check_interval,
	l.site_status, l.last_status_change`

// Our own data about a site is of three kinds. All are selected with the columns of the kind
// that has the most.
const (
	extraSettings = iota
	extraOutage
	extraStatus
	noValues  = ", 0, 0, 0, 0, 0, 0, 0, 0"
	ofOutage  = ", 1, o.url, o.id, o.status, o.status_ms, 0, 0, 0, 0, 0"
	ofStatus  = ", 2, NULL, " + ownColumns
	ofSetting = ", 0, s.settings" + noValues
	// statusMatters selects, where we write the legacy row, the statuses that differ from it,
	// and those that are inherited.
	statusMatters = " AND (w.untold <> 0 OR w.row_ms <> w.status_ms OR w.outage_id = 0 AND w.status <> 1)"
)

// One bucket is read by its index. The few sites for which we have data of our own come from
// a second statement, which is faster than a lookup for each row: both run at the same time,
// and the engine may start with the smallest table.
const (
	// Adding 0 keeps the engine from walking the whole table in the order of its ids.
	bucketRows = ` FROM jetpack_monitor_sites l WHERE l.bucket_no = ? AND l.monitor_active = 1
	ORDER BY l.jetpack_monitor_site_id + 0`
	bucketExtras = `SELECT l.jetpack_monitor_site_id` + ofSetting + ` FROM jetpack_monitor_sites l
	JOIN jetmon_site_settings s ON s.site_id = l.jetpack_monitor_site_id WHERE l.bucket_no = ? AND l.monitor_active = 1
	UNION ALL
	SELECT l.jetpack_monitor_site_id` + ofOutage + ` FROM jetpack_monitor_sites l
	JOIN jetmon_outages o ON o.open_site = l.jetpack_monitor_site_id WHERE l.bucket_no = ? AND l.monitor_active = 1
	UNION ALL
	SELECT l.jetpack_monitor_site_id` + ofStatus + ` FROM jetpack_monitor_sites l
	JOIN jetmon_site_status w ON w.site_id = l.jetpack_monitor_site_id WHERE l.bucket_no = ? AND l.monitor_active = 1`
)

// Many buckets are read in pages in the order of the table, each with our own data about all
// ids that the page spans.
const (
	// Adding 0 keeps the engine from the index on buckets.
	pageRows = ` FROM jetpack_monitor_sites l WHERE l.jetpack_monitor_site_id > ? AND l.jetpack_monitor_site_id <= ?
	AND l.bucket_no + 0 BETWEEN ? AND ? AND l.monitor_active = 1 ORDER BY l.jetpack_monitor_site_id LIMIT ?`
	pageExtras = `SELECT s.site_id` + ofSetting + ` FROM jetmon_site_settings s WHERE s.site_id BETWEEN ? AND ?
	UNION ALL
	SELECT o.open_site` + ofOutage + ` FROM jetmon_outages o WHERE o.open_site BETWEEN ? AND ?
	UNION ALL
	SELECT w.site_id` + ofStatus + ` FROM jetmon_site_status w WHERE w.site_id BETWEEN ? AND ?`
)

// A scan reads a chunk completely before it calls f, so that a slow f keeps nothing open in
// the database. It needs no transaction: our own data about the sites comes from one
// statement, hence from one moment. Only a status from the legacy row itself is of another
// moment, and that matters when a commit came between and wrote the row:
//   - running, without an open outage: it was running at the one moment and had no outage at
//     the other; a commit between them would have changed one of the two.
//   - any status, with an open outage: the outage overrides the status, as of its moment.
//   - down, without an open outage: perhaps the outage was just opened or closed. Such sites,
//     which otherwise are those that another program called down, are read again, each in
//     one statement with all its data.

// scanBucket scans one bucket.
func (s *Store) scanBucket(ctx context.Context, bucket check.BucketID, f func([]record.Site) error) error {
	var rows []siteRow
	var extras []extra
	var both errgroup.Group
	both.Go(func() (err error) {
		rows, err = s.readRows(ctx, s.each, nil, bucketRows, int64(bucket))
		return err
	})
	both.Go(func() (err error) {
		extras, err = s.readExtras(ctx, s.each, bucketExtras, int64(bucket))
		return err
	})
	if err := both.Wait(); err != nil {
		return s.fault(fmt.Sprintf("read bucket %d", bucket), err)
	}
	s.join(rows, extras)
	return s.handOver(ctx, rows, func(x record.Site) bool { return !x.Paused && x.Bucket == bucket }, f)
}

// ScanBuckets implements store.Sites.
func (s *Store) ScanBuckets(ctx context.Context, first, last check.BucketID, f func([]record.Site) error) error {
	if first > last || last >= check.Buckets {
		return fault.New(fault.Invalid, "buckets %d to %d are no range of 0 to %d", first, last, check.Buckets-1)
	}
	if last-first+1 < manyBuckets {
		for b := first; b <= last; b++ {
			if err := s.scanBucket(ctx, b, f); err != nil {
				return err
			}
		}
		return nil
	}
	return s.scanTable(ctx, first, last, f)
}

// scanTable reads the two halves of the table at once, each in its own order, and prefetches
// pages while f works on one.
func (s *Store) scanTable(ctx context.Context, first, last check.BucketID, f func([]record.Site) error) error {
	var middle number
	// Of both in one query SQLite reads the whole table.
	const query = `SELECT (SELECT MIN(l.jetpack_monitor_site_id) FROM jetpack_monitor_sites l),
	(SELECT MAX(l.jetpack_monitor_site_id) FROM jetpack_monitor_sites l)`
	err := s.each(ctx, query, nil, func(v []driver.Value) error {
		var low, high number
		err := errors.Join(low.Scan(v[0]), high.Scan(v[1]))
		middle = low + (high-low)/2
		return err
	})
	if err != nil {
		return s.fault("find the middle of the table", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	full, empty := make(chan []siteRow), make(chan []siteRow, 4)
	for range cap(empty) {
		empty <- make([]siteRow, 0, scanPage)
	}
	readers, reading := errgroup.WithContext(ctx)
	for _, half := range []record.Span{{First: 1, Last: check.SiteID(middle)}, {First: check.SiteID(middle) + 1, Last: math.MaxInt64}} {
		readers.Go(func() error { return s.readPages(reading, half, buckets{first, last}, pages{full, empty}) })
	}
	var reader errgroup.Group
	reader.Go(func() error {
		defer close(full)
		return readers.Wait()
	})
	wanted := func(x record.Site) bool { return !x.Paused && first <= x.Bucket && x.Bucket <= last }
	for rows := range full {
		if err = s.handOver(ctx, rows, wanted, f); err != nil {
			stop()
			break
		}
		empty <- rows
	}
	if read := reader.Wait(); err == nil && read != nil {
		err = s.fault(fmt.Sprintf("read buckets %d to %d", first, last), read)
	}
	return err
}

// buckets is a range of buckets, both included.
type buckets struct{ first, last check.BucketID }

// pages circulate: readers take empty ones and send full ones.
type pages struct {
	full  chan<- []siteRow
	empty <-chan []siteRow
}

// readPages reads a span into empty pages until there are no more rows or ctx ends.
func (s *Store) readPages(ctx context.Context, span record.Span, of buckets, turn pages) error {
	for after := int64(span.First) - 1; ; {
		var rows []siteRow
		select {
		case rows = <-turn.empty:
		case <-ctx.Done():
			return ctx.Err()
		}
		rows, err := s.readRows(ctx, s.each, rows[:0], pageRows, after, int64(span.Last), int64(of.first), int64(of.last), scanPage)
		if err != nil || len(rows) == 0 {
			return err
		}
		end := int64(rows[len(rows)-1].id)
		extras, err := s.readExtras(ctx, s.each, pageExtras, after+1, end)
		if err != nil {
			return err
		}
		s.join(rows, extras)
		more := len(rows) == scanPage
		select {
		case turn.full <- rows:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !more {
			return nil
		}
		after = end
	}
}

// readRows reads active legacy rows by rising id, and appends them.
func (s *Store) readRows(ctx context.Context, each rowReader, rows []siteRow, from string, args ...int64) ([]siteRow, error) {
	err := each(ctx, scanRows+from, args, func(v []driver.Value) error {
		r := siteRow{active: 1, ours: s.nothing}
		err := errors.Join(r.id.Scan(v[0]), r.bucket.Scan(v[1]), r.blog.Scan(v[2]), r.url.Scan(v[3]), r.interval.Scan(v[4]),
			r.status.Scan(v[5]), r.changed.Scan(v[6]))
		if r.id != 0 { // else it is no int64
			rows = append(rows, r)
		}
		return err
	})
	return rows, err
}

// extra is one row of our own data about a site.
type extra struct {
	id, kind number
	text     text // the settings, or the URL of the outage
	values   [8]number
}

// readExtras reads extras; args are the arguments of each SELECT of the query.
func (s *Store) readExtras(ctx context.Context, each rowReader, query string, args ...int64) (extras []extra, err error) {
	if s.legacyWrites {
		query += statusMatters
	}
	err = each(ctx, query, slices.Repeat(args, 3), func(v []driver.Value) error {
		var x extra
		err := errors.Join(x.id.Scan(v[0]), x.kind.Scan(v[1]), x.text.Scan(v[2]))
		for i := range x.values {
			err = errors.Join(err, x.values[i].Scan(v[3+i]))
		}
		extras = append(extras, x)
		return err
	})
	return extras, err
}

// join adds extras to the rows of their sites. The rows are sorted by id.
func (s *Store) join(rows []siteRow, extras []extra) {
	for _, x := range extras {
		i, found := slices.BinarySearchFunc(rows, x.id, func(r siteRow, id number) int { return cmp.Compare(r.id, id) })
		if !found {
			continue // in another bucket, paused, or not there at that moment
		}
		r, v := &rows[i], x.values
		if r.ours == s.nothing {
			r.ours = new(ours)
		}
		switch x.kind {
		case extraSettings:
			r.settings = x.text
		case extraOutage:
			r.outage, r.outageStatus, r.outageSince, r.outageURL = v[0], v[1], v[2], x.text
		case extraStatus:
			r.newest = ownStatus{x.id, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]}
		}
	}
}

// handOver converts rows to sites and calls f with chunks of them. It reads doubtful rows
// again, and leaves them out if they are no longer wanted.
func (s *Store) handOver(ctx context.Context, rows []siteRow, wanted func(record.Site) bool, f func([]record.Site) error) error {
	again, err := s.readAgain(ctx, rows)
	if err != nil {
		return err
	}
	chunk := make([]record.Site, 0, min(len(rows), scanChunk))
	for i := range rows {
		site := s.site(&rows[i])
		if s.doubtful(&rows[i]) {
			if site = again[site.ID]; site.ID == 0 || !wanted(site) {
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
	if len(chunk) == 0 {
		return nil
	}
	return f(chunk)
}

// doubtful reports whether the parts of a status may be from different moments.
func (s *Store) doubtful(r *siteRow) bool {
	return s.legacyWrites && r.outage == 0 && legacyStatus(r.status) != check.StatusRunning
}

// readAgain reads the sites of the doubtful rows.
func (s *Store) readAgain(ctx context.Context, rows []siteRow) (map[check.SiteID]record.Site, error) {
	var ids []any
	for i := range rows {
		if s.doubtful(&rows[i]) {
			ids = append(ids, int64(rows[i].id))
		}
	}
	again := make(map[check.SiteID]record.Site, len(ids))
	err := inParts(ids, func(part []any) error {
		sites, err := s.listSites(ctx, len(part), siteTables+" WHERE l.jetpack_monitor_site_id IN "+marks(len(part)), part...)
		for _, site := range sites {
			again[site.ID] = site
		}
		return err
	})
	return again, err
}

// each runs a query and passes f the driver's values of every row, valid only during the
// call. database/sql would double the cost of a row, mostly by examining the type of each
// destination.
func (s *Store) each(ctx context.Context, query string, args []int64, f func([]driver.Value) error) error {
	conn, err := s.reader.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return each(ctx, conn, query, args, f)
}

func each(ctx context.Context, conn *sql.Conn, query string, args []int64, f func([]driver.Value) error) error {
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

package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// Remark implements store.Remarks.
func (s *Store) Remark(ctx context.Context, f shard.Fence, changes []record.Remark) error {
	if err := checkRemarks(f, changes); err != nil || len(changes) == 0 {
		return err
	}
	err := s.write(ctx, func(t txn) error {
		if err := fence(t, f); err != nil {
			return err
		}
		group, err := t.remarked(changes)
		if err != nil || len(group) == 0 {
			return err
		}
		if err := takePlaces(t, group); err != nil {
			return err
		}
		events := make([]event.Event, len(group))
		for i, e := range group {
			e.event.Sequence, e.event.Site.Tags = e.place.next, e.tags
			events[i] = e.event
		}
		_, err = t.publish(f, events)
		return err
	})
	if err != nil {
		return s.fault(fmt.Sprintf("write %d remarks about sites of shard %d", len(changes), f.Shard), err)
	}
	return nil
}

// checkRemarks refuses changes that are invalid in every state of the database.
func checkRemarks(f shard.Fence, changes []record.Remark) error {
	if len(changes) > maxGroup {
		return fault.New(fault.Invalid, "%d remarks are more than %d", len(changes), maxGroup)
	}
	seen := make(map[check.SiteID]bool, len(changes))
	for _, r := range changes {
		if err := checkFence(f, r.Bucket); err != nil {
			return err
		}
		if seen[r.SiteID] || r.SiteID <= 0 {
			return fault.New(fault.Invalid, "there are several remarks about site %d, or it is none", r.SiteID)
		}
		seen[r.SiteID] = true
	}
	return nil
}

// remarked writes the changes that say something new, and returns an entry for each, with its
// event and its place among the changes of its site.
func (t txn) remarked(changes []record.Remark) ([]*entry, error) {
	ids := make([]any, len(changes))
	for i, r := range changes {
		ids[i] = r.SiteID
	}
	open, err := t.openRemarks(ids)
	if err != nil {
		return nil, err
	}
	places, err := t.placesOf(ids)
	if err != nil {
		return nil, err
	}
	var group []*entry
	var added []record.Remark
	for _, r := range changes {
		was, isOpen := open[r.Mark()]
		if isOpen == r.Open {
			continue
		}
		if isOpen {
			// The row knows more of a site that is gone.
			r.BlogID, r.URL, r.Tags, r.Detail, r.CertificateExpire = was.BlogID, was.URL, was.Tags, was.Detail, was.CertificateExpire
			if _, err := t.exec("DELETE FROM jetmon_advisories WHERE site_id = ? AND advisory = ?", r.SiteID, r.Advisory); err != nil {
				return nil, err
			}
		} else {
			added = append(added, r)
			was = r
		}
		group = append(group, &entry{
			Change: record.Change{SiteID: r.SiteID}, place: places[r.SiteID], event: event.OfRemark(r, was.At),
		})
	}
	if err := t.readTags(group); err != nil {
		return nil, err
	}
	tags := make(map[check.SiteID][]string, len(group))
	for _, e := range group {
		if len(e.tags) == 0 {
			e.tags = e.event.Site.Tags // the site is gone
		}
		tags[e.SiteID] = e.tags
	}
	rows := make([][]any, len(added))
	for i, r := range added {
		rows[i] = []any{r.SiteID, r.Advisory, r.BlogID, r.Bucket, clip(r.URL, 1024), toMillis(r.At),
			toMillis(r.CertificateExpire), clip(r.Detail, 255), strings.Join(tags[r.SiteID], tagSeparator)}
	}
	return group, t.insertRows(`INSERT INTO jetmon_advisories
	(site_id, advisory, blog_id, bucket, url, open_ms, expire_ms, detail, tags) VALUES `, rows)
}

const remarkColumns = `SELECT a.site_id, a.advisory, a.blog_id, a.bucket, a.url, a.open_ms, a.expire_ms, a.detail, a.tags
	FROM jetmon_advisories a`

func scanRemark(rows *sql.Rows) (r record.Remark, err error) {
	var at, expire int64
	var tags string
	err = rows.Scan(&r.SiteID, &r.Advisory, &r.BlogID, &r.Bucket, &r.URL, &at, &expire, &r.Detail, &tags)
	if tags != "" {
		r.Tags = strings.Split(tags, tagSeparator)
	}
	r.Open, r.At, r.CertificateExpire = true, fromMillis(at), fromMillis(expire)
	return r, err
}

func (t txn) openRemarks(sites []any) (map[record.RemarkMark]record.Remark, error) {
	rows, err := t.tx.QueryContext(t.ctx, remarkColumns+" WHERE a.site_id IN "+marks(len(sites)), sites...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	open := map[record.RemarkMark]record.Remark{}
	for rows.Next() {
		r, err := scanRemark(rows)
		if err != nil {
			return nil, err
		}
		open[r.Mark()] = r
	}
	return open, rows.Err()
}

// placesOf returns the next places of sites, whether or not they have a row.
func (t txn) placesOf(sites []any) (map[check.SiteID]placing, error) {
	var last, highest = map[int64]number{}, map[int64]number{}
	for query, into := range map[string]map[int64]number{
		"SELECT site_id, last_seq FROM jetmon_site_order WHERE site_id IN ":                    last,
		"SELECT site_id, MAX(id) FROM jetmon_transitions WHERE site_id IN {} GROUP BY site_id": highest,
	} {
		in := marks(len(sites))
		if strings.Contains(query, "{}") {
			query, in = strings.Replace(query, "{}", in, 1), ""
		}
		rows, err := t.tx.QueryContext(t.ctx, query+in, sites...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var site int64
			var n number
			if err := rows.Scan(&site, &n); err != nil {
				rows.Close()
				return nil, err
			}
			into[site] = n
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	places := make(map[check.SiteID]placing, len(sites))
	for _, id := range sites {
		site := id.(check.SiteID)
		places[site] = placingAfter(last[int64(site)], highest[int64(site)])
	}
	return places, nil
}

// ShardRemarks implements store.Remarks.
func (s *Store) ShardRemarks(ctx context.Context, id shard.ID) ([]record.Remark, error) {
	doing := fmt.Sprintf("read the remarks about sites of shard %d", id)
	in, args := inShards("a.bucket", []shard.ID{id})
	all, err := list(ctx, s.reader, scanRemark, remarkColumns+" WHERE "+in, args...)
	if err != nil {
		return nil, s.fault(doing, err)
	}
	paused, err := list(ctx, s.reader, func(rows *sql.Rows) (id check.SiteID, err error) { return id, rows.Scan(&id) },
		`SELECT DISTINCT a.site_id FROM jetmon_advisories a
	JOIN jetpack_monitor_sites l ON l.jetpack_monitor_site_id = a.site_id WHERE l.monitor_active = 0 AND `+in, args...)
	if err != nil {
		return nil, s.fault(doing, err)
	}
	slices.Sort(paused)
	for i := range all {
		_, all[i].Paused = slices.BinarySearch(paused, all[i].SiteID)
	}
	return all, nil
}

// ListRemarks implements store.Remarks. Each page is a range of an index: of all remarks, of
// those of one kind, or of each blog.
func (s *Store) ListRemarks(ctx context.Context, q store.RemarkQuery) ([]record.Remark, error) {
	if q.Limit < 1 || q.Limit > maxPage {
		return nil, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxPage, q.Limit)
	}
	first, last := q.After.SiteID, check.SiteID(math.MaxInt64)
	if q.SiteID != 0 {
		if q.SiteID < q.After.SiteID {
			return nil, nil
		}
		first, last = q.SiteID, q.SiteID
	}
	where := " WHERE a.site_id >= ? AND a.site_id <= ? AND (a.site_id > ? OR a.advisory > ?)"
	args := []any{first, last, q.After.SiteID, q.After.Advisory}
	if q.Advisory != 0 {
		where, args = where+only("a.advisory"), append(args, q.Advisory, q.Advisory)
	}
	if len(q.Blogs) > 0 {
		where += " AND a.blog_id IN " + marks(len(q.Blogs))
		for _, b := range q.Blogs {
			args = append(args, b)
		}
	}
	page, err := list(ctx, s.reader, scanRemark, remarkColumns+where+" ORDER BY a.site_id, a.advisory LIMIT ?", append(args, q.Limit)...)
	if err != nil {
		return nil, s.fault("read remarks", err)
	}
	return page, nil
}

package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
)

// ListSites implements store.Sites.
func (s *Store) ListSites(ctx context.Context, q store.SiteQuery) ([]record.Site, error) {
	if q.Limit < 1 || q.Limit > maxPage {
		return nil, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxPage, q.Limit)
	}
	switch {
	case q.At != (record.Location{}):
	case q.Tag != "":
		return s.sitePage(ctx, q, tagged(q.Tag))
	default:
		return s.sitePage(ctx, q, condition{})
	}
	found, err := s.pagesAt(ctx, q, indexed(q.At))
	if err != nil {
		return nil, err
	}
	missing, err := s.unindexed(ctx)
	if err != nil || len(missing) == 0 {
		return found, err
	}
	if err := s.scans.take(ctx); err != nil {
		return nil, s.fault("wait for another search of the table", err)
	}
	defer s.scans.free()
	more, err := s.pagesAt(ctx, q, searched(q.At, missing))
	if err != nil {
		return nil, err
	}
	found = append(found, more...)
	slices.SortFunc(found, q.Compare)
	found = slices.CompactFunc(found, func(a, b record.Site) bool { return a.ID == b.ID })
	return found[:min(len(found), q.Limit)], nil
}

// condition is a way to find the sites of a page.
type condition struct {
	// from are the tables that lead to the legacy row l, "" for that one alone; where is what
	// they and the row must fit, beginning with AND.
	from, where string
	args        []any
	// key is the id by which the sites are ordered; "" is that of the legacy row. In an index it
	// follows the column that leads, if there is one.
	key, leads string
}

// only is a condition on the column that leads an index, for the same value twice. An equality
// would have MariaDB take all ids of the value, and walk past those of earlier pages.
func only(column string) string { return " AND " + column + " >= ? AND " + column + " <= ?" }

const toRow = " JOIN jetpack_monitor_sites l ON l.jetpack_monitor_site_id = "

// indexed finds sites by jetmon_site_hosts.
func indexed(at record.Location) condition {
	c := condition{from: " FROM jetmon_site_hosts h" + toRow + "h.site_id", key: "h.site_id"}
	if at.Page != "" {
		c.leads, c.args = "h.page", []any{pageHash(at.Page), pageHash(at.Page)}
	} else {
		c.leads, c.args = "h.host", []any{at.Host, at.Host}
	}
	c.where = only(c.leads)
	return c
}

// tagged finds sites by jetmon_site_tags.
func tagged(tag string) condition {
	return condition{from: " FROM jetmon_site_tags g" + toRow + "g.site_id", where: only("g.tag"), args: []any{tag, tag}, key: "g.site_id", leads: "g.tag"}
}

// searched finds sites of some shards by the text of their URLs, row by row.
func searched(at record.Location, shards []shard.ID) condition {
	in, args := inShards("l.bucket_no", shards)
	if len(shards) == shard.Count {
		in, args = "1 = 1", nil // rows of buckets that do not exist, too
	}
	return condition{where: " AND " + in + " AND LOWER(l.monitor_url) LIKE ? ESCAPE '!'", args: append(args, hostPattern(at.Host))}
}

// pagesAt reads the sites that fit q, by a condition that may select some that do not: its
// entries may be of an earlier URL, and a pattern is rough.
func (s *Store) pagesAt(ctx context.Context, q store.SiteQuery, c condition) (found []record.Site, err error) {
	return fitting(q, func(q store.SiteQuery) ([]record.Site, error) { return s.sitePage(ctx, q, c) })
}

// While few sites fit, fitting reads larger and larger pages, up to mostRead: a caller who
// asks for one site of a host with many, on a port that none has, costs no query a site.
const (
	readGrowth = 4
	mostRead   = 2000
)

// fitting reads pages until enough sites fit q.
func fitting(q store.SiteQuery, read func(store.SiteQuery) ([]record.Site, error)) (found []record.Site, err error) {
	for wanted := q.Limit; ; q.Limit = max(q.Limit, min(q.Limit*readGrowth, mostRead)) {
		page, err := read(q)
		if err != nil {
			return nil, err
		}
		for _, site := range page {
			if record.Locate(site.URL).Fits(q.At) {
				found = append(found, site)
			}
			if len(found) == wanted {
				return found, nil
			}
		}
		if len(page) < q.Limit {
			return found, nil
		}
		q.After = page[len(page)-1].ID
	}
}

// sitePage reads one page. The ids of the page come first, as a rule from an index alone, so
// that no row is read that is not on the page.
func (s *Store) sitePage(ctx context.Context, q store.SiteQuery, c condition) ([]record.Site, error) {
	const id = "l.jetpack_monitor_site_id"
	key := cmp.Or(c.key, id)
	beyond, direction := " > ?", ""
	if q.Descending {
		beyond, direction = " < ?", " DESC"
	}
	// The bound above excludes ids that do not fit an int64.
	where, args := " WHERE "+id+" <= 9223372036854775807", []any{}
	if q.After != 0 || !q.Descending {
		where, args = where+" AND "+key+beyond, append(args, q.After)
	}
	where, args = where+c.where, append(args, c.args...)
	order := key + direction
	if c.leads != "" {
		order = c.leads + direction + ", " + order
	}
	if q.BlogID != 0 {
		where, args = where+" AND l.blog_id = ?", append(args, q.BlogID)
	}
	if q.Bucket != nil {
		where, args = where+" AND l.bucket_no = ?", append(args, *q.Bucket)
	}
	if q.BlogID != 0 || q.Bucket != nil {
		// Adding 0 keeps the engine from walking the whole table in the order of its ids, to
		// avoid a sort, when the index on blogs or buckets leads to few rows.
		order = key + " + 0" + direction
	}
	if q.Tag != "" && c.leads != "g.tag" {
		where, args = where+" AND EXISTS (SELECT t.tag FROM jetmon_site_tags t WHERE t.site_id = "+id+" AND t.tag = ?)", append(args, q.Tag)
	}
	ids := "SELECT " + id + " AS site_id" + cmp.Or(c.from, legacyTable) + where + " ORDER BY " + order + " LIMIT ?"
	return s.listSites(ctx, q.Limit, " FROM ("+ids+") p"+toRow+"p.site_id"+ownTables+" ORDER BY p.site_id"+direction, append(args, q.Limit)...)
}

// hostPattern returns a LIKE pattern, with ! as its escape, that matches the URLs with this
// host, and some others. The table may have a name as it was before it was made ASCII, and an
// IPv6 address in another form; the engines do not agree on upper case beyond ASCII.
func hostPattern(host string) string {
	if strings.Contains(host, ":") {
		return "%[%"
	}
	labels := strings.Split(host, ".")
	for i, label := range labels {
		if labels[i] = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(label); strings.HasPrefix(label, "xn--") {
			labels[i] = "%"
		}
	}
	return "%" + strings.Join(labels, ".") + "%"
}

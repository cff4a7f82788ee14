package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

const blogSettings = "SELECT settings FROM jetmon_blog_settings WHERE blog_id = ?"

// BlogSettings implements store.Blogs.
func (s *Store) BlogSettings(ctx context.Context, blog check.BlogID) (record.BlogSettings, error) {
	found, err := list(ctx, s.reader, func(rows *sql.Rows) (text string, err error) {
		err = rows.Scan(&text)
		return text, err
	}, blogSettings, blog)
	if err != nil {
		return record.BlogSettings{}, s.fault(fmt.Sprintf("read the settings of blog %d", blog), err)
	}
	if len(found) == 0 {
		return record.BlogSettings{}, nil
	}
	return s.settingsOfBlog(blog, found[0]), nil
}

// settingsOfBlog parses the settings of a blog.
func (s *Store) settingsOfBlog(blog check.BlogID, text string) (b record.BlogSettings) {
	if text == "" {
		return b
	}
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		s.log.Warn("settings unreadable, defaults used", "blog_id", blog, "error", err)
		return record.BlogSettings{}
	}
	return b
}

// EditBlogSettings implements store.Blogs.
func (s *Store) EditBlogSettings(ctx context.Context, blog check.BlogID, edit func(record.BlogSettings) (record.BlogSettings, error),
	tell func(before, after record.BlogSettings) record.Audit) (after record.BlogSettings, err error) {
	var refused error
	err = s.edit(ctx, func(t txn) error {
		refused = nil
		if err := s.lockBlog(t, blog); err != nil {
			return err
		}
		var old string
		if _, err := t.find([]any{&old}, blogSettings, blog); err != nil {
			return err
		}
		before := s.settingsOfBlog(blog, old)
		if after, refused = edit(before); refused != nil {
			return refused
		}
		text, err := json.Marshal(after)
		if err != nil {
			return fault.New(fault.Internal, "write the settings of blog %d as JSON: %w", blog, err)
		}
		if same, err := json.Marshal(before); err == nil && string(same) == string(text) {
			return nil
		}
		if err := s.saveBlogSettings(t, blog, old, string(text)); err != nil {
			return err
		}
		return keepAudit(t, tell(before, after))
	})
	switch {
	case refused != nil:
		return record.BlogSettings{}, refused
	case err != nil:
		return record.BlogSettings{}, s.fault(fmt.Sprintf("edit the settings of blog %d", blog), err)
	}
	return after, nil
}

// saveBlogSettings replaces the text of settings that was read by another.
func (s *Store) saveBlogSettings(t txn, blog check.BlogID, old, text string) error {
	if old != "" {
		return t.update(1, "UPDATE jetmon_blog_settings SET settings = ? WHERE blog_id = ? AND settings = ?", text, blog, old)
	}
	_, err := t.exec("INSERT INTO jetmon_blog_settings (blog_id, settings) VALUES (?, ?)", blog, text)
	if s.isDuplicate(err) {
		err = errMoved
	}
	return err
}

// forgetBlog deletes what is kept of a blog that has no site any more.
func (t txn) forgetBlog(blog check.BlogID) error {
	var id number
	left, err := t.find([]any{&id}, "SELECT jetpack_monitor_site_id FROM jetpack_monitor_sites WHERE blog_id = ? LIMIT 1", blog)
	if err != nil || left {
		return err
	}
	var kept int64
	found, err := t.find([]any{&kept}, "SELECT blog_id FROM jetmon_blog_settings WHERE blog_id = ?", blog)
	if err != nil || !found { // to delete a row that is not there would lock its neighbours
		return err
	}
	_, err = t.exec("DELETE FROM jetmon_blog_settings WHERE blog_id = ?", blog)
	return err
}

const insertWatch = "INSERT INTO jetmon_site_watches (site_id, start_ms, end_ms) VALUES "

// startWatch notes that a site is checked from a time on.
func (t txn) startWatch(id check.SiteID, at time.Time) error {
	n, err := t.exec("UPDATE jetmon_site_watches SET end_ms = 0 WHERE site_id = ? AND start_ms = ?", id, toMillis(at))
	if err != nil || n > 0 {
		return err
	}
	return t.insertRows(insertWatch, [][]any{{id, toMillis(at), 0}})
}

// endWatch notes that a site is no longer checked. It was checked since nobody knows when if
// nothing else is on record.
func (t txn) endWatch(id check.SiteID, at time.Time) error {
	n, err := t.exec("UPDATE jetmon_site_watches SET end_ms = ? WHERE site_id = ? AND end_ms = 0", toMillis(at), id)
	if err != nil || n > 0 {
		return err
	}
	var stretches int
	if _, err = t.find([]any{&stretches}, "SELECT COUNT(*) FROM jetmon_site_watches WHERE site_id = ?", id); err != nil || stretches > 0 {
		return err
	}
	return t.insertRows(insertWatch, [][]any{{id, 0, toMillis(at)}})
}

// resetWatch forgets the past of an id, which a deleted site may have had, and starts anew.
func (t txn) resetWatch(site record.Site, at time.Time) error {
	if err := t.forget("jetmon_site_watches", []any{site.ID}); err != nil || site.Paused {
		return err
	}
	return t.startWatch(site.ID, at)
}

// stretch is a row of jetmon_site_watches.
type stretch struct {
	site check.SiteID
	span uptime.Span
}

func scanStretch(rows *sql.Rows) (w stretch, err error) {
	var start, end int64
	err = rows.Scan(&w.site, &start, &end)
	w.span = uptime.Span{Start: fromMillis(start), End: fromMillis(end)}
	return w, err
}

// Pasts implements store.Blogs.
func (s *Store) Pasts(ctx context.Context, ids []check.SiteID, since time.Time, f func(record.Past)) error {
	if len(ids) > store.MaxPasts {
		return fault.New(fault.Invalid, "the past of at most %d sites is read at once, not %d", store.MaxPasts, len(ids))
	}
	all := make([]any, len(ids))
	for i, id := range ids {
		all[i] = id
	}
	err := inParts(all, func(part []any) error { return s.pasts(ctx, part, since, f) })
	if err != nil {
		return s.fault("read the past of sites", err)
	}
	return nil
}

// pasts passes on the past of one part of the sites.
func (s *Store) pasts(ctx context.Context, ids []any, since time.Time, f func(record.Past)) error {
	watches, err := list(ctx, s.reader, scanStretch,
		"SELECT site_id, start_ms, end_ms FROM jetmon_site_watches WHERE site_id IN "+marks(len(ids))+" ORDER BY site_id, start_ms", ids...)
	if err != nil {
		return err
	}
	watched := map[check.SiteID][]uptime.Span{}
	for _, w := range watches {
		watched[w.site] = append(watched[w.site], w.span)
	}
	planned, err := s.planned(ctx, ids)
	if err != nil {
		return err
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT o.site_id, o.url, o.start_ms, o.confirmed_ms, o.end_ms, o.suspended_ms, o.paused_ms, o.maintenance_spans FROM jetmon_outages o
	WHERE o.site_id IN `+marks(len(ids))+" AND (o.end_ms = 0 OR o.end_ms > ?) ORDER BY o.site_id", append(slices.Clone(ids), toMillis(since))...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var p record.Past
	for rows.Next() {
		id, o, err := scanPastOutage(rows)
		if err != nil {
			return err
		}
		if id != p.SiteID {
			if p.SiteID != 0 {
				f(p)
			}
			p = record.Past{SiteID: id, Watched: watched[id]}
			delete(watched, id)
		}
		if o.End.IsZero() {
			o.Maintenance = planned.spans(openOutage{site: id, url: o.URL, start: o.Start})
		}
		p.Outages = append(p.Outages, o)
	}
	if p.SiteID != 0 && rows.Err() == nil {
		f(p)
	}
	for id, spans := range watched { // those without an outage
		f(record.Past{SiteID: id, Watched: spans})
	}
	return rows.Err()
}

func scanPastOutage(rows *sql.Rows) (id check.SiteID, o record.PastOutage, err error) {
	var start, confirmed, end, suspended, paused int64
	var spans text
	err = rows.Scan(&id, &o.URL, &start, &confirmed, &end, &suspended, &paused, &spans)
	o.Maintenance = parseSpans(string(spans))
	o.Start, o.Confirmed, o.End, o.Suspended = fromMillis(start), fromMillis(confirmed), fromMillis(end), fromMillis(suspended)
	o.PausedFor = time.Duration(paused) * time.Millisecond
	return id, o, err
}

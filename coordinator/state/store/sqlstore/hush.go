package sqlstore

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/maintenance"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/internal/check"
)

// hush finds out which changes happen in maintenance, as of this transaction: of those that open
// or confirm an outage nobody is told. Recoveries are told unless the change itself says otherwise.
func (s *Store) hush(t txn, group []*entry) error {
	for _, e := range group {
		e.hushed = e.Maintenance
	}
	if len(group) == 0 {
		return nil
	}
	c, err := s.calendar(t.ctx, t.tx, group[0].At)
	if err != nil {
		return err
	}
	for _, e := range group {
		if e.row.id == 0 {
			continue
		}
		w, ok := c.At(e.subject(), e.At)
		if !ok {
			continue
		}
		if e.window = w.MaintenanceID; e.hushed == 0 && !e.Muted && e.To != check.StatusRunning && !e.adopts() {
			e.hushed = w.MaintenanceID
		}
	}
	return s.recallOutages(t, c, group)
}

// subject is the site of a change as a calendar knows it.
func (e *entry) subject() maintenance.Subject {
	return maintenance.Subject{ID: e.SiteID, URL: string(e.row.url), Tags: e.tags}
}

// recallOutages finds out what there was of maintenance in the open outages.
func (s *Store) recallOutages(t txn, c *maintenance.Calendar, group []*entry) error {
	byID := map[int64]*entry{}
	var ids []any
	for _, e := range group {
		if e.open.id != 0 {
			byID[e.open.id], ids = e, append(ids, e.open.id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := t.tx.QueryContext(t.ctx, "SELECT id, start_ms, maintenance_id FROM jetmon_outages WHERE id IN "+marks(len(ids)), ids...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, start, began int64
		if err := rows.Scan(&id, &start, &began); err != nil {
			return err
		}
		e := byID[id]
		if e.began = began; e.To == check.StatusRunning {
			e.spans = c.Spans(e.subject(), fromMillis(start), e.At)
		}
	}
	return rows.Err()
}

// keepSpans writes when sites were in maintenance during outages that end.
func keepSpans(t txn, group []*entry) error {
	for _, e := range group {
		if len(e.spans) == 0 {
			continue
		}
		if err := t.update(1, "UPDATE jetmon_outages SET maintenance_spans = ? WHERE id = ?", spansText(e.spans), e.open.id); err != nil {
			return err
		}
	}
	return nil
}

// beginning is the maintenance during which the failure of a change began; 0 for none.
func (e *entry) beginning() int64 {
	if e.open.id != 0 && !e.opened {
		return e.began
	}
	return e.window
}

// openOutage is an outage that is open; its time in maintenance goes to spans.
type openOutage struct {
	site  check.SiteID
	url   string
	start time.Time
	spans *[]uptime.Span
}

// fillSpans works out when the sites of open outages were in maintenance up to now, as it is
// planned now.
func (s *Store) fillSpans(ctx context.Context, open []openOutage) error {
	if len(open) == 0 {
		return nil
	}
	ids := make([]any, len(open))
	for i, o := range open {
		ids[i] = o.site
	}
	planned, err := s.planned(ctx, ids)
	if err != nil {
		return err
	}
	for _, o := range open {
		*o.spans = planned.spans(o)
	}
	return nil
}

// planned is what is planned for some sites.
type planned struct {
	calendar *maintenance.Calendar
	now      time.Time
	tags     map[check.SiteID][]string
}

// planned reads what is planned for sites.
func (s *Store) planned(ctx context.Context, sites []any) (planned, error) {
	now := time.Now()
	c, err := s.calendar(ctx, s.reader, now)
	p := planned{calendar: c, now: now, tags: map[check.SiteID][]string{}}
	if err != nil || !c.NeedsTags() {
		return p, err
	}
	return p, inParts(sites, func(part []any) error { return s.tagsOf(ctx, part, p.tags) })
}

// spans returns when the site of an open outage was in maintenance up to now.
func (p planned) spans(o openOutage) []uptime.Span {
	return p.calendar.Spans(maintenance.Subject{ID: o.site, URL: o.url, Tags: p.tags[o.site]}, o.start, p.now)
}

// tagsOf reads the tags of sites into a map.
func (s *Store) tagsOf(ctx context.Context, ids []any, into map[check.SiteID][]string) error {
	rows, err := s.reader.QueryContext(ctx, "SELECT site_id, tag FROM jetmon_site_tags WHERE site_id IN "+marks(len(ids)), ids...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id check.SiteID
		var tag string
		if err := rows.Scan(&id, &tag); err != nil {
			return err
		}
		into[id] = append(into[id], tag)
	}
	return rows.Err()
}

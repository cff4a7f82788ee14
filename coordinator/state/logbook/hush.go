package logbook

import (
	"context"
	"slices"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/maintenance"
	"github.com/Automattic/jetmon/internal/check"
)

// isFailure reports whether a code is of a check that found a site down.
func isFailure(c history.Code) bool { return c == history.Failed || c == history.Blocked }

func anyFailed(s *history.Sheet) bool {
	return slices.ContainsFunc(s.Strips, func(x history.Strip) bool { return slices.ContainsFunc(x.Codes, isFailure) })
}

// perRead bounds the sites of one read.
const perRead = 2000

// hush turns the failures of sites that were in maintenance into history.Maintenance. Plans are
// edited later: what was planned when a check was made is known only now.
func (l *Logbook) hush(ctx context.Context, g *group) error {
	calendar, err := l.o.Store.Calendar(ctx, l.now())
	if err != nil {
		return err
	}
	if calendar.Empty() {
		return nil
	}
	for i := range g.rows {
		r := &g.rows[i]
		sheet := l.shelf.sheet(*r)
		if sheet == nil || !anyFailed(sheet) {
			continue
		}
		changed, err := l.hushSheet(ctx, calendar, sheet)
		if err != nil {
			return err
		}
		if !changed {
			continue
		}
		blob, err := l.shelf.pack(sheet)
		if err != nil {
			continue // it has become too large: it stays as it is
		}
		g.bytes += len(blob) - len(r.Blob)
		r.Blob = blob
	}
	g.failing = false
	return nil
}

func (l *Logbook) hushSheet(ctx context.Context, c *maintenance.Calendar, sheet *history.Sheet) (changed bool, err error) {
	failing := map[check.SiteID][]*history.Strip{}
	var ids []check.SiteID
	for i := range sheet.Strips {
		x := &sheet.Strips[i]
		if slices.ContainsFunc(x.Codes, isFailure) {
			if failing[x.Site] == nil {
				ids = append(ids, x.Site)
			}
			failing[x.Site] = append(failing[x.Site], x)
		}
	}
	for some := range slices.Chunk(ids, perRead) {
		sites, err := l.o.Store.SitesByID(ctx, some)
		if err != nil {
			return false, err
		}
		for _, site := range sites {
			subject := maintenance.Subject{ID: site.ID, URL: site.URL, Tags: site.Tags}
			for _, x := range failing[site.ID] {
				changed = hushStrip(c, subject, x) || changed
			}
		}
	}
	return changed, nil
}

func hushStrip(c *maintenance.Calendar, s maintenance.Subject, x *history.Strip) (changed bool) {
	for i, code := range x.Codes {
		if !isFailure(code) {
			continue
		}
		if _, open := c.At(s, x.Start(i)); open {
			x.Codes[i], changed = history.Maintenance, true
		}
	}
	return changed
}

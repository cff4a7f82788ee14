package api

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/weburl"
)

// jetpackMonitor is the JetpackMonitorService.
type jetpackMonitor struct {
	wpcomv1.UnimplementedJetpackMonitorServiceServer
	o Options
}

const (
	// sitesAtOnce is how many sites of a blog or host are looked at together.
	sitesAtOnce = store.MaxPasts
	// ofABlog is how many sites of a blog are read together: for each page the database sorts
	// all of them.
	ofABlog = 10 * sitesAtOnce
)

func (s *jetpackMonitor) GetJetpackMonitorStatus(ctx context.Context, req *wpcomv1.GetJetpackMonitorStatusRequest) (*wpcomv1.GetJetpackMonitorStatusResponse, error) {
	t, err := s.status(ctx, req.GetSite())
	switch {
	case err != nil:
		return nil, err
	case !t.checked && !t.held:
		return nil, noneIs(req.GetSite())
	case t.checked:
		return &wpcomv1.GetJetpackMonitorStatusResponse{Status: t.up()}, nil
	}
	return &wpcomv1.GetJetpackMonitorStatusResponse{Status: t.up(), Paused: &t.held}, nil
}

// status adds up the sites that a name stands for, until one is down. NotFound when there are none.
func (s *jetpackMonitor) status(ctx context.Context, site string) (t tally, err error) {
	found := false
	err = s.walk(ctx, site, func(rows []record.Site) (more bool, err error) {
		found = found || len(rows) > 0
		t.count(ctx, s.o, rows)
		return !t.down, nil
	})
	if err == nil && !found {
		err = noneIs(site)
	}
	return t, err
}

// noneIs is the refusal of a site of which nothing is monitored.
func noneIs(site string) error {
	return fault.New(fault.NotFound, "site: no monitored site is %q", fault.Clip(site, maxQuote))
}

// name is what a site of WordPress.com's is named by: a blog, or a location with a path; no
// path is any.
type name struct {
	blog check.BlogID
	at   record.Location
	path string
}

// pathMark stands for a slash in the name of a site.
const pathMark = "::"

// nameOf reads the name of a site.
func nameOf(site string) (n name, err error) {
	if id, err := strconv.ParseInt(site, 10, 64); err == nil {
		if id <= 0 {
			return n, fault.InvalidField("site", "must be a blog id greater than 0, or a host name")
		}
		return name{blog: check.BlogID(id)}, nil
	}
	host, path := site, ""
	// The colons of an IPv6 address are inside brackets.
	if from := strings.LastIndexByte(site, ']') + 1; strings.Contains(site[from:], pathMark) {
		host, path, _ = strings.Cut(site[from:], pathMark)
		host, path = site[:from]+host, "/"+strings.ReplaceAll(path, pathMark, "/")
	}
	if n.at, err = record.LocateHost(host); err != nil {
		return n, fault.New(fault.NotFound, "site: no monitored site is %q: it is no host", fault.Clip(site, maxQuote))
	}
	if u, err := weburl.Parse("http://host" + path); err == nil {
		n.path = strings.TrimRight(u.Path, "/")
	}
	return n, nil
}

// fits reports whether a URL is one of those that are named.
func (n name) fits(raw string) bool {
	if n.at != (record.Location{}) && !record.Locate(raw).Fits(n.at) {
		return false
	}
	if n.path == "" {
		return true
	}
	u, err := weburl.Parse(raw)
	return err == nil && (u.Path == n.path || strings.HasPrefix(u.Path, n.path+"/"))
}

// walk calls f with the sites that a name stands for, some at a time, until it wants no more.
func (s *jetpackMonitor) walk(ctx context.Context, site string, f func([]record.Site) (more bool, err error)) error {
	n, err := nameOf(site)
	if err != nil {
		return err
	}
	q := store.SiteQuery{Limit: sitesAtOnce, BlogID: n.blog, At: n.at}
	if n.blog != 0 {
		q.Limit = ofABlog
	}
	for {
		page, err := s.o.Store.ListSites(ctx, q)
		if err != nil || len(page) == 0 {
			return err
		}
		last := len(page) < q.Limit
		q.After = page[len(page)-1].ID
		page = slices.DeleteFunc(page, func(row record.Site) bool { return !n.fits(row.URL) })
		for rows := range slices.Chunk(page, sitesAtOnce) {
			if more, err := f(rows); err != nil || !more {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// tally is what the sites of a blog or host come to. An answer is about those that are checked
// or, when none is, about those that were told down before they were paused.
type tally struct {
	// checked means that one is checked, down that one of those is down.
	checked, down bool
	// held means that one was told down and paused, heldDown that one of those is down still.
	held, heldDown bool
}

// up reports what those that count come to.
func (t *tally) up() bool {
	if t.checked {
		return !t.down
	}
	return !t.heldDown
}

// count adds sites. It asks for the live state of no more sites than it needs.
func (t *tally) count(ctx context.Context, o Options, rows []record.Site) {
	var checked, held []record.Site
	for _, row := range rows {
		switch {
		case !row.Paused:
			checked = append(checked, row)
		case row.Status != check.StatusRunning, row.Untold != nil && row.Untold.Status != check.StatusRunning:
			held = append(held, row)
		}
	}
	if t.checked = t.checked || len(checked) > 0; t.checked {
		t.down = t.down || anyDown(o.live(ctx, checked))
		return
	}
	t.held = t.held || len(held) > 0
	t.heldDown = t.heldDown || anyDown(o.live(ctx, held))
}

func anyDown(sites []*monitorv1.Site) bool {
	return slices.ContainsFunc(sites, func(site *monitorv1.Site) bool { return site.GetStatusId() != int32(check.StatusRunning) })
}

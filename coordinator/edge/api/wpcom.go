package api

import (
	"context"
	"slices"
	"strconv"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// jetpackMonitor is the JetpackMonitorService.
type jetpackMonitor struct {
	wpcomv1.UnimplementedJetpackMonitorServiceServer
	o Options
}

// sitesAtOnce is how many sites of a blog or host are read together.
const sitesAtOnce = 1000

func (s *jetpackMonitor) GetJetpackMonitorStatus(ctx context.Context, req *wpcomv1.GetJetpackMonitorStatusRequest) (*wpcomv1.GetJetpackMonitorStatusResponse, error) {
	q := store.SiteQuery{Limit: sitesAtOnce}
	if id, err := strconv.ParseInt(req.GetSite(), 10, 64); err == nil {
		if id <= 0 {
			return nil, fault.InvalidField("site", "must be a blog id greater than 0, or a host name")
		}
		q.BlogID = check.BlogID(id)
	} else if q.At, err = record.LocateHost(req.GetSite()); err != nil {
		return nil, fault.New(fault.NotFound, "site: no monitored site is %q: it is no host", fault.Clip(req.GetSite(), maxQuote))
	}
	var t tally
	for more := true; more && !t.down; {
		rows, err := s.o.Store.ListSites(ctx, q)
		if err != nil {
			return nil, err
		}
		t.count(ctx, s.o, rows)
		if more = len(rows) == q.Limit; more {
			q.After = rows[len(rows)-1].ID
		}
	}
	if !t.checked && !t.held {
		return nil, fault.New(fault.NotFound, "site: no monitored site is %q", req.GetSite())
	}
	if t.checked {
		return &wpcomv1.GetJetpackMonitorStatusResponse{Status: !t.down}, nil
	}
	return &wpcomv1.GetJetpackMonitorStatusResponse{Status: !t.heldDown, Paused: &t.held}, nil
}

// tally is what the sites of a blog or host come to. An answer is about those that are checked
// or, when none is, about those that were told down before they were paused.
type tally struct {
	// checked means that one is checked, down that one of those is down.
	checked, down bool
	// held means that one was told down and paused, heldDown that one of those is down still.
	held, heldDown bool
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

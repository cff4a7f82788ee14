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
)

// jetpackMonitor is the JetpackMonitorService.
type jetpackMonitor struct {
	wpcomv1.UnimplementedJetpackMonitorServiceServer
	o Options
}

// maxSitesOfBlog bounds the sites read for one answer.
const maxSitesOfBlog = 1000

func (s *jetpackMonitor) GetJetpackMonitorStatus(ctx context.Context, req *wpcomv1.GetJetpackMonitorStatusRequest) (*wpcomv1.GetJetpackMonitorStatusResponse, error) {
	q := store.SiteQuery{Limit: maxSitesOfBlog}
	if id, err := strconv.ParseInt(req.GetSite(), 10, 64); err == nil {
		if id <= 0 {
			return nil, fault.InvalidField("site", "must be a blog id greater than 0, or a host name")
		}
		q.BlogID = check.BlogID(id)
	} else {
		q.Host = strings.ToLower(req.GetSite())
	}
	rows, err := s.o.Store.ListSites(ctx, q)
	if err != nil {
		return nil, err
	}
	asked, paused := counting(rows)
	if len(asked) == 0 {
		return nil, fault.New(fault.NotFound, "site: no monitored site is %q", req.GetSite())
	}
	down := slices.ContainsFunc(s.o.live(ctx, asked), func(site *monitorv1.Site) bool {
		return site.GetStatusId() != int32(check.StatusRunning)
	})
	resp := &wpcomv1.GetJetpackMonitorStatusResponse{Status: !down}
	if paused {
		resp.Paused = &paused
	}
	return resp, nil
}

// counting returns the sites that an answer is about: those that are checked or, when none
// is, those that were told down before they were paused.
func counting(rows []record.Site) (asked []record.Site, paused bool) {
	asked = slices.DeleteFunc(slices.Clone(rows), func(row record.Site) bool { return row.Paused })
	if len(asked) > 0 {
		return asked, false
	}
	asked = slices.DeleteFunc(rows, func(row record.Site) bool {
		return row.Status == check.StatusRunning && (row.Untold == nil || row.Untold.Status == check.StatusRunning)
	})
	return asked, len(asked) > 0
}

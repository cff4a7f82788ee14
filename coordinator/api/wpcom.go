package api

import (
	"context"
	"strconv"
	"strings"

	"github.com/Automattic/jetmon/coordinator/store"
	wpcompb "github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// jetpackMonitor is the JetpackMonitorService.
type jetpackMonitor struct {
	wpcompb.UnimplementedJetpackMonitorServiceServer
	o Options
}

// maxSitesOfBlog bounds what is read for one answer.
const maxSitesOfBlog = 1000

func (s *jetpackMonitor) GetJetpackMonitorStatus(ctx context.Context, req *wpcompb.GetJetpackMonitorStatusRequest) (*wpcompb.GetJetpackMonitorStatusResponse, error) {
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
	monitored, up := false, true
	for _, row := range rows {
		if row.Paused {
			continue
		}
		monitored = true
		up = up && row.Status == check.StatusRunning
	}
	if !monitored {
		return nil, fault.New(fault.NotFound, "site: no monitored site is %q", req.GetSite())
	}
	return &wpcompb.GetJetpackMonitorStatusResponse{Status: up}, nil
}

package api

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

// protectDashboard is the ProtectDashboardService.
type protectDashboard struct {
	wpcomv1.UnimplementedProtectDashboardServiceServer
	monitor *jetpackMonitor
}

// protectDays are the days of GetProtectUptime.
const protectDays = 40

func (s *protectDashboard) GetProtectUptime(ctx context.Context, req *wpcomv1.GetProtectUptimeRequest) (*wpcomv1.GetProtectUptimeResponse, error) {
	is, err := s.monitor.status(ctx, req.GetSite())
	if err != nil {
		return nil, err
	}
	if !is.checked {
		return nil, fault.New(fault.Fenced, "site: %q is not monitored at this moment: all its URLs are paused", fault.Clip(req.GetSite(), maxQuote))
	}
	days, err := s.monitor.days(ctx, req.GetSite(), protectDays)
	if err != nil {
		return nil, err
	}
	resp := &wpcomv1.GetProtectUptimeResponse{IsUp: !is.down}
	for _, d := range days {
		resp.Days = append(resp.Days, &wpcomv1.ProtectUptimeDay{
			Date: d.Date.Format(time.DateOnly), Status: wordFor(d, dayInactive), DowntimeInMinutes: d.Minutes(),
		})
	}
	return resp, nil
}

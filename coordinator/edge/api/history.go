package api

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// histories is the HistoryService.
type histories struct {
	monitorv1.UnimplementedHistoryServiceServer
	o    Options
	look lookback
}

func (s *histories) GetSiteHistory(ctx context.Context, req *monitorv1.GetSiteHistoryRequest) (*monitorv1.GetSiteHistoryResponse, error) {
	now := time.Now()
	res := resolutionOf(req.GetResolution())
	whole, err := res.period(req.GetStartTime(), req.GetEndTime(), now)
	if err != nil {
		return nil, err
	}
	left, err := parsePeriodToken(req.GetPageToken(), whole)
	if err != nil {
		return nil, err
	}
	if left, err = res.left(left, whole, req.GetEndTime() != nil); err != nil {
		return nil, err
	}
	row, err := s.o.Store.Site(ctx, check.SiteID(req.GetSiteId()))
	if err != nil {
		return nil, err
	}
	x := pager{look: s.look, row: row, step: res, region: req.GetRegion(), now: now}
	resp := &monitorv1.GetSiteHistoryResponse{}
	points, rest, known, err := x.page(ctx, left, pageSize(req.GetPageSize()))
	if err != nil {
		return nil, err
	}
	resp.Points, resp.KnownTime = points, timestamp(known)
	if rest.Start.Before(rest.End) {
		resp.NextPageToken = periodToken(rest)
	}
	return resp, nil
}

// exportedPoints is how many points of an export are read together.
const exportedPoints = 1000

func (s *histories) ExportSiteHistory(req *monitorv1.ExportSiteHistoryRequest, stream grpc.ServerStreamingServer[monitorv1.ExportSiteHistoryResponse]) error {
	ctx, now := stream.Context(), time.Now()
	res := resolutionOf(req.GetResolution())
	left, err := res.period(req.GetStartTime(), req.GetEndTime(), now)
	if err != nil {
		return err
	}
	row, err := s.o.Store.Site(ctx, check.SiteID(req.GetSiteId()))
	if err != nil {
		return err
	}
	x := pager{look: s.look, row: row, step: res, region: req.GetRegion(), now: now}
	for left.Start.Before(left.End) {
		var points []*monitorv1.HistoryPoint
		if points, left, _, err = x.page(ctx, left, exportedPoints); err != nil {
			return err
		}
		for _, p := range points {
			if err := stream.Send(&monitorv1.ExportSiteHistoryResponse{Point: p}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *histories) GetSiteUptime(ctx context.Context, req *monitorv1.GetSiteUptimeRequest) (*monitorv1.GetSiteUptimeResponse, error) {
	now := time.Now()
	period, err := asked{req.GetStartTime(), req.GetEndTime(), shortDays * aDay, maxDays * aDay}.period(now, now)
	if err != nil {
		return nil, err
	}
	row, err := s.o.Store.Site(ctx, check.SiteID(req.GetSiteId()))
	if err != nil {
		return nil, err
	}
	p, err := s.look.read(ctx, reading{row: row, period: period, now: now, step: daily})
	if err != nil {
		return nil, err
	}
	u := p.toProto()
	if req.GetByDay() {
		for left := period; left.Start.Before(left.End) && left.Start.Before(now); left.Start = daily.cut(left).End {
			u.Days = append(u.Days, p.point(daily.cut(left)))
		}
	}
	if req.GetByRegion() {
		if u.Regions, err = s.look.regions(ctx, row, p); err != nil {
			return nil, err
		}
	}
	return &monitorv1.GetSiteUptimeResponse{Uptime: u}, nil
}

func (s *histories) BatchGetSiteUptimes(ctx context.Context, req *monitorv1.BatchGetSiteUptimesRequest) (*monitorv1.BatchGetSiteUptimesResponse, error) {
	now := time.Now()
	period, err := asked{req.GetStartTime(), req.GetEndTime(), shortDays * aDay, maxDays * aDay}.period(now, midnight(now).Add(aDay))
	if err != nil {
		return nil, err
	}
	if err := wholeDays(period); err != nil {
		return nil, err
	}
	rows, err := (&sites{o: s.o}).rows(ctx, distinct(req.GetSiteIds()))
	if err != nil {
		return nil, err
	}
	all, err := s.look.many(ctx, rows, period, now)
	if err != nil {
		return nil, err
	}
	return &monitorv1.BatchGetSiteUptimesResponse{Uptimes: all}, nil
}

func (s *histories) GetFleetHistory(ctx context.Context, req *monitorv1.GetFleetHistoryRequest) (*monitorv1.GetFleetHistoryResponse, error) {
	now := time.Now()
	res := resolutionOf(req.GetResolution())
	a := asked{start: req.GetStartTime(), end: req.GetEndTime(), length: aDay, most: maxFleetPoints / 24 * aDay}
	if res == daily {
		a.length, a.most = shortDays*aDay, maxDays*aDay
	}
	period, err := a.period(now, now)
	if err != nil || s.o.History == nil {
		return &monitorv1.GetFleetHistoryResponse{}, err
	}
	first, end := history.HourOf(period.Start), history.HourOf(period.End.Add(-1))+1
	if res == daily {
		first, _ = first.Day().Hours()
	}
	return s.fleetPoints(ctx, res, first, end)
}

func (s *histories) fleetPoints(ctx context.Context, res resolution, first, end history.Hour) (*monitorv1.GetFleetHistoryResponse, error) {
	hours, known, err := s.o.History.Fleet(ctx, first, end)
	if err != nil {
		return nil, err
	}
	resp := &monitorv1.GetFleetHistoryResponse{}
	if len(hours) > 0 {
		resp.KnownTime = timestamp(known)
	}
	for len(hours) > 0 {
		start := hours[0].Hour.Start().Truncate(time.Duration(res))
		n := slices.IndexFunc(hours, func(h history.FleetHour) bool { return !h.Hour.Start().Before(start.Add(time.Duration(res))) })
		if n < 0 {
			n = len(hours)
		}
		var sum history.Tally
		for i := range hours[:n] {
			sum.Merge(&hours[i].Tally)
		}
		resp.Points = append(resp.Points, fleetToProto(start, &sum))
		hours = hours[n:]
	}
	return resp, nil
}

// left returns what is left of a period according to a token, which must fit what is asked for.
// A period without an end was up to the moment of its first page.
func (r resolution) left(left, whole uptime.Span, ended bool) (uptime.Span, error) {
	slack := time.Duration(0)
	if !ended {
		slack = aDay
	}
	if left.Start.Before(whole.Start.Add(-slack)) || left.End.After(whole.End) || left.End.Before(whole.End.Add(-slack)) || !left.Start.Before(left.End) {
		return left, badToken()
	}
	return left, nil
}

package coordinator_test

import (
	"context"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

func (r *rig) history() monitorv1.HistoryServiceClient {
	return monitorv1.NewHistoryServiceClient(r.conn)
}

// book is an engine of which a logbook takes notes that are made up.
type book struct{ *history.Book }

// TakeNotes implements logbook.Engine.
func (b book) TakeNotes(s shard.ID) history.Taken { return b.Take(s) }

// ReuseNotes implements logbook.Engine.
func (b book) ReuseNotes(t history.Taken) { b.Reuse(t) }

// owner holds one shard.
type owner struct {
	shard.Holder
	fence shard.Fence
}

// Fence implements shard.Holder.
func (o owner) Fence(s shard.ID) (shard.Fence, bool) { return o.fence, s == o.fence.Shard }

const interval = 5 * time.Minute

// restedSite creates a site, paused, whose turn was more than a minute ago and whose next one is
// minutes away: no turn comes while a test reads.
func restedSite(t *testing.T, s store.Store, now time.Time) record.Site {
	t.Helper()
	for {
		row, err := s.CreateSite(t.Context(), record.Site{BlogID: 7, Bucket: 7, URL: "https://example.com/", Interval: interval, Paused: true})
		if err != nil {
			t.Fatal(err)
		}
		turn := schedule.TurnTime(row.ID, interval, schedule.TurnBefore(row.ID, interval, now))
		if since := now.Sub(turn); since > 70*time.Second && since < interval/2 {
			return row
		}
		if err := s.DeleteSite(t.Context(), row.ID, now, func(record.Site) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
}

// aDayAndMore is the past of a site that has been watched for so many hours: it was good, in 120 ms,
// but that we were blind in the eleventh, it was down for half an hour from the thirteenth on,
// and paused in the fifteenth and sixteenth.
func aDayAndMore(t *testing.T, s store.Store, now time.Time, length int) (id check.SiteID) {
	t.Helper()
	begin := now.Add(-time.Duration(length) * time.Hour)
	at := func(hours float64) time.Time { return begin.Add(time.Duration(hours * float64(time.Hour))) }
	row := restedSite(t, s, now)
	for i, hour := range []float64{0, 14, 16} {
		_, err := s.UpdateSite(t.Context(), row.ID, at(hour), func(row record.Site) (record.Site, error) {
			row.Paused = i == 1
			return row, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	lease, err := s.ClaimShard(t.Context(), shard.Of(7), shard.Owner{Node: "earlier", TTL: time.Hour}, now)
	if err != nil {
		t.Fatal(err)
	}
	for i, hour := range []float64{12, 12.5} {
		c := record.Change{Key: "down", SiteID: row.ID, BlogID: 7, Bucket: 7, URL: row.URL, From: check.StatusRunning, To: check.StatusDown, Start: at(hour), At: at(hour)}
		if i == 1 {
			c.Key, c.From, c.To = "up", c.To, c.From
		}
		if _, err := storetest.Commit(t.Context(), s, lease.Fence(), c); err != nil {
			t.Fatal(err)
		}
	}
	notes := book{history.NewBook()}
	eu := notes.Place("eu", "checker-9")
	for n := schedule.TurnBefore(row.ID, interval, begin) + 1; ; n++ {
		turn := schedule.TurnTime(row.ID, interval, n)
		if !turn.Before(now.Add(-time.Minute)) {
			break
		}
		code := history.Took(120 * time.Millisecond)
		switch hour := turn.Sub(begin).Hours(); {
		case hour >= 10 && hour < 11:
			code = history.Unknown
		case hour >= 12 && hour < 12.5:
			code = history.Failed
		case hour >= 14 && hour < 16:
			continue
		}
		notes.Note(7, history.Note{Site: row.ID, Turn: uint32(n), Interval: uint16(interval / time.Second), Code: code, Region: eu})
	}
	l, err := logbook.New(logbook.Options{Engine: notes, Store: s, Shards: owner{fence: lease.Fence()}, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	l.Flush(t.Context(), shard.Of(7))
	if err := s.ReleaseShard(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	return row.ID
}

// lookBack starts a coordinator over that past, and waits until it has folded it.
func lookBack(t *testing.T, length int, off bool) (r *rig, site int64) {
	t.Helper()
	now := time.Now()
	r = startWith(t, func(o *coordinator.Options) {
		site = int64(aDayAndMore(t, o.Store, now, length))
		o.History = coordinator.History{Off: off, FlushEvery: time.Second}
	})
	r.ready(t)
	await(t, "the past is folded", func() bool {
		resp, err := r.history().GetFleetHistory(t.Context(), &monitorv1.GetFleetHistoryRequest{StartTime: timestamppb.New(now.Add(-40 * time.Hour))})
		return err == nil && (off || len(resp.GetPoints()) >= 24)
	})
	return r, site
}

// turnsOf is the number of turns that are counted.
func turnsOf(c *monitorv1.TurnCounts) int64 {
	return c.GetNone() + c.GetUnknown() + c.GetGood() + c.GetFailed() + c.GetBlocked() + c.GetMaintenance() + c.GetPaused()
}

func near(t *testing.T, what string, got, want, slack float64) {
	t.Helper()
	if math.Abs(got-want) > slack {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestADayAndMoreOfASite(t *testing.T) {
	t.Parallel()
	r, site := lookBack(t, 27, false)
	resp, err := r.history().GetSiteUptime(t.Context(), &monitorv1.GetSiteUptimeRequest{SiteId: site, ByDay: true, ByRegion: true})
	if err != nil {
		t.Fatal(err)
	}
	u := resp.GetUptime()
	near(t, "uptime", u.GetUptime(), 1-0.5/25, 1e-4)
	near(t, "coverage", u.GetCoverage(), 1, 0)
	near(t, "watched", u.GetWatchedTime().AsDuration().Hours(), 25, 0.01)
	near(t, "down", u.GetDownTime().AsDuration().Hours(), 0.5, 0.001)
	near(t, "paused", u.GetPausedTime().AsDuration().Hours(), 2, 0.001)
	near(t, "repair", u.GetMeanTimeToRepair().AsDuration().Hours(), 0.5, 0.001)
	near(t, "between", u.GetMeanTimeBetweenFailures().AsDuration().Hours(), 24.5, 0.01)
	near(t, "p50", u.GetResponseTimes().GetP50().AsDuration().Seconds(), 0.12, 0.006)
	near(t, "p99", u.GetResponseTimes().GetP99().AsDuration().Seconds(), 0.12, 0.006)
	near(t, "blind turns", float64(u.GetTurns().GetUnknown()), 12, 1)
	near(t, "paused turns", float64(u.GetTurns().GetPaused()), 24, 1)
	if known := time.Since(u.GetKnownTime().AsTime()); known < 0 || known > 16*time.Minute || u.GetOutages() != 1 || u.GetEndedOutages() != 1 || u.GetTurns().GetNone() != 0 {
		t.Errorf("known %v ago, %d outages, %d ended, turns %v", known, u.GetOutages(), u.GetEndedOutages(), u.GetTurns())
	}
	near(t, "failed turns", float64(u.GetTurns().GetFailed()), 6, 1)
	near(t, "turns", float64(turnsOf(u.GetTurns())), 27*12, 4)
	if len(u.GetRegions()) != 1 || u.GetRegions()[0].GetRegion() != "eu" || u.GetRegions()[0].GetResponseTimes().GetChecks() != u.GetTurns().GetGood() {
		t.Errorf("regions %v, want all of eu", u.GetRegions())
	}
	days := u.GetDays()
	if len(days) < 2 {
		t.Fatalf("%d days", len(days))
	}
	turns, down := int64(0), time.Duration(0)
	for i, d := range days {
		turns, down = turns+turnsOf(d.GetTurns()), down+d.GetDownTime().AsDuration()
		if d.GetCoverage() != 1 && turnsOf(d.GetTurns()) > 0 || (d.GetUptime() < 1) != (d.GetDownTime().AsDuration() > 0) && d.Uptime != nil || i > 0 && !d.GetStartTime().AsTime().Equal(days[i-1].GetEndTime().AsTime()) {
			t.Errorf("a day is %v", d)
		}
	}
	if turns != turnsOf(u.GetTurns()) || down != u.GetDownTime().AsDuration() {
		t.Errorf("by day %d turns and %v down, want %d and %v", turns, down, turnsOf(u.GetTurns()), u.GetDownTime().AsDuration())
	}
	r.batchIsTheSame(t, u)
	r.pagesAreTheSame(t, u)
	r.fleetIsTheSame(t, u)
}

// batchIsTheSame reads the sums of whole days, which are known up to the last hour.
func (r *rig) batchIsTheSame(t *testing.T, u *monitorv1.SiteUptime) {
	t.Helper()
	resp, err := r.history().BatchGetSiteUptimes(t.Context(), &monitorv1.BatchGetSiteUptimesRequest{SiteIds: []int64{u.GetSiteId(), 1 << 40, u.GetSiteId()}})
	if err != nil || len(resp.GetUptimes()) != 1 {
		t.Fatalf("%v, %v", resp, err)
	}
	b := resp.GetUptimes()[0]
	near(t, "uptime in a batch", b.GetUptime(), u.GetUptime(), 1e-4)
	near(t, "coverage in a batch", b.GetCoverage(), 1, 0)
	near(t, "turns in a batch", float64(turnsOf(b.GetTurns())), float64(turnsOf(u.GetTurns())), 24)
	if b.GetTurns().GetPaused() != u.GetTurns().GetPaused() || b.GetTurns().GetUnknown() != u.GetTurns().GetUnknown() || !proto.Equal(b.GetResponseTimes().GetP50(), u.GetResponseTimes().GetP50()) {
		t.Errorf("a batch has %v, alone it is %v", b, u)
	}
	day := timestamppb.New(time.Now().UTC().Truncate(24 * time.Hour).Add(-24 * time.Hour))
	one, err := r.history().BatchGetSiteUptimes(t.Context(), &monitorv1.BatchGetSiteUptimesRequest{
		SiteIds: []int64{u.GetSiteId()}, StartTime: day, EndTime: timestamppb.New(day.AsTime().Add(24 * time.Hour)),
	})
	if err != nil || len(one.GetUptimes()) != 1 {
		t.Fatal(one, err)
	}
	first := u.GetDays()[len(u.GetDays())-2]
	if got := one.GetUptimes()[0]; !proto.Equal(got.GetTurns(), first.GetTurns()) || got.GetUptime() != first.GetUptime() {
		t.Errorf("the first day in a batch is %v, alone it is %v", got, first)
	}
}

// pagesAreTheSame walks through hours and turns.
func (r *rig) pagesAreTheSame(t *testing.T, u *monitorv1.SiteUptime) {
	t.Helper()
	start := timestamppb.New(time.Now().Add(-28 * time.Hour))
	walk := func(req *monitorv1.GetSiteHistoryRequest) (all []*monitorv1.HistoryPoint, pages int) {
		req.SiteId, req.StartTime = u.GetSiteId(), start
		for {
			resp, err := r.history().GetSiteHistory(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			all, pages = append(all, resp.GetPoints()...), pages+1
			if req.PageToken = resp.GetNextPageToken(); req.GetPageToken() == "" {
				return all, pages
			}
		}
	}
	hours, pages := walk(&monitorv1.GetSiteHistoryRequest{PageSize: 10})
	sum, down := int64(0), time.Duration(0)
	for i, h := range hours {
		sum += turnsOf(h.GetTurns())
		down += h.GetDownTime().AsDuration()
		if i > 0 && !h.GetStartTime().AsTime().Equal(hours[i-1].GetEndTime().AsTime()) {
			t.Errorf("%v does not follow %v", h, hours[i-1])
		}
	}
	if pages != 3 || len(hours) < 28 || sum != turnsOf(u.GetTurns()) || down != u.GetDownTime().AsDuration() {
		t.Errorf("%d hours on %d pages, %d turns, %v down, want %d, %v", len(hours), pages, sum, down, turnsOf(u.GetTurns()), u.GetDownTime().AsDuration())
	}
	raw, _ := walk(&monitorv1.GetSiteHistoryRequest{Resolution: monitorv1.HistoryResolution_HISTORY_RESOLUTION_RAW, PageSize: 70})
	if int64(len(raw)) != turnsOf(u.GetTurns()) {
		t.Errorf("%d single turns, want %d", len(raw), turnsOf(u.GetTurns()))
	}
	if i := slices.IndexFunc(raw, func(p *monitorv1.HistoryPoint) bool { return p.GetCode() == monitorv1.TurnCode_TURN_CODE_GOOD }); raw[i].GetRegion() != "eu" || raw[len(raw)-1].GetChecker() != "checker-9" || raw[i].GetResponseTime() == nil {
		t.Errorf("a good turn is %v", raw[i])
	}
	eu, _ := walk(&monitorv1.GetSiteHistoryRequest{Region: "eu", PageSize: 1000})
	us, _ := walk(&monitorv1.GetSiteHistoryRequest{Region: "us", PageSize: 1000})
	good := func(all []*monitorv1.HistoryPoint) (n int64) {
		for _, p := range all {
			n += p.GetTurns().GetGood()
		}
		return n
	}
	if good(eu) != u.GetTurns().GetGood() || good(us) != 0 {
		t.Errorf("%d good checks in eu, %d in us, want all and none of %d", good(eu), good(us), u.GetTurns().GetGood())
	}
	stream, err := r.history().ExportSiteHistory(t.Context(), &monitorv1.ExportSiteHistoryRequest{SiteId: u.GetSiteId(), StartTime: start, Resolution: monitorv1.HistoryResolution_HISTORY_RESOLUTION_RAW})
	for i := 0; err == nil; i++ {
		var resp *monitorv1.ExportSiteHistoryResponse
		if resp, err = stream.Recv(); err == nil && !proto.Equal(resp.GetPoint(), raw[i]) {
			t.Fatalf("exported %v, paged %v", resp.GetPoint(), raw[i])
		}
		if err == io.EOF && i != len(raw) {
			t.Errorf("%d points are exported of %d", i, len(raw))
		}
	}
	if err != io.EOF {
		t.Error(err)
	}
}

// fleetIsTheSame reads the history of all sites, of which there is one.
func (r *rig) fleetIsTheSame(t *testing.T, u *monitorv1.SiteUptime) {
	t.Helper()
	for _, resolution := range []monitorv1.HistoryResolution{monitorv1.HistoryResolution_HISTORY_RESOLUTION_HOUR, monitorv1.HistoryResolution_HISTORY_RESOLUTION_DAY} {
		resp, err := r.history().GetFleetHistory(t.Context(), &monitorv1.GetFleetHistoryRequest{
			StartTime: timestamppb.New(time.Now().Add(-40 * time.Hour)), Resolution: resolution,
		})
		if err != nil {
			t.Fatal(err)
		}
		good := int64(0)
		for _, p := range resp.GetPoints() {
			good += p.GetTurns().GetGood()
			if p.GoodShare != nil && p.GetGoodShare() < 0.49 {
				t.Errorf("%v", p)
			}
		}
		near(t, "good checks of the fleet", float64(good), float64(u.GetTurns().GetGood()), 24)
		if resp.GetKnownTime() == nil || len(resp.GetPoints()) < 2 {
			t.Errorf("%d points, known until %v", len(resp.GetPoints()), resp.GetKnownTime())
		}
	}
}

// Of days whose turns were deleted, summaries say what they came to; hours and single turns
// have none, which is no gap.
func TestDaysWhoseTurnsAreGoneCountBySummary(t *testing.T) {
	t.Parallel()
	r, site := lookBack(t, 99, false)
	ask := func() *monitorv1.SiteUptime {
		resp, err := r.history().GetSiteUptime(t.Context(), &monitorv1.GetSiteUptimeRequest{SiteId: site, ByDay: true})
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetUptime()
	}
	before := ask()
	near(t, "turns", float64(turnsOf(before.GetTurns())), 99*12, 8)
	row, fence := r.row(t, site)
	gone := history.DayOf(time.Now()) - 2
	page := func(resolution monitorv1.HistoryResolution) []*monitorv1.HistoryPoint {
		resp, err := r.history().GetSiteHistory(t.Context(), &monitorv1.GetSiteHistoryRequest{
			SiteId: int64(row.ID), Resolution: resolution, PageSize: 1000, StartTime: timestamppb.New(time.Now().Add(-99 * time.Hour)), EndTime: timestamppb.New(gone.Start()),
		})
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetPoints()
	}
	await(t, "the turns are deleted", func() bool {
		if _, err := r.store.ExpireChecks(t.Context(), fence, store.CheckExpiry{Checks: gone}, 1000); err != nil {
			t.Fatal(err)
		}
		return len(page(monitorv1.HistoryResolution_HISTORY_RESOLUTION_RAW)) == 0
	})
	after := ask()
	near(t, "good checks", float64(after.GetTurns().GetGood()), float64(before.GetTurns().GetGood()), 3)
	near(t, "turns", float64(turnsOf(after.GetTurns())), float64(turnsOf(before.GetTurns())), 3)
	if after.GetUptime()-before.GetUptime() > 1e-6 || before.GetUptime()-after.GetUptime() > 1e-6 || after.GetCoverage() != before.GetCoverage() || after.GetDownTime().AsDuration() != before.GetDownTime().AsDuration() {
		t.Errorf("with turns %v, without %v", before, after)
	}
	down := time.Duration(0)
	for _, h := range page(monitorv1.HistoryResolution_HISTORY_RESOLUTION_HOUR) {
		down += h.GetDownTime().AsDuration()
		if turnsOf(h.GetTurns()) != 0 || h.Coverage != nil {
			t.Errorf("an hour whose turns are gone has %v", h)
		}
	}
	if down != before.GetDownTime().AsDuration() {
		t.Errorf("hours whose turns are gone have %v of downtime, want %v", down, before.GetDownTime().AsDuration())
	}
}

func TestWithoutHistoryUptimeIsThatOfOutages(t *testing.T) {
	t.Parallel()
	r, site := lookBack(t, 27, true)
	resp, err := r.history().GetSiteUptime(t.Context(), &monitorv1.GetSiteUptimeRequest{SiteId: site, ByDay: true, ByRegion: true})
	if err != nil {
		t.Fatal(err)
	}
	u := resp.GetUptime()
	near(t, "uptime", u.GetUptime(), 1-0.5/25, 1e-4)
	if u.Coverage != nil || u.GetKnownTime() != nil || turnsOf(u.GetTurns()) != 0 || u.GetResponseTimes() != nil || u.GetDays()[len(u.GetDays())-1].Coverage != nil {
		t.Errorf("something is known of turns: %v", u)
	}
	points, err := r.history().GetSiteHistory(t.Context(), &monitorv1.GetSiteHistoryRequest{SiteId: site, Resolution: monitorv1.HistoryResolution_HISTORY_RESOLUTION_RAW})
	if err != nil || len(points.GetPoints()) != 0 || points.GetNextPageToken() != "" {
		t.Errorf("turns: %v, %v", points, err)
	}
	if fleet, err := r.history().GetFleetHistory(t.Context(), &monitorv1.GetFleetHistoryRequest{}); err != nil || len(fleet.GetPoints()) != 0 {
		t.Errorf("fleet: %v, %v", fleet, err)
	}
}

func TestPeriodsThatAreNoneAreRefusedInWords(t *testing.T) {
	t.Parallel()
	r := start(t)
	site := r.create(t, "https://example.com/").GetSiteId()
	now := time.Now()
	ago := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(-d)) }
	const day = 24 * time.Hour
	midnight := now.UTC().Truncate(day)
	type history = monitorv1.GetSiteHistoryRequest
	for name, tt := range map[string]struct {
		req   proto.Message
		field string
		says  string
	}{
		"inverted":              {&history{StartTime: ago(time.Hour), EndTime: ago(2 * time.Hour)}, "end_time", "after start_time"},
		"empty":                 {&history{StartTime: ago(time.Hour), EndTime: ago(time.Hour)}, "end_time", "after start_time"},
		"of the future":         {&history{EndTime: ago(-48 * time.Hour)}, "end_time", "a day from now"},
		"of the year 9999":      {&history{EndTime: timestamppb.New(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))}, "end_time", "a day from now"},
		"of the year 1":         {&history{StartTime: timestamppb.New(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))}, "start_time", "1990"},
		"no time":               {&history{StartTime: &timestamppb.Timestamp{Nanos: -5}}, "start_time", "nanos"},
		"too long":              {&history{StartTime: ago(101 * day)}, "start_time", "100 days"},
		"too long by day":       {&history{StartTime: ago(801 * day), Resolution: monitorv1.HistoryResolution_HISTORY_RESOLUTION_DAY}, "start_time", "800 days"},
		"a token of nothing":    {&history{PageToken: "x"}, "page_token", "token"},
		"a token of long ago":   {&history{PageToken: "1.2"}, "page_token", "token"},
		"a token backwards":     {&history{PageToken: "zzzzzzzzzz.1"}, "page_token", "token"},
		"a huge token":          {&history{PageToken: strings.Repeat("9", 64)}, "page_token", "token"},
		"an unknown resolution": {&history{Resolution: 99}, "resolution", "enum"},
		"uptime of an era":      {&monitorv1.GetSiteUptimeRequest{StartTime: ago(900 * day)}, "start_time", "800 days"},
		"no whole day":          {&monitorv1.BatchGetSiteUptimesRequest{SiteIds: []int64{site}, StartTime: timestamppb.New(midnight.Add(-time.Hour))}, "start_time", "midnight"},
		"no whole day at last":  {&monitorv1.BatchGetSiteUptimesRequest{SiteIds: []int64{site}, EndTime: timestamppb.New(midnight.Add(-time.Hour))}, "end_time", "midnight"},
		"no site":               {&monitorv1.BatchGetSiteUptimesRequest{}, "site_ids", "at least 1"},
		"the fleet for years":   {&monitorv1.GetFleetHistoryRequest{StartTime: ago(400 * day)}, "start_time", "41 days"},
		"the fleet by check":    {&monitorv1.GetFleetHistoryRequest{Resolution: monitorv1.HistoryResolution_HISTORY_RESOLUTION_RAW}, "resolution", "not be in"},
	} {
		var err error
		switch req := tt.req.(type) {
		case *history:
			req.SiteId = site
			_, err = r.history().GetSiteHistory(t.Context(), req)
		case *monitorv1.GetSiteUptimeRequest:
			req.SiteId = site
			_, err = r.history().GetSiteUptime(t.Context(), req)
		case *monitorv1.BatchGetSiteUptimesRequest:
			_, err = r.history().BatchGetSiteUptimes(t.Context(), req)
		case *monitorv1.GetFleetHistoryRequest:
			_, err = r.history().GetFleetHistory(t.Context(), req)
		}
		if status.Code(err) != codes.InvalidArgument || fieldOf(err) != tt.field || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, names %q", name, err, fieldOf(err))
		}
	}
}

func TestALimitedCallerLooksBackAtItsOwnSitesOnly(t *testing.T) {
	t.Parallel()
	r := guarded(t)
	admin := as(t, r.token(t, nil, "sites:read", "sites:write", "fleet:read"))
	mine := as(t, r.token(t, []int64{8}, "sites:read"))
	r.ready(t)
	ids := map[int64]int64{}
	for _, blog := range []int64{8, 9} {
		s, err := monitorv1.NewSiteServiceClient(r.conn).CreateSite(admin, &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{Url: "https://example.com/", BlogId: blog}})
		if err != nil {
			t.Fatal(err)
		}
		ids[blog] = s.GetSite().GetSiteId()
	}
	asked := func(ctx context.Context, site int64) []codes.Code {
		_, one := r.history().GetSiteHistory(ctx, &monitorv1.GetSiteHistoryRequest{SiteId: site})
		_, two := r.history().GetSiteUptime(ctx, &monitorv1.GetSiteUptimeRequest{SiteId: site})
		stream, three := r.history().ExportSiteHistory(ctx, &monitorv1.ExportSiteHistoryRequest{SiteId: site})
		for three == nil {
			_, three = stream.Recv()
		}
		if three == io.EOF {
			three = nil
		}
		return []codes.Code{status.Code(one), status.Code(two), status.Code(three)}
	}
	for _, tt := range []struct {
		ctx  context.Context
		blog int64
		want codes.Code
	}{{admin, 9, codes.OK}, {mine, 8, codes.OK}, {mine, 9, codes.NotFound}} {
		if got := asked(tt.ctx, ids[tt.blog]); !slices.Equal(got, []codes.Code{tt.want, tt.want, tt.want}) {
			t.Errorf("blog %d: %v, want %v", tt.blog, got, tt.want)
		}
	}
	batch, err := r.history().BatchGetSiteUptimes(mine, &monitorv1.BatchGetSiteUptimesRequest{SiteIds: []int64{ids[8], ids[9]}})
	if err != nil || len(batch.GetUptimes()) != 1 || batch.GetUptimes()[0].GetSiteId() != ids[8] {
		t.Errorf("a batch has %v, %v", batch, err)
	}
	if _, err := r.history().GetFleetHistory(mine, &monitorv1.GetFleetHistoryRequest{}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("the fleet: %v", err)
	}
	if _, err := r.history().GetFleetHistory(admin, &monitorv1.GetFleetHistoryRequest{}); err != nil {
		t.Errorf("the fleet for all: %v", err)
	}
}

package coordinator_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// fiveDays is the past of a site that has been watched for the five days before today, and was
// good, in 120 ms, but that nobody looked on the third, in which an outage of four hours is on
// record, and that it was down for an hour of the fourth.
func fiveDays(t *testing.T, s store.Store, today time.Time) check.SiteID {
	t.Helper()
	begin := today.AddDate(0, 0, -5)
	row, err := s.CreateSite(t.Context(), record.Site{BlogID: 7, Bucket: 7, URL: "https://example.com/", Interval: 5 * time.Minute, Paused: true, PublicBadges: true})
	if err != nil {
		t.Fatal(err)
	}
	if row, err = s.UpdateSite(t.Context(), row.ID, begin, func(row record.Site) (record.Site, error) { row.Paused = false; return row, nil }); err != nil {
		t.Fatal(err)
	}
	lease, err := s.ClaimShard(t.Context(), shard.Of(7), shard.Owner{Node: "earlier", TTL: time.Hour}, today)
	if err != nil {
		t.Fatal(err)
	}
	outages := [][2]time.Duration{{54 * time.Hour, 58 * time.Hour}, {84 * time.Hour, 85 * time.Hour}}
	for i, o := range outages {
		for j, at := range o {
			c := record.Change{Key: string(rune('a' + 2*i + j)), SiteID: row.ID, BlogID: 7, Bucket: 7, URL: row.URL, From: check.StatusRunning, To: check.StatusDown, Start: begin.Add(at), At: begin.Add(at)}
			if j == 1 {
				c.From, c.To = c.To, c.From
			}
			if _, err := storetest.Commit(t.Context(), s, lease.Fence(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	p := &pen{fence: lease.Fence(), book: history.NewBook()}
	first := history.HourOf(begin)
	for hour := first; hour < history.HourOf(time.Now()); hour++ {
		switch after := hour - first; {
		case after >= 48 && after < 72:
		case after == 84:
			p.noteCode(row, hour, history.Failed)
		default:
			p.note(row, hour, 120*time.Millisecond)
		}
	}
	l, err := logbook.New(logbook.Options{Engine: p, Store: s, Shards: p, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	l.Flush(t.Context(), shard.Of(7))
	if err := s.ReleaseShard(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	return row.ID
}

// A day on which nobody looked is no day of downtime for WordPress.com's clients, whatever is on
// record of it, and neither for a badge.
func TestADayOnWhichNobodyLookedIsNotDown(t *testing.T) {
	t.Parallel()
	today := time.Now().UTC().Truncate(24 * time.Hour)
	var id check.SiteID
	r := startWith(t, func(o *coordinator.Options) {
		id = fiveDays(t, o.Store, today)
		o.History.FlushEvery = time.Second
	})
	r.ready(t)
	c := wpcomv1.NewJetpackMonitorServiceClient(r.conn)
	days := func() map[string]*wpcomv1.JetpackMonitorDay {
		resp, err := c.GetJetpackMonitorUptime(t.Context(), &wpcomv1.GetJetpackMonitorUptimeRequest{Site: "7"})
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetDays()
	}
	date := func(day int) string { return today.AddDate(0, 0, day-5).Format(time.DateOnly) }
	await(t, "the past is folded", func() bool {
		d := days() // those that are not folded yet are of no turns
		return d[date(1)].GetStatus() == "up" && d[date(2)].GetStatus() == "monitor_inactive" && d[date(3)].GetDowntimeInMinutes() == 60 && d[date(4)].GetStatus() == "up"
	})
	for day, want := range map[int]*wpcomv1.JetpackMonitorDay{
		-1: {Status: "monitor_inactive"}, 0: {Status: "up"}, 1: {Status: "up"}, 2: {Status: "monitor_inactive"}, 3: {Status: "down", DowntimeInMinutes: 60}, 4: {Status: "up"}, 5: {Status: "up"},
	} {
		if got := days()[date(day)]; got.GetStatus() != want.GetStatus() || got.GetDowntimeInMinutes() != want.GetDowntimeInMinutes() {
			t.Errorf("day %d: %v, want %v", day, got, want)
		}
	}
	list, err := c.ListJetpackMonitorIncidents(t.Context(), &wpcomv1.ListJetpackMonitorIncidentsRequest{Site: "example.com"})
	if err != nil || list.GetIncidents()[3].GetStatus() != "no-data" || list.GetIncidents()[3].GetTotalDowntime() != 0 || list.GetIncidents()[2].GetTotalDowntime() != 60 {
		t.Errorf("incidents %v, %v", list, err)
	}
	protect, err := wpcomv1.NewProtectDashboardServiceClient(r.conn).GetProtectUptime(t.Context(), &wpcomv1.GetProtectUptimeRequest{Site: "7"})
	if n := len(protect.GetDays()); err != nil || n != 40 || protect.GetDays()[n-4].GetStatus() != "monitor_inactive" || protect.GetDays()[n-3].GetDowntimeInMinutes() != 60 {
		t.Errorf("the dashboard's %v, %v", protect, err)
	}
	// An hour of more than five days, and of less than six: 99.1 to 99.4 %.
	badges := monitorv1.NewBadgeServiceClient(r.conn)
	up, err := badges.GetBadge(t.Context(), &monitorv1.GetBadgeRequest{SiteId: int64(id), Badge: "uptime-30d.svg"})
	if err != nil || up.GetMessage() < "99.10%" || up.GetMessage() > "99.40%" || up.GetTone() != monitorv1.BadgeTone_BADGE_TONE_FAIR {
		t.Errorf("uptime %v, %v", up, err)
	}
	took, err := badges.GetBadge(t.Context(), &monitorv1.GetBadgeRequest{SiteId: int64(id), Badge: "response.svg"})
	if err != nil || took.GetMessage() != "118 ms" && took.GetMessage() != "119 ms" && took.GetMessage() != "120 ms" && took.GetMessage() != "121 ms" {
		t.Errorf("response %v, %v", took, err)
	}
}

package scenario

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/fakesite"
)

// planned is a maintenance as far as stories read it.
type planned struct {
	ID     string `json:"maintenance_id"`
	Active bool   `json:"active"`
	Window struct {
		Start time.Time `json:"start_time"`
		End   time.Time `json:"end_time"`
	} `json:"window"`
}

// plan plans a maintenance that began some time ago and takes a minute or longer; more is JSON
// about the rest, as its target.
func (r rest) plan(t *testing.T, ago, length time.Duration, more string) planned {
	t.Helper()
	var p planned
	r.call(t, http.MethodPost, "/v1/maintenances", fmt.Sprintf(`{"name":"story","start_time":%q,"duration":"%ds",%s}`,
		time.Now().Add(-ago).UTC().Format(time.RFC3339), int(length.Seconds()), more), &p)
	if !p.Active {
		t.Fatalf("the maintenance is not open: %+v", p)
	}
	return p
}

// wantMaintained checks that a site has one outage, which began in a maintenance and has time in it.
func (s system) wantMaintained(t *testing.T, site string, p planned) outage {
	t.Helper()
	all := s.awaitOutages(t, site, 1)
	if len(all) != 1 || all[0].MaintenanceID != p.ID || all[0].MaintenanceDuration == "" {
		t.Fatalf("the outages are %+v, want one of maintenance %s", all, p.ID)
	}
	return all[0]
}

// awaitOutages waits until a number of outages of a site is written.
func (s system) awaitOutages(t *testing.T, site string, n int) (all []outage) {
	t.Helper()
	await(t, fmt.Sprintf("site %s has %d outages", site, n), patience, func() bool {
		all = s.rest.outages(t, site)
		return len(all) >= n
	})
	return all
}

// covered are ways in which a maintenance covers a site, as JSON.
func covered(siteID, u string) map[string]string {
	parsed, _ := url.Parse(u)
	return map[string]string{
		"by its id":   fmt.Sprintf(`"site_id":%q`, siteID),
		"by a tag":    `"tag":"maintained"`,
		"by its host": fmt.Sprintf(`"host":%q`, parsed.Host),
	}
}

func TestNobodyIsToldThatASiteFailsAndReturnsInMaintenance(t *testing.T) {
	t.Parallel()
	tell(t, setup{}, func(t *testing.T, s system) {
		for way := range covered("", "") {
			target := fakesite.New(t)
			id := s.rest.create(t, target.URL(), 900).SiteID
			s.rest.patch(t, id, `{"tags":["maintained"]}`)
			s.rest.awaitState(t, id, "UP")
			p := s.rest.plan(t, 0, time.Hour, covered(id, target.URL())[way])
			if got := s.rest.site(t, id); got.MaintenanceID != p.ID || !got.MaintenanceEndTime.Equal(p.Window.End) {
				t.Errorf("%s: the site is %+v", way, got)
			}
			target.SetStatus(http.StatusServiceUnavailable)
			s.hurry(t, id)
			if got := s.rest.awaitState(t, id, "DOWN"); got.StatusID != 1 {
				t.Errorf("%s: the site that nobody was told of has status %d", way, got.StatusID)
			}
			s.wantMaintained(t, id, p)
			var x struct{ Summary string }
			s.rest.call(t, http.MethodGet, "/v1/sites/"+id+":explain", "", &x)
			if !strings.Contains(x.Summary, "nobody is told") || !strings.Contains(x.Summary, "maintenance "+p.ID+" until") {
				t.Errorf("%s: explained as %q", way, x.Summary)
			}
			target.SetStatus(http.StatusOK)
			s.hurry(t, id)
			s.rest.awaitState(t, id, "UP")
			await(t, "the outage is over", patience, func() bool { return !s.rest.outages(t, id)[0].EndTime.IsZero() })
			if o := s.wantMaintained(t, id, p); o.EndReason != "END_REASON_RECOVERED" {
				t.Errorf("%s: the outage is %+v", way, o)
			}
			var days map[string]struct {
				Status string
				Down   int `json:"downtime_in_minutes"`
			}
			s.rest.call(t, http.MethodGet, "/wpcom/v2/sites/900/jetpack-monitor-uptime", "", &days)
			for day, d := range days {
				if d.Down != 0 {
					t.Errorf("%s: on %s it is said to have been down for %d minutes", way, day, d.Down)
				}
			}
			s.rest.call(t, http.MethodDelete, "/v1/maintenances/"+p.ID, "", &struct{}{})
			s.checkedAgain(t, id, 2)
			s.inbox.isTold(t, target.URL())
			s.rest.patch(t, id, `{"tags":[]}`)
		}
	}, inProcess(), asRolesMariaDB())
}

func TestWhatOutlastsItsMaintenanceIsToldOnceAfterIt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ago  time.Duration
		more string
		// end ends the maintenance; nil leaves it to the time.
		end func(t *testing.T, r rest, p planned)
	}{
		"it ends in time":   {45 * time.Second, `"duration":"60s"`, nil},
		"it is one of many": {24*time.Hour*3 + 45*time.Second, `"duration":"60s","recurrence":"FREQ=DAILY","time_zone":"UTC"`, nil},
		"it is ended": {0, `"duration":"3600s"`, func(t *testing.T, r rest, p planned) {
			t.Helper()
			r.call(t, http.MethodPost, "/v1/maintenances/"+p.ID+":end", "", &p)
		}},
		"it is made shorter": {10 * time.Minute, `"duration":"3600s"`, func(t *testing.T, r rest, p planned) {
			t.Helper()
			r.call(t, http.MethodPatch, "/v1/maintenances/"+p.ID, `{"recurrence":"FREQ=DAILY","duration":"60s"}`, &p)
		}},
		"it is deleted": {0, `"duration":"3600s"`, func(t *testing.T, r rest, p planned) {
			t.Helper()
			r.call(t, http.MethodDelete, "/v1/maintenances/"+p.ID, "", &struct{}{})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, asRolesMariaDB(), setup{idle: true, flags: []string{"--interval=2s"}})
			target := fakesite.New(t)
			id := s.rest.create(t, target.URL(), 9).SiteID
			s.rest.awaitState(t, id, "UP")
			var p planned
			s.rest.call(t, http.MethodPost, "/v1/maintenances", fmt.Sprintf(`{"name":"story","site_id":%q,"start_time":%q,%s}`,
				id, time.Now().Add(-tt.ago).UTC().Format(time.RFC3339), tt.more), &p)
			target.SetStatus(http.StatusServiceUnavailable)
			s.rest.awaitState(t, id, "DOWN")
			s.awaitOutages(t, id, 1)
			if time.Now().Before(p.Window.End) {
				s.inbox.isTold(t, target.URL())
			}
			ended := p.Window.End
			if tt.end != nil {
				ended = time.Now()
				tt.end(t, s.rest, p)
			}
			s.inbox.awaitTold(t, target.URL(), time.Until(ended)+patience, 0)
			told := time.Now()
			if told.Before(ended.Add(-time.Second)) || told.After(ended.Add(busy)) {
				t.Errorf("told %s after the end", told.Sub(ended))
			}
			s.checkedAgain(t, id, 2)
			s.inbox.isTold(t, target.URL(), 0)
			if all := s.rest.outages(t, id); len(all) != 1 || all[0].MaintenanceID != p.ID || !all[0].StartTime.Before(ended) {
				t.Errorf("the outages are %+v", all)
			}
			target.SetStatus(http.StatusOK)
			s.inbox.awaitTold(t, target.URL(), patience, 0, 1)
		})
	}
}

// That a site is up again is never held back.
func TestASiteThatWasToldDownIsToldUpInItsMaintenance(t *testing.T) {
	t.Parallel()
	tell(t, setup{}, func(t *testing.T, s system) {
		target := fakesite.New(t)
		target.SetStatus(http.StatusServiceUnavailable)
		id := s.rest.create(t, target.URL(), 9).SiteID
		s.inbox.awaitTold(t, target.URL(), patience, 0)
		p := s.rest.plan(t, 0, time.Hour, fmt.Sprintf(`"site_id":%q`, id))
		s.checkedAgain(t, id, 2)
		target.SetStatus(http.StatusOK)
		s.hurry(t, id)
		s.inbox.awaitTold(t, target.URL(), patience, 0, 1)
		target.SetStatus(http.StatusServiceUnavailable)
		s.hurry(t, id)
		s.rest.awaitState(t, id, "DOWN")
		if all := s.awaitOutages(t, id, 2); len(all) != 2 || all[0].MaintenanceID != p.ID || all[1].MaintenanceID != "0" {
			t.Errorf("the outages are %+v", all)
		}
		s.inbox.isTold(t, target.URL(), 0, 1)
	}, inProcess(), asRolesMariaDB())
}

// A coordinator is killed while sites fail in maintenance: nothing is told then, and what
// outlasts it is told once.
func TestACoordinatorIsKilledInTheMiddleOfAMaintenance(t *testing.T) {
	t.Parallel()
	tell(t, setup{flags: []string{"--interval=2s"}}, func(t *testing.T, s system) {
		returns, stays := fakesite.New(t), fakesite.New(t)
		var ids []string
		for _, target := range []*fakesite.Site{returns, stays} {
			id := s.rest.create(t, target.URL(), 9).SiteID
			s.rest.patch(t, id, `{"tags":["maintained"]}`)
			s.rest.awaitState(t, id, "UP")
			ids = append(ids, id)
		}
		p := s.rest.plan(t, 0, time.Hour, `"tag":"maintained"`)
		for i, target := range []*fakesite.Site{returns, stays} {
			target.SetStatus(http.StatusServiceUnavailable)
			s.hurry(t, ids[i])
			s.wantMaintained(t, ids[i], p)
		}
		for range 2 {
			s.crash(t, coordinator)
			s.restart(t)
			for _, id := range ids {
				s.checkedAgain(t, id, 4)
				s.rest.awaitState(t, id, "DOWN")
			}
		}
		s.inbox.isTold(t, returns.URL())
		s.inbox.isTold(t, stays.URL())
		returns.SetStatus(http.StatusOK)
		s.hurry(t, ids[0])
		s.rest.awaitState(t, ids[0], "UP")
		s.wantMaintained(t, ids[0], p)
		s.crash(t, coordinator)
		s.restart(t)
		s.rest.call(t, http.MethodPost, "/v1/maintenances/"+p.ID+":end", "", &p)
		s.inbox.awaitTold(t, stays.URL(), patience, 0)
		for _, id := range ids {
			s.checkedAgain(t, id, 2)
		}
		s.inbox.isTold(t, returns.URL())
		s.inbox.isTold(t, stays.URL(), 0)
		s.wantMaintained(t, ids[1], p)
	}, asRolesMariaDB())
}

package scenario

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/fakesite"
)

const noNotify = "--no-notify"

// again kills the coordinator, does something, and starts it with other flags.
func (s system) again(t *testing.T, between func(), without string, with ...string) {
	t.Helper()
	s.crash(t, coordinator)
	between()
	p := s.harness.(*roles).processes[coordinator]
	p.args = slices.DeleteFunc(slices.Clone(p.args), func(a string) bool { return a == without })
	p.args = append(p.args, with...)
	s.restart(t)
}

// lifeline is a site in a story of muting: its first row, and its fate.
type lifeline struct {
	name   string
	status int // of its row
	// down says whether it fails at first, while muted, while the coordinator is away
	// before muting ends, and from then on.
	first, muted, away, last bool
	// comesBack: it is up again while still muted.
	comesBack bool
	// v1 tells of it while we are muted: then its row is this.
	v1   *int
	told []int // when muting has ended

	target *fakesite.Site
	id     string
}

func (l *lifeline) fails(now bool) {
	code := http.StatusOK
	if now {
		code = http.StatusServiceUnavailable
	}
	l.target.SetStatus(code)
}

// In a trial Jetmon decides and records, and notifies nobody. When the trial ends, it notifies
// WordPress.com once of each status that is true then and that WordPress.com does not know.
func TestNothingStaleIsToldWhenMutingEnds(t *testing.T) {
	t.Parallel()
	for name, noUpdates := range map[string]bool{"with --db-updates": false, "without, beside v1": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := []*lifeline{
				{name: "works all the time", status: 1},
				{name: "fails from then on", status: 1, muted: true, away: true, last: true, told: []int{0}},
				{name: "fails and comes back", status: 1, muted: true, comesBack: true},
				{name: "comes back while nobody looks", status: 1, muted: true, away: false, last: false},
				{name: "breaks while nobody looks", status: 1, away: true, last: true, told: []int{0}},
				{name: "v1 called down, and comes back", status: 0, first: true, told: []int{1}},
				{name: "v1 called down for long, and it works", status: 2, told: []int{1}},
				{name: "v1 called down for long, and it is", status: 2, first: true, muted: true, away: true, last: true},
			}
			if noUpdates {
				lines = append(lines,
					&lifeline{name: "v1 tells that it fails", status: 1, muted: true, away: true, last: true, v1: new(2)},
					&lifeline{name: "v1 tells that it failed, and it works", status: 1, v1: new(0), told: []int{1}})
			}
			muteAndLift(t, noUpdates, lines)
		})
	}
}

func muteAndLift(t *testing.T, noUpdates bool, lines []*lifeline) {
	t.Helper()
	var rows []left
	for i, l := range lines {
		l.target = fakesite.New(t)
		l.fails(l.first)
		rows = append(rows, left{blog: 2000 + i, status: l.status, changed: time.Now().Add(-time.Minute).UTC(), target: l.target})
	}
	s := begin(t, asRolesMariaDB(), setup{
		noUpdates: noUpdates, flags: []string{"--interval=2s", noNotify},
		before: func(t *testing.T, dsn string) { insertLeft(t, dsn, rows) },
	})
	var page struct{ Sites []site }
	s.rest.call(t, http.MethodGet, "/v1/sites", "", &page)
	db := openSQL(t, s.dsn())
	untold := 0
	for i, l := range lines {
		l.id = page.Sites[slices.IndexFunc(page.Sites, func(x site) bool { return x.URL == rows[i].target.URL() })].SiteID
		l.fails(l.muted)
		want := "UP"
		if l.muted {
			want = map[int]string{1: "DOWN", 2: "CONFIRMED_DOWN"}[l.status]
		}
		s.rest.awaitState(t, l.id, want)
		if l.muted && l.status == 1 || !l.muted && l.status != 1 {
			untold++
		}
		if l.comesBack {
			l.fails(false)
			s.rest.awaitState(t, l.id, "UP")
			untold--
		}
		if l.v1 != nil {
			execute(t, db, "UPDATE jetpack_monitor_sites SET site_status = ?, last_status_change = ? WHERE jetpack_monitor_site_id = ?",
				*l.v1, time.Now().UTC().Add(time.Second).Format(time.DateTime), l.id)
		}
	}
	await(t, "the sites that are untold are counted", patience, func() bool {
		return s.rest.fleet(t).Coordinator.UntoldSites == strconv.Itoa(untold)
	})
	if f := s.rest.fleet(t); !f.Coordinator.Muted || f.Coordinator.UndeliveredNotices != "0" || len(f.Alarms) != 0 {
		t.Errorf("while muted the fleet says %+v", f)
	}
	if n := len(s.inbox.all()); n != 0 {
		t.Errorf("%d requests while muted", n)
	}
	s.again(t, func() {
		for _, l := range lines {
			l.fails(l.away)
		}
	}, noNotify)
	for range 2 { // lives
		for _, l := range lines {
			l.fails(l.last)
			if l.told != nil {
				s.inbox.awaitTold(t, l.target.URL(), patience, l.told...)
			}
		}
		for _, l := range lines {
			s.checkedAgain(t, l.id, 2)
			s.inbox.isTold(t, l.target.URL(), l.told...)
			state := "UP"
			if l.last {
				state = map[bool]string{true: "CONFIRMED_DOWN", false: "DOWN"}[l.status == 2 || l.v1 != nil]
			}
			s.rest.awaitState(t, l.id, state)
			if open := slices.ContainsFunc(s.rest.outages(t, l.id), func(o outage) bool { return o.EndTime.IsZero() }); open && !l.last {
				t.Errorf("%q: an outage is open", l.name)
			}
			if n := len(s.rest.outages(t, l.id)); n > 1 {
				t.Errorf("%q: %d outages", l.name, n)
			}
		}
		s.again(t, func() {}, "")
	}
}

// WordPress.com is away, and then Jetmon is muted. When muting ends, Jetmon sends not the
// notifications that waited, but the present truth.
func TestWhatWaitsWhenMutingBeginsIsToldAsItIsWhenItEnds(t *testing.T) {
	t.Parallel()
	s := begin(t, asRolesMariaDB(), setup{flags: []string{"--interval=2s"}})
	back, stays := fakesite.New(t), fakesite.New(t)
	s.inbox.become(error500)
	var ids []string
	for i, target := range []*fakesite.Site{back, stays} {
		target.SetStatus(http.StatusServiceUnavailable)
		ids = append(ids, s.rest.create(t, target.URL(), i+1).SiteID)
	}
	for _, id := range ids {
		s.rest.awaitState(t, id, "DOWN")
	}
	await(t, "both notifications were refused", patience, func() bool {
		keys := map[string]bool{}
		for _, a := range s.inbox.all() {
			keys[a.key] = true
		}
		return len(keys) == 2 && s.rest.fleet(t).Coordinator.UndeliveredNotices == "2"
	})
	s.again(t, func() { s.inbox.become(well) }, "", noNotify)
	tried := len(s.inbox.all())
	await(t, "nothing waits any more", patience, func() bool {
		c := s.rest.fleet(t).Coordinator
		return c.UndeliveredNotices == "0" && c.UntoldSites == "2"
	})
	back.SetStatus(http.StatusOK)
	s.rest.awaitState(t, ids[0], "UP")
	if n := len(s.inbox.all()); n != tried || len(s.rest.fleet(t).Alarms) != 0 {
		t.Errorf("while muted %d requests came, and the alarms are %+v", n-tried, s.rest.fleet(t).Alarms)
	}
	s.again(t, func() {}, noNotify)
	s.inbox.awaitTold(t, back.URL(), patience, 1)
	s.inbox.awaitTold(t, stays.URL(), patience, 0)
	for _, id := range ids {
		s.checkedAgain(t, id, 2)
	}
	s.inbox.isTold(t, back.URL(), 1)
	s.inbox.isTold(t, stays.URL(), 0)
	if all := s.rest.outages(t, ids[1]); len(all) != 1 || !all[0].EndTime.IsZero() {
		t.Errorf("the outages of the site that stays down are %+v, want one", all)
	}
}

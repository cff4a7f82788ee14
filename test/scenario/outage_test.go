package scenario

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/fakesite"
)

// The promise of the README: with an interval of 5 s and a re-check after 1 s.
const (
	toldDown = 15 * time.Second
	toldUp   = 12 * time.Second
)

func TestOutageIsToldOnceAndItsEndOnce(t *testing.T) {
	t.Parallel()
	tell(t, setup{token: "wpcom-secret"}, func(t *testing.T, s system) {
		target := fakesite.New(t)
		id := s.rest.create(t, target.URL()+"?a=1&b=%20#", 42).SiteID
		s.rest.awaitState(t, id, "UP")
		outageAndEnd(t, s, target, id)
	}, inProcess(), asDev(), asRolesMariaDB())
}

func TestDevKeepsThePromisedTimes(t *testing.T) {
	t.Parallel()
	takePlace(t)
	target, b := fakesite.New(t), newInbox(t)
	h := startDevWith(t, b, "--site="+target.URL(), "--interval=5s", "--recheck=1s")
	s := system{harness: h, rest: rest{h.restURL()}, inbox: b}
	s.complete(t)
	var page struct{ Sites []site }
	s.rest.call(t, http.MethodGet, "/v1/sites", "", &page)
	if len(page.Sites) != 1 {
		t.Fatalf("jetmon dev watches %d sites, want one", len(page.Sites))
	}
	s.rest.awaitState(t, page.Sites[0].SiteID, "UP")
	outageAndEnd(t, s, target, page.Sites[0].SiteID)
}

// outageAndEnd lets a site fail and come back.
func outageAndEnd(t *testing.T, s system, target *fakesite.Site, id string) {
	t.Helper()
	url := s.rest.site(t, id).URL
	failed := time.Now()
	target.SetStatus(http.StatusServiceUnavailable)
	s.hurry(t, id)
	down := s.inbox.awaitTold(t, url, toldDown, 0)[0]
	if took := down.at.Sub(failed); took > toldDown {
		t.Errorf("status 0 was told after %s, want at most %s", took, toldDown)
	}
	toldOfDown(t, s, id, down)
	s.checkedAgain(t, id, 2)
	s.inbox.isTold(t, url, 0)

	back := time.Now()
	target.SetStatus(http.StatusOK)
	s.hurry(t, id)
	up := s.inbox.awaitTold(t, url, toldUp, 0, 1)[1]
	if took := up.at.Sub(back); took > toldUp {
		t.Errorf("status 1 was told after %s, want at most %s", took, toldUp)
	}
	if up.key == down.key {
		t.Errorf("two notifications have the key %s", up.key)
	}
	toldOfUp(t, s, id, up)
	s.checkedAgain(t, id, 2)
	s.inbox.isTold(t, url, 0, 1)
	if n := len(s.inbox.all()); n != 2 {
		t.Errorf("WordPress.com got %d requests, want 2", n)
	}
}

// toldOfDown checks the evidence behind status 0.
func toldOfDown(t *testing.T, s system, id string, a attempt) {
	t.Helper()
	own, votes := checksOf(a, 0, http.StatusServiceUnavailable)
	if own != 3 || votes != 3 {
		t.Errorf("status 0 tells %d checks of ours and %d votes with 503, want 3 and 3: %s", own, votes, a.data)
	}
	now := s.rest.site(t, id)
	if now.State != "SITE_STATE_DOWN" || now.StatusID != 0 || now.OutageID == "0" {
		t.Errorf("the site is %+v, want down with an outage", now)
	}
	o := s.rest.outage(t, now.OutageID)
	regions := map[string]bool{}
	for _, v := range o.Votes {
		if v.Value == "VOTE_VALUE_DOWN" {
			regions[v.Region] = true
		}
	}
	if len(o.Votes) != 3 || len(regions) != 3 || o.Failure != "FAILURE_KIND_SERVER" || o.HTTPStatus != 503 {
		t.Errorf("the outage is %+v, want 503 and 3 votes down of 3 regions", o)
	}
	if !o.EndTime.IsZero() || o.StartTime.IsZero() || o.ConfirmTime.Before(o.StartTime) {
		t.Errorf("the outage began %s, was confirmed %s and ended %s, want it open", o.StartTime, o.ConfirmTime, o.EndTime)
	}
	var who []string
	for _, c := range o.Checks {
		who = append(who, c.Checker)
	}
	slices.Sort(who)
	if len(o.Checks) != 3 || len(slices.Compact(who)) != 2 {
		t.Errorf("checks by %v led to the outage, want 3 by both checkers", who)
	}
}

// toldOfUp checks the evidence behind status 1.
func toldOfUp(t *testing.T, s system, id string, a attempt) {
	t.Helper()
	if own, _ := checksOf(a, 1, http.StatusOK); own != 2 {
		t.Errorf("status 1 tells %d good checks of ours, want 2: %s", own, a.data)
	}
	now := s.rest.awaitState(t, id, "UP")
	if now.StatusID != 1 || now.OutageID != "0" {
		t.Errorf("the site is %+v, want running without an outage", now)
	}
	all := s.rest.outages(t, id)
	if len(all) != 1 || all[0].EndTime.IsZero() || all[0].StatusID != 1 {
		t.Fatalf("the outages are %+v, want one that is over", all)
	}
	// v1 told with a change when the one before it was.
	since := all[0].ConfirmTime.UTC().Format("2006-01-02T15:04:05.000Z")
	if got := a.notification.LastStatusChange; got == nil || *got != since {
		t.Errorf("status 1 says that the change before was at %s, want %s", a.data, since)
	}
}

// checksOf counts the checks in a notification with a status and a code: ours and the
// verifliers'.
func checksOf(a attempt, status, code int) (own, votes int) {
	for _, c := range a.notification.Checks {
		switch {
		case c.Status != status || c.Code != code:
		case c.Type == 1:
			own++
		default:
			votes++
		}
	}
	return own, votes
}

func TestFailureThatIsOverAtTheNextCheckIsNotTold(t *testing.T) {
	t.Parallel()
	// Time enough to come back between the first failing check and the second.
	tell(t, setup{recheck: 2 * time.Second}, func(t *testing.T, s system) {
		target := fakesite.New(t)
		id := s.rest.create(t, target.URL(), 1).SiteID
		s.rest.awaitState(t, id, "UP")
		target.SetStatus(http.StatusBadGateway)
		s.hurry(t, id)
		s.rest.awaitState(t, id, "SUSPECT")
		target.SetStatus(http.StatusOK)
		s.rest.awaitState(t, id, "UP")
		s.checkedAgain(t, id, 2)
		s.inbox.isTold(t, target.URL())
		if all := s.rest.outages(t, id); len(all) != 0 {
			t.Errorf("a blip left outages: %+v", all)
		}
	}, inProcess(), asRoles())
}

// Checkers and verifliers use different name servers, so they see different sites.
func TestSiteThatOnlyCheckersSeeFailIsKeptAsAFalseAlarm(t *testing.T) {
	t.Parallel()
	for _, k := range []kind{inProcess(), asRoles()} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			url, o := twoFaced(t)
			s := begin(t, k, o)
			id := s.rest.create(t, url, 1).SiteID
			await(t, "a rejected ballot is kept", patience, func() bool { return len(rejected(t, s, id)) > 0 })
			s.checkedAgain(t, id, 2)
			s.inbox.isTold(t, url)
			if all := s.rest.outages(t, id); len(all) != 0 {
				t.Errorf("a false alarm left outages: %+v", all)
			}
			if now := s.rest.site(t, id); now.StatusID != 1 || now.HoldReason != "" {
				t.Errorf("the site is %+v, want running and not held", now)
			}
			up := 0
			for _, v := range rejected(t, s, id)[0].Votes {
				if v.Observation != nil && v.Observation.HTTPStatus == http.StatusOK {
					up++
				}
			}
			if up < 2 {
				t.Errorf("the false alarm keeps %d good observations, want at least 2", up)
			}
		})
	}
}

package scenario

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/fakesite"
)

// undecided is longer than the three rounds of verification, 5 s and 15 s apart.
const undecided = 40 * time.Second

func TestOutageWaitsForVerifliersThatCannotBeReached(t *testing.T) {
	t.Parallel()
	tell(t, setup{}, func(t *testing.T, s system) {
		target := fakesite.New(t)
		id := s.rest.create(t, target.URL(), 7).SiteID
		s.rest.awaitState(t, id, "UP")
		s.crash(t, veriflier2)
		s.crash(t, veriflier3)
		target.SetStatus(http.StatusServiceUnavailable)
		s.hurry(t, id)
		s.rest.awaitState(t, id, "SUSPECT", "VERIFYING")
		var held site
		await(t, "the site is held", undecided, func() bool {
			held = s.rest.site(t, id)
			if held.State != "SITE_STATE_SUSPECT" && held.State != "SITE_STATE_VERIFYING" {
				t.Fatalf("the site is %s, want it suspect or verifying", held.State)
			}
			return held.HoldReason != ""
		})
		saysWhy(t, s, id, held)
		s.inbox.isTold(t, target.URL())
		if all := s.rest.outages(t, id); len(all) != 0 {
			t.Errorf("outages of a site that is held: %+v", all)
		}

		s.start(t, veriflier2)
		s.start(t, veriflier3)
		s.hurry(t, id)
		s.inbox.awaitTold(t, target.URL(), undecided, 0)
		s.checkedAgain(t, id, 2)
		s.inbox.isTold(t, target.URL(), 0)
		if now := s.rest.site(t, id); now.State != "SITE_STATE_DOWN" || now.HoldReason != "" {
			t.Errorf("the site is %s, held because %q, want it down and not held", now.State, now.HoldReason)
		}
		if alarms := s.rest.fleet(t).Alarms; len(alarms) != 0 {
			t.Errorf("alarms are left: %+v", alarms)
		}
	}, inProcess(), asRoles())
}

// saysWhy checks that every place an operator reads names the missing verifliers.
func saysWhy(t *testing.T, s system, id string, held site) {
	t.Helper()
	missing := []node{veriflier2, veriflier3}
	f := s.rest.fleet(t)
	alarm := ""
	for _, a := range f.Alarms {
		if a.Kind == "ALARM_KIND_INCONCLUSIVE" && a.SiteID == id {
			alarm = a.Message
		}
	}
	line := ""
	for l := range strings.SplitSeq(s.log(coordinator), "\n") {
		if strings.Contains(l, "held as suspect") {
			line = l
		}
	}
	for where, text := range map[string]string{"hold_reason": held.HoldReason, "the alarm in /v1/fleet": alarm, "the log": line} {
		for _, n := range missing {
			if !strings.Contains(text, string(n)) {
				t.Errorf("%s does not name %s: %q", where, n, text)
			}
		}
		if strings.Contains(text, string(veriflier1)+" ") {
			t.Errorf("%s blames %s: %q", where, veriflier1, text)
		}
	}
	for _, v := range f.Verifliers {
		want := "VERIFLIER_STATE_UNREACHABLE"
		if v.Name == string(veriflier1) {
			want = "VERIFLIER_STATE_OK"
		}
		if v.State != want {
			t.Errorf("%s is %s (%s), want %s", v.Name, v.State, v.Detail, want)
		}
	}
}

func TestChecksGoOnWithoutACheckerAndStopWithoutAny(t *testing.T) {
	t.Parallel()
	tell(t, setup{}, func(t *testing.T, s system) {
		target := fakesite.New(t)
		id := s.rest.create(t, target.URL(), 7).SiteID
		s.rest.awaitState(t, id, "UP")
		s.crash(t, checker1)
		s.checkedAgain(t, id, 2)
		if f := s.rest.fleet(t); len(f.Checkers) != 1 || f.Checkers[0].Node != string(checker2) {
			t.Errorf("checkers %+v, want %s only", f.Checkers, checker2)
		}

		s.crash(t, checker2)
		target.SetStatus(http.StatusServiceUnavailable)
		s.hurry(t, id)
		await(t, "the alarm that there is no checker", patience, func() bool {
			f := s.rest.fleet(t)
			return len(f.Alarms) == 1 && f.Alarms[0].Kind == "ALARM_KIND_NO_CHECKERS"
		})
		// Who sees nothing has no opinion.
		if now := s.rest.site(t, id); now.State != "SITE_STATE_UP" || now.StatusID != 1 {
			t.Errorf("without a checker the site is %s, want it as it was last seen", now.State)
		}
		s.inbox.isTold(t, target.URL())

		s.start(t, checker1)
		s.hurry(t, id)
		s.inbox.awaitTold(t, target.URL(), patience, 0)
		await(t, "the alarm ends", patience, func() bool { return len(s.rest.fleet(t).Alarms) == 0 })
		s.start(t, checker2)
		target.SetStatus(http.StatusOK)
		s.hurry(t, id)
		s.inbox.awaitTold(t, target.URL(), patience, 0, 1)
	}, inProcess(), asRoles())
}

// A checker dies with a check. Another checker repeats the check.
func TestCheckOfACrashedCheckerIsMadeByTheOther(t *testing.T) {
	t.Parallel()
	tell(t, setup{}, func(t *testing.T, s system) {
		target := fakesite.New(t)
		target.Hang()
		id := s.rest.create(t, target.URL(), 7).SiteID
		var busy node
		await(t, "a checker has the check", patience, func() bool {
			for _, c := range s.rest.fleet(t).Checkers {
				if c.OpenChecks > 0 && target.Requests("") > 0 {
					busy = node(c.Node)
				}
			}
			return busy != ""
		})
		target.SetStatus(http.StatusOK) // for new connections
		s.crash(t, busy)
		s.rest.awaitState(t, id, "UP")
		if f := s.rest.fleet(t); len(f.Checkers) != 1 || f.Checkers[0].Node == string(busy) {
			t.Errorf("checkers %+v, want all but %s", f.Checkers, busy)
		}
		s.inbox.isTold(t, target.URL())
	}, asRoles())
}

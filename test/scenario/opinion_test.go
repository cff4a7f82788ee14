package scenario

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/Automattic/jetmon/test/fakesite"
)

// A server leads all clients that take gzip, as every check engine does, round in a circle;
// browsers and the second reader get the page. No number of verifliers makes that an outage.
// Then the page is gone for everybody.
func TestNobodyIsToldWhatOnlyTheEngineSees(t *testing.T) {
	t.Parallel()
	tell(t, setup{}, func(t *testing.T, s system) {
		var circle, gone atomic.Bool
		target := fakesite.New(t)
		target.SetHandler(func(w http.ResponseWriter, r *http.Request) {
			if gone.Load() || circle.Load() && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				http.Redirect(w, r, "/", http.StatusFound)
			}
		})
		id := s.rest.create(t, target.URL(), 7).SiteID
		s.rest.awaitState(t, id, "UP")
		circle.Store(true)
		s.hurry(t, id)
		held := ""
		await(t, "the site is held", undecided, func() bool {
			now := s.rest.site(t, id)
			if now.State == "SITE_STATE_DOWN" {
				t.Fatal("the site is down")
			}
			held = now.HoldReason
			return held != ""
		})
		alarm := ""
		await(t, "there is an alarm", looks+busy, func() bool {
			for _, a := range s.rest.fleet(t).Alarms {
				if a.Kind == "ALARM_KIND_READERS_DISAGREE" && a.SiteID == id {
					alarm = a.Message
				}
			}
			return alarm != ""
		})
		_, explained, err := s.rest.do(t, http.MethodGet, "/v1/sites/"+id+":explain", "", "")
		if err != nil {
			t.Fatal(err)
		}
		const saw = "the engine saw REDIRECT (loop), another reader a good page with HTTP status 200"
		for where, text := range map[string]string{"hold_reason": held, "the alarm": alarm, ":explain": explained, "the log": s.log(coordinator)} {
			if !strings.Contains(text, saw) {
				t.Errorf("%s does not say what both saw: %q", where, text)
			}
		}
		s.inbox.isTold(t, target.URL())
		if all := s.rest.outages(t, id); len(all) != 0 {
			t.Errorf("outages: %+v", all)
		}
		for _, v := range s.rest.fleet(t).Verifliers {
			if v.State != "VERIFLIER_STATE_OK" {
				t.Errorf("%s is %s (%s)", v.Name, v.State, v.Detail)
			}
		}

		gone.Store(true)
		s.hurry(t, id)
		s.inbox.awaitTold(t, target.URL(), undecided, 0)
		await(t, "no alarm is left", looks+busy, func() bool { return len(s.rest.fleet(t).Alarms) == 0 })
	}, inProcess(), asRoles())
}

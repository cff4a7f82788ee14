package scenario

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/Automattic/jetmon/test/fakesite"
)

// Clients of the API edit many sites that are down, and the coordinator is killed while it
// answers some of them. Each edit is made whole or not at all, so that a client can repeat it:
// then everything is as if it had been made once.
func TestEditsThatACrashInterruptsCanBeRepeated(t *testing.T) {
	t.Parallel()
	o := setup{token: "wpcom-secret", flags: []string{"--interval=2s"}}
	tell(t, o, func(t *testing.T, s system) {
		var all []*victim
		for i := range 30 {
			v := &victim{fate: []fate{deleted, paused, mended}[i%3], blog: 800 + i, way: byAPI, old: fakesite.New(t), next: fakesite.New(t)}
			v.id, v.url = s.rest.create(t, v.old.URL(), v.blog).SiteID, v.old.URL()
			all = append(all, v)
		}
		failAll(t, s, point{}, all)
		for _, v := range all {
			s.inbox.awaitTold(t, v.old.URL(), patience, 0)
		}
		// What was accepted but is not recorded yet when the coordinator dies is told again.
		await(t, "it is on record that all was told", patience, func() bool { return len(s.notices(t, 0, "WAITING")) == 0 })
		answers := make(chan int, len(all))
		var asking sync.WaitGroup
		for _, v := range all {
			asking.Go(func() { answers <- v.ask(t, s) })
		}
		<-answers // the first is made; the others are on their way
		s.crash(t, coordinator)
		asking.Wait()
		s.restart(t)
		interrupted := 0
		for _, v := range all {
			code := v.ask(t, s)
			if code != http.StatusOK && !(v.fate == deleted && code == http.StatusNotFound) {
				t.Errorf("a site that %s answers %d when it is asked again", v.fate, code)
			}
			if v.fate == mended {
				v.url = v.next.URL()
			}
		}
		for range len(all) - 1 {
			if <-answers != http.StatusOK {
				interrupted++
			}
		}
		t.Logf("%d of %d edits were interrupted", interrupted, len(all))
		for _, v := range all {
			v.settled(t, s, point{})
		}
		for _, v := range all {
			v.comesBack(t, s, nil)
		}
		for _, v := range all {
			v.isOver(t, s, point{})
			if n := len(s.rest.outages(t, v.id)); n != 1 {
				t.Errorf("a site that %s has %d outages, want 1", v.fate, n)
			}
		}
		sameBytes(t, s.inbox, nil)
	}, asRolesMariaDB(), asRoles())
}

// ask sends the edit by the API, and returns the status of the answer, or 0 without one.
func (v *victim) ask(t *testing.T, s system) int {
	method, body := http.MethodPatch, `{"paused":true}`
	switch v.fate {
	case deleted:
		method, body = http.MethodDelete, ""
	case mended:
		body = fmt.Sprintf(`{"url":%q}`, v.next.URL())
	}
	contentType := ""
	if body != "" {
		contentType = "application/json"
	}
	code, _, err := s.rest.do(t, method, "/v1/sites/"+v.id, contentType, body)
	if err != nil {
		return 0
	}
	return code
}

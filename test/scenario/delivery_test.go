package scenario

import (
	"net/http"
	"testing"

	"github.com/Automattic/jetmon/test/fakesite"
)

func TestSickWordPressComIsToldEachChangeOnceAndInOrder(t *testing.T) {
	t.Parallel()
	t.Run(inProcess().name, func(t *testing.T) {
		t.Parallel()
		tellSick(t, inProcess(), error500, declines, garbles, hangs, redirects, resets)
	})
	// Its times are long, so that it is given fewer of them.
	t.Run(asDev().name, func(t *testing.T) {
		t.Parallel()
		tellSick(t, asDev(), error500, resets)
	})
}

// tellSick lets sites go down and come back while WordPress.com is in trouble; then WordPress.com
// treats each notification by the script.
func tellSick(t *testing.T, k kind, script ...mode) {
	t.Helper()
	s := begin(t, k, setup{})
	s.inbox.become(error500)
	targets := []*fakesite.Site{fakesite.New(t), fakesite.New(t), fakesite.New(t)}
	var ids []string
	for i, target := range targets {
		ids = append(ids, s.rest.create(t, target.URL(), i+1).SiteID)
		s.rest.awaitState(t, ids[i], "UP")
		target.SetStatus(http.StatusServiceUnavailable)
	}
	for i, id := range ids {
		s.rest.awaitState(t, id, "DOWN")
		targets[i].SetStatus(http.StatusOK)
	}
	for _, id := range ids {
		s.rest.awaitState(t, id, "UP")
		await(t, "the end is committed", patience, func() bool {
			all := s.rest.outages(t, id)
			return len(all) == 1 && !all[0].EndTime.IsZero()
		})
	}
	s.inbox.play(script...)
	for _, target := range targets {
		// How long it takes depends on how often it was tried before: each next try comes later.
		s.inbox.awaitTold(t, target.URL(), 2*patience, 0, 1)
	}
	await(t, "no notification is left", patience, func() bool { return s.rest.fleet(t).Coordinator.UndeliveredNotices == "0" })
	await(t, "the alarm ends", patience, func() bool { return len(s.rest.fleet(t).Alarms) == 0 })
	for _, target := range targets {
		inOrder(t, s.inbox, target.URL())
	}
}

// inOrder checks that no notification of a URL is tried before the previous one was answered
// with success, or again after its own success.
func inOrder(t *testing.T, b *inbox, url string) {
	t.Helper()
	b.isTold(t, url, 0, 1)
	var done []string
	current := ""
	for _, a := range b.all() {
		switch {
		case a.notification.MonitorURL != url:
			continue
		case len(done) > 0 && done[len(done)-1] == a.key:
			t.Errorf("the notification of status %d of %s was sent again after its success", a.notification.StatusID, url)
		case current != "" && a.key != current:
			t.Errorf("status %d of %s was sent before the notification before it was accepted", a.notification.StatusID, url)
		}
		current = a.key
		if a.mode == well {
			done, current = append(done, a.key), ""
		}
	}
}

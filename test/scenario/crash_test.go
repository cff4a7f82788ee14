package scenario

import (
	"net/http"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/fakesite"
)

func TestNotificationOutlivesACrashBeforeItIsDelivered(t *testing.T) {
	t.Parallel()
	tell(t, setup{}, func(t *testing.T, s system) {
		target := fakesite.New(t)
		id := s.rest.create(t, target.URL(), 9).SiteID
		s.rest.awaitState(t, id, "UP")
		s.inbox.become(error500)
		target.SetStatus(http.StatusServiceUnavailable)
		s.hurry(t, id)
		await(t, "the outage is committed and its notification refused", patience, func() bool {
			return len(s.rest.outages(t, id)) == 1 && len(s.inbox.all()) > 0
		})
		if n := s.rest.fleet(t).Coordinator.UndeliveredNotices; n != "1" {
			t.Errorf("%s notifications are undelivered, want 1", n)
		}
		s.crash(t, coordinator)
		refused := s.inbox.all()
		s.inbox.become(well)
		s.restart(t)
		told := s.inbox.awaitTold(t, target.URL(), patience, 0)[0]
		for _, a := range refused {
			if a.key != told.key || a.data != told.data {
				t.Errorf("the accepted notification is %s %s, want as it was refused: %s %s", told.key, told.data, a.key, a.data)
			}
		}
		s.hurry(t, id)
		s.checkedAgain(t, id, 2)
		s.inbox.isTold(t, target.URL(), 0)
		once(t, s.inbox, told.key)
		await(t, "no notification is left", patience, func() bool {
			return s.rest.fleet(t).Coordinator.UndeliveredNotices == "0"
		})
		target.SetStatus(http.StatusOK)
		s.hurry(t, id)
		s.inbox.awaitTold(t, target.URL(), patience, 0, 1)
	}, inProcess(), asDev(), asRolesMariaDB())
}

// once checks that WordPress.com answered exactly one request with success.
func once(t *testing.T, b *inbox, key string) {
	t.Helper()
	n := 0
	for _, a := range b.all() {
		if a.key == key && a.mode == well {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the notification %s was sent %d times after it could be delivered, want once", key, n)
	}
}

// WordPress.com accepts a notification, but its answer is lost with the coordinator. The
// notification comes again under its key, by which WordPress.com recognises it.
func TestNotificationWhoseAnswerIsLostInACrashComesAgainUnderItsKey(t *testing.T) {
	t.Parallel()
	tell(t, setup{}, func(t *testing.T, s system) {
		target := fakesite.New(t)
		target.SetStatus(http.StatusServiceUnavailable)
		s.inbox.become(forgets)
		id := s.rest.create(t, target.URL(), 9).SiteID
		s.inbox.awaitTold(t, target.URL(), patience, 0)
		s.crash(t, coordinator)
		before := len(s.inbox.all())
		s.inbox.become(well)
		s.restart(t)
		await(t, "the notification comes again", patience, func() bool { return len(s.inbox.all()) > before })
		s.checkedAgain(t, id, 2)
		s.inbox.isTold(t, target.URL(), 0) // by key
		once(t, s.inbox, s.inbox.told()[0].key)
	}, asDev(), asRoles())
}

func TestSuspectIsFoundAgainAfterACrash(t *testing.T) {
	t.Parallel()
	tell(t, setup{recheck: 2 * time.Second}, func(t *testing.T, s system) {
		target := fakesite.New(t)
		id := s.rest.create(t, target.URL(), 9).SiteID
		s.rest.awaitState(t, id, "UP")
		target.SetStatus(http.StatusServiceUnavailable)
		s.hurry(t, id)
		s.rest.awaitState(t, id, "SUSPECT")
		s.crash(t, coordinator)
		s.inbox.isTold(t, target.URL())
		s.restart(t)
		s.hurry(t, id)
		s.inbox.awaitTold(t, target.URL(), patience, 0)
		s.checkedAgain(t, id, 2)
		s.inbox.isTold(t, target.URL(), 0)
		if all := s.rest.outages(t, id); len(all) != 1 {
			t.Errorf("outages %+v, want one", all)
		}
	}, inProcess(), asDev(), asRoles())
}

func TestOutageThatEndsWhileTheCoordinatorIsAwayIsToldOnce(t *testing.T) {
	t.Parallel()
	tell(t, setup{}, func(t *testing.T, s system) {
		target := fakesite.New(t)
		target.SetStatus(http.StatusServiceUnavailable)
		id := s.rest.create(t, target.URL(), 9).SiteID
		s.inbox.awaitTold(t, target.URL(), patience, 0)
		s.crash(t, coordinator)
		target.SetStatus(http.StatusOK)
		s.restart(t)
		s.hurry(t, id)
		s.inbox.awaitTold(t, target.URL(), patience, 0, 1)
		s.rest.awaitState(t, id, "UP")
		s.checkedAgain(t, id, 2)
		s.inbox.isTold(t, target.URL(), 0, 1)
		if all := s.rest.outages(t, id); len(all) != 1 || all[0].EndTime.IsZero() {
			t.Errorf("outages %+v, want one that is over", all)
		}
	}, inProcess(), asRoles())
}

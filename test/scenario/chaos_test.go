package scenario

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/fakesite"
	"github.com/Automattic/jetmon/test/seeds"
)

// Roles crash while sites come and go. WordPress.com is notified of the beginning and the end
// of each outage of a site in turn, and finally knows the truth.
func TestWhateverCrashesBeginningsAndEndsAreToldInTurn(t *testing.T) {
	t.Parallel()
	// All three verifliers at once would only mean that nothing is decided for long.
	mortal := append(checkers(), coordinator)
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		t.Run(inProcess().name, func(t *testing.T) {
			t.Parallel()
			riot(t, inProcess(), unrest{append(mortal, verifliers()...), 24, seed})
		})
		t.Run(asRoles().name, func(t *testing.T) {
			t.Parallel()
			riot(t, asRoles(), unrest{mortal, 12, seed})
		})
	})
}

// unrest lists the nodes that may crash, and how often they do.
type unrest struct {
	mortal []node
	rounds int
	seed   uint64
}

func riot(t *testing.T, k kind, u unrest) {
	t.Helper()
	random := rand.New(rand.NewPCG(u.seed, 0))
	s := begin(t, k, setup{})
	var targets []*fakesite.Site
	var ids []string
	for i := range 3 {
		targets = append(targets, fakesite.New(t))
		ids = append(ids, s.rest.create(t, targets[i].URL(), i+1).SiteID)
	}
	for range u.rounds {
		i := random.IntN(len(ids))
		targets[i].SetStatus([]int{http.StatusOK, http.StatusServiceUnavailable}[random.IntN(2)])
		s.inbox.become([]mode{well, well, error500, resets}[random.IntN(4)])
		s.hurry(t, ids[i])
		// The crash comes at another moment of the way each time: after so many
		// requests, if there are as many without waiting for the end of an interval.
		requests, soon := targets[i].Requests("")+random.IntN(9), time.Now().Add(1500*time.Millisecond)
		await(t, "the site is checked", patience, func() bool {
			return targets[i].Requests("") >= requests || time.Now().After(soon)
		})
		n := u.mortal[random.IntN(len(u.mortal))]
		s.crash(t, n)
		s.start(t, n)
		s.complete(t)
	}
	s.inbox.become(well)
	for i, id := range ids {
		targets[i].SetStatus(http.StatusOK)
		inTurn(t, s.inbox, targets[i].URL(), settle(t, s, id))
	}
}

// settle waits until a working site is up and all notifications are sent. A flapping site must
// be good for ten minutes before it counts as up: for one settle waits only until it is good,
// and returns true.
func settle(t *testing.T, s system, id string) (flaps bool) {
	t.Helper()
	hurried := time.Time{}
	await(t, "the site is up and all is told", undecided, func() bool {
		if time.Since(hurried) > 2*time.Second {
			s.hurry(t, id)
			hurried = time.Now()
		}
		now := s.rest.site(t, id)
		flaps = now.Flapping && now.State == "SITE_STATE_RECOVERING"
		over := now.State == "SITE_STATE_UP" && now.OutageID == "0"
		return (over || flaps) && s.rest.fleet(t).Coordinator.UndeliveredNotices == "0"
	})
	return flaps
}

// inTurn checks that the statuses sent of a URL are 0, 1, 0, 1 and so on, and that the last
// one is up, or down if the site flaps.
func inTurn(t *testing.T, b *inbox, url string, flaps bool) {
	t.Helper()
	told := b.of(url)
	for i, a := range told {
		if a.notification.StatusID != i%2 {
			t.Errorf("notification %d of %s has status %d, want %d", i+1, url, a.notification.StatusID, i%2)
		}
	}
	if down := len(told)%2 != 0; down != flaps {
		t.Errorf("%s works, flaps: %v; WordPress.com was told last that it is down: %v", url, flaps, down)
	}
}

package scenario

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/test/fakesite"
)

// Every role is busy with something that hangs when all get SIGTERM.
func TestTerminatedRolesEndInTimeAndLoseNothing(t *testing.T) {
	t.Parallel()
	s := begin(t, asRolesMariaDB(), setup{})
	h := s.harness.(*roles)
	failing, hanging := fakesite.New(t), fakesite.New(t)
	failing.SetStatus(http.StatusServiceUnavailable)
	hanging.Hang()
	s.inbox.become(hangs)
	s.rest.create(t, failing.URL(), 1)
	await(t, "a delivery hangs", patience, func() bool { return len(s.inbox.all()) > 0 })
	s.rest.create(t, hanging.URL(), 2)
	asked := askVeriflier(t, s, hanging.URL())
	await(t, "a check and a verification hang", patience, func() bool {
		open := 0
		for _, c := range s.rest.fleet(t).Checkers {
			open += c.OpenChecks
		}
		return open > 0 && hanging.Requests("") > 1
	})

	h.terminateAll(t)
	<-asked // whatever the answer: it is no verdict
	before := s.inbox.all()
	s.inbox.become(well)
	h.startAll(t)
	told := s.inbox.awaitTold(t, failing.URL(), patience, 0)[0]
	if told.key != before[0].key {
		t.Errorf("the notification came with key %s after the restart, %s before", told.key, before[0].key)
	}
	once(t, s.inbox, told.key)
	s.inbox.isTold(t, hanging.URL())
}

// askVeriflier calls Verify directly, and signals when the answer is there.
func askVeriflier(t *testing.T, s system, url string) <-chan struct{} {
	t.Helper()
	client := veriflierv1.NewVeriflierServiceClient(dial(t, s.veriflierAddr()))
	answered := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(func() {
		cancel()
		<-answered
	})
	go func() {
		defer close(answered)
		_, _ = client.Verify(ctx, &veriflierv1.VerifyRequest{
			RequestId: "by-hand", Target: &checkv1.Target{Url: url, TimeoutMillis: 60_000},
		})
	}()
	return answered
}

func TestTerminatedDevEndsInTimeAndLosesNothing(t *testing.T) {
	t.Parallel()
	s := begin(t, asDev(), setup{})
	p := s.harness.(*dev).process
	failing := fakesite.New(t)
	failing.SetStatus(http.StatusServiceUnavailable)
	s.inbox.become(hangs)
	s.rest.create(t, failing.URL(), 1)
	await(t, "a delivery hangs", patience, func() bool { return len(s.inbox.all()) > 0 })
	now := time.Now()
	p.terminate(t)
	p.finished(t, now)
	key := s.inbox.all()[0].key
	s.inbox.become(well)
	s.restart(t)
	if told := s.inbox.awaitTold(t, failing.URL(), patience, 0)[0]; told.key != key {
		t.Errorf("the notification came with key %s after the restart, %s before", told.key, key)
	}
}

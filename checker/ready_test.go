package checker_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestACheckerIsReadyWhileACoordinatorServesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		one, _ := serve(t, network, "one")
		two, _ := serve(t, network, "two")
		r := start(t, network, &sites{answer: up}, nil, "one", "two")
		wantNot := func(when, why string) {
			t.Helper()
			if err := r.Ready(); err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("%s it is ready, or does not say %q: %v", when, why, err)
			}
		}
		synctest.Wait()
		wantNot("before it is welcomed", "no coordinator")
		a, b := one.accept(t), two.accept(t)
		synctest.Wait()
		if err := r.Ready(); err != nil {
			t.Errorf("with two sessions: %v", err)
		}
		a.end <- fault.New(fault.Unavailable, "the first one goes")
		synctest.Wait()
		if err := r.Ready(); err != nil {
			t.Errorf("with one session: %v", err)
		}
		b.end <- fault.New(fault.Unavailable, "the second one goes")
		synctest.Wait()
		wantNot("without a session", "the second one goes")
		time.Sleep(time.Second)
		one.accept(t)
		synctest.Wait()
		if err := r.Ready(); err != nil {
			t.Errorf("with a session again: %v", err)
		}
	})
}

package checker_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/checker"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/selfcheck"
)

// TestACheckerWithoutAnchorsBeginsAtOnce shows that without anchors a restarted checker works
// at once, as there is nothing to wait for.
func TestACheckerWithoutAnchorsBeginsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, err := selfcheck.New(selfcheck.Options{})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		c, _ := pair(t, &sites{answer: up}, func(o *checker.Options) { o.SelfCheck = m })
		c.accept(t)
		if took := time.Since(began); took > 0 {
			t.Errorf("it came after %s", took)
		}
	})
}

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

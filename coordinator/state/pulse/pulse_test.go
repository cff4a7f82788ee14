package pulse_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/state/pulse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// database answers after a time, or never while it is stopped.
type database struct {
	after   atomic.Int64 // time.Duration
	stopped atomic.Bool
	refuses atomic.Bool
}

func (d *database) ping(ctx context.Context) error {
	if d.refuses.Load() {
		return errors.New("refused")
	}
	if d.stopped.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-time.After(time.Duration(d.after.Load())):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func beating(t *testing.T, d *database) *pulse.Pulse {
	t.Helper()
	p := pulse.New(d.ping)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	time.Sleep(time.Minute)
	return p
}

// waits returns how long a call waits, of at most a minute, and whether it ended because the
// database is away.
func waits(p *pulse.Pulse, beginning bool) (took time.Duration, away bool) {
	began := time.Now()
	bound, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ctx, done := p.Watch(bound, beginning)
	defer done()
	<-ctx.Done()
	return time.Since(began), pulse.Ended(ctx)
}

func TestACallWaitsTwoSecondsForADatabaseThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fail      func(*database)
		beginning bool
		away      bool
		most      time.Duration
	}{
		"it stops":                       {func(d *database) { d.stopped.Store(true) }, false, true, 2500 * time.Millisecond},
		"it refuses":                     {func(d *database) { d.refuses.Store(true) }, false, true, 2500 * time.Millisecond},
		"it stops as a long call begins": {func(d *database) { d.stopped.Store(true) }, true, true, 2500 * time.Millisecond},
		"it is slow":                     {func(d *database) { d.after.Store(int64(1400 * time.Millisecond)) }, false, false, time.Minute},
		"it answers":                     {func(*database) {}, false, false, time.Minute},
		"it stops while a call runs":     {func(d *database) { time.AfterFunc(20*time.Second, func() { d.stopped.Store(true) }) }, false, true, 23 * time.Second},
		"it stops while a long one does": {func(d *database) { time.AfterFunc(20*time.Second, func() { d.stopped.Store(true) }) }, true, false, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &database{}
				p := beating(t, d)
				tt.fail(d)
				took, away := waits(p, tt.beginning)
				if away != tt.away || took > tt.most {
					t.Errorf("it ended after %v, for the database: %v", took, away)
				}
			})
		})
	}
}

func TestADatabaseThatHasBeenAwayIsNotWaitedForAndOneThatIsBackIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		p := beating(t, d)
		d.stopped.Store(true)
		time.Sleep(10 * time.Second)
		if took, away := waits(p, false); !away || took > 300*time.Millisecond {
			t.Errorf("it ended after %v, for the database: %v", took, away)
		}
		if silent := p.Silent(time.Now()); silent < 9*time.Second || silent > 11*time.Second {
			t.Errorf("silent for %v", silent)
		}
		d.stopped.Store(false)
		time.Sleep(3 * time.Second)
		if _, away := waits(p, false); away || p.Silent(time.Now()) > time.Second {
			t.Error("it is back, and a call ended for it")
		}
	})
}

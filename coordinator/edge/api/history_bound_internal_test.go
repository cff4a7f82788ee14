package api

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// busy is a History each of whose reads takes a while.
type busy struct {
	History
	takes         time.Duration
	running, most atomic.Int32
}

func (b *busy) work(ctx context.Context) error {
	n := b.running.Add(1)
	defer b.running.Add(-1)
	for was := b.most.Load(); n > was && !b.most.CompareAndSwap(was, n); was = b.most.Load() {
	}
	time.Sleep(b.takes)
	return ctx.Err()
}

// Days implements History.
func (b *busy) Days(ctx context.Context, _ []record.Site, _, _ history.Day, _ func(check.SiteID, history.Day, []history.Summary)) (time.Time, error) {
	return time.Time{}, b.work(ctx)
}

// Turns implements History.
func (b *busy) Turns(ctx context.Context, _ record.Site, _, _ time.Time) (history.Sheet, time.Time, error) {
	return history.Sheet{}, time.Time{}, b.work(ctx)
}

// Of a hundred callers who ask for a thousand sites each, some are answered and the others told
// so, and who asks for one site does not wait for them.
func TestWhoLooksBackDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := &busy{takes: time.Second}
		h := newBoundedHistory(inner)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var all sync.WaitGroup
		var answered, refused atomic.Int32
		for range 100 {
			all.Go(func() {
				switch _, err := h.Days(ctx, make([]record.Site, 1000), 0, 1, nil); {
				case err == nil:
					answered.Add(1)
				case fault.Is(err, fault.Exhausted):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		if _, _, err := h.Turns(ctx, record.Site{}, began, began); err != nil || time.Since(began) != inner.takes {
			t.Errorf("one site took %v, %v", time.Since(began), err)
		}
		all.Wait()
		if most := inner.most.Load(); most != wideReads+1 {
			t.Errorf("%d reads at once, want %d wide ones and one of a site", most, wideReads)
		}
		if got := answered.Load(); got < wideReads*int32(readWait/inner.takes) || got+refused.Load() != 100 {
			t.Errorf("%d answered and %d refused of 100", got, refused.Load())
		}
		hasty, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := h.Days(hasty, nil, 0, 1, nil); err == nil {
			t.Error("a caller who is gone was waited for")
		}
	})
}

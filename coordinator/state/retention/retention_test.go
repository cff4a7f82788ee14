package retention_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	rules "github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/state/retention"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// history is a store with a number of rows that are too old, by shard.
type history struct {
	mu    sync.Mutex
	old   map[shard.ID]int
	err   error
	calls int
	last  store.Expiry
	// records is how many records of the audit trail are too old; audited has the times
	// before which they were to be deleted.
	records int
	audited []time.Time
	// incidents is how many of them, and their members, are too old.
	incidents int
	// keys and forgot are so of idempotency keys.
	keys   int
	forgot []time.Time
	// checks counts the calls for checks by shard; lastChecks is what was asked for last.
	checks     map[shard.ID]int
	lastChecks store.CheckExpiry
}

func (h *history) Expire(_ context.Context, f shard.Fence, e store.Expiry, limit int) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	h.last = e
	if h.err != nil {
		return 0, h.err
	}
	n := min(h.old[f.Shard], limit)
	h.old[f.Shard] -= n
	return n, nil
}

// ExpireChecks implements retention.Store: of each shard there are three days too many.
func (h *history) ExpireChecks(_ context.Context, f shard.Fence, e store.CheckExpiry, limit int) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.checks == nil {
		h.checks = map[shard.ID]int{}
	}
	h.checks[f.Shard]++
	h.lastChecks = e
	if h.checks[f.Shard] == 1 {
		return limit, nil
	}
	return 3, nil
}

// ExpireAudit implements retention.Store: as Expire, of a shard that does not exist.
func (h *history) ExpireAudit(_ context.Context, before time.Time, limit int) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.audited = append(h.audited, before)
	n := min(h.records, limit)
	h.records -= n
	return n, nil
}

// ExpireIncidents implements retention.Store likewise.
func (h *history) ExpireIncidents(_ context.Context, before time.Time, limit int) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := min(h.incidents, limit)
	h.incidents -= n
	return n, nil
}

// ExpireKeys implements retention.Store likewise.
func (h *history) ExpireKeys(_ context.Context, before time.Time, limit int) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forgot = append(h.forgot, before)
	n := min(h.keys, limit)
	h.keys -= n
	return n, nil
}

func (h *history) seen() (left, calls int, last store.Expiry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.old {
		left += n
	}
	return left, h.calls, h.last
}

func (h *history) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
}

// run runs a Sweeper over shards 3 and 5, and 9, which is uncertain; time is virtual.
func run(t *testing.T, h *history, ballots, outages time.Duration) {
	t.Helper()
	shards := shardtest.New(3, 5, 9)
	shards.Doubt(9, true)
	start(t, retention.Options{Store: h, Ballots: ballots, Outages: outages, Shards: shards})
}

// start runs a Sweeper.
func start(t *testing.T, o retention.Options) {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	w := retention.New(o)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
}

func TestOldHistoryIsDeletedInSmallBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &history{old: map[shard.ID]int{3: 1000, 5: 30, 9: 7}}
		run(t, h, 90*24*time.Hour, 0)
		time.Sleep(59 * time.Second)
		if _, calls, _ := h.seen(); calls != 0 {
			t.Errorf("%d calls in the first minute", calls)
		}
		time.Sleep(10 * time.Second)
		left, calls, last := h.seen()
		if left != 7 || calls != 7 {
			t.Errorf("%d left after %d batches, want only those of the shard that is not ours after 6+1", left, calls)
		}
		if age := time.Since(last.Ballots); age < 90*24*time.Hour || age > 90*24*time.Hour+time.Minute || !last.Outages.IsZero() {
			t.Errorf("asked to delete %+v, want ballots of 90 days and no outages", last)
		}
		time.Sleep(time.Hour)
		if _, again, _ := h.seen(); again != calls+2 {
			t.Errorf("%d calls in the next hour, want one a shard", again-calls)
		}
	})
}

func TestOldEventsAreDeletedThoughNothingElseIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &history{old: map[shard.ID]int{3: 250}}
		start(t, retention.Options{Store: h, Events: 7 * 24 * time.Hour, Shards: shardtest.New(3)})
		time.Sleep(2 * time.Minute)
		left, _, last := h.seen()
		if age := time.Since(last.Events); left != 0 || age < 7*24*time.Hour || age > 7*24*time.Hour+2*time.Minute || !last.Ballots.IsZero() || !last.Outages.IsZero() {
			t.Errorf("%d left, asked to delete %+v, want events of 7 days", left, last)
		}
	})
}

func TestTheOwnerOfTheFirstShardDeletesTheOldAuditTrail(t *testing.T) {
	t.Parallel()
	for first, want := range map[shard.ID]int{0: 0, 1: 450} {
		synctest.Test(t, func(t *testing.T) {
			h := &history{records: 450, old: map[shard.ID]int{}}
			start(t, retention.Options{Store: h, Audit: 400 * 24 * time.Hour, Shards: shardtest.New(first)})
			time.Sleep(2 * time.Minute)
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.records != want {
				t.Errorf("the owner of shard %d leaves %d records, want %d", first, h.records, want)
			}
			for _, before := range h.audited {
				if age := time.Since(before); age < 400*24*time.Hour || age > 400*24*time.Hour+2*time.Minute {
					t.Errorf("deletes what is older than %v", age)
				}
			}
		})
	}
}

// Keys are forgotten although history is kept for ever.
func TestTheOwnerOfTheFirstShardForgetsIdempotencyKeysAfterADay(t *testing.T) {
	t.Parallel()
	for first, want := range map[shard.ID]int{0: 0, 1: 450} {
		synctest.Test(t, func(t *testing.T) {
			h := &history{keys: 450, records: 3, old: map[shard.ID]int{1: 3}}
			start(t, retention.Options{Store: h, Shards: shardtest.New(first)})
			time.Sleep(2 * time.Minute)
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.keys != want || h.records != 3 || h.calls != 0 {
				t.Errorf("the owner of shard %d leaves %d keys, want %d; %d records; %d calls about history", first, h.keys, want, h.records, h.calls)
			}
			for _, before := range h.forgot {
				if age := time.Since(before); age < 24*time.Hour || age > 24*time.Hour+2*time.Minute {
					t.Errorf("forgets what is older than %v", age)
				}
			}
		})
	}
}

func TestAFailedSweepIsRepeatedAnHourLater(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errors.New("away"), fault.New(fault.Fenced, "not yours")} {
		synctest.Test(t, func(t *testing.T) {
			h := &history{old: map[shard.ID]int{3: 10}, err: err}
			run(t, h, time.Hour, time.Hour)
			time.Sleep(2 * time.Minute)
			if left, calls, last := h.seen(); left != 10 || calls != 2 || last.Outages.IsZero() {
				t.Errorf("%d left after %d calls (%+v)", left, calls, last)
			}
			h.fail(nil)
			time.Sleep(time.Hour)
			if left, _, _ := h.seen(); left != 0 {
				t.Errorf("%d left", left)
			}
		})
	}
}

func TestWithoutAnAgeEverythingIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &history{old: map[shard.ID]int{3: 10}}
		run(t, h, 0, 0)
		time.Sleep(48 * time.Hour)
		if _, calls, _ := h.seen(); calls != 0 {
			t.Errorf("%d calls, want none", calls)
		}
	})
}

func TestDaysOfChecksExpireWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &history{}
		start(t, retention.Options{Store: h, Checks: 35 * 24 * time.Hour, Summaries: 400 * 24 * time.Hour, Shards: shardtest.New(3, 5)})
		time.Sleep(2 * time.Minute)
		h.mu.Lock()
		defer h.mu.Unlock()
		today := rules.DayOf(time.Now())
		if want := (store.CheckExpiry{Checks: today - 35, Summaries: today - 400}); h.lastChecks != want || h.checks[3] != 2 || h.checks[5] != 2 || h.calls != 0 {
			t.Errorf("%+v of %v, and %d other calls", h.lastChecks, h.checks, h.calls)
		}
	})
}

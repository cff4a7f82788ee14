package advisories_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/state/advisories"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// engine has changes of shards that are not written yet.
type engine struct {
	mu      sync.Mutex
	changes map[shard.ID][]record.Remark
}

func (e *engine) UnwrittenRemarks(of shard.ID, limit int) []record.Remark {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := min(limit, len(e.changes[of]))
	taken := e.changes[of][:n:n]
	e.changes[of] = e.changes[of][n:]
	return taken
}

func (e *engine) GiveBackRemarks(of shard.ID, changes []record.Remark) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changes[of] = append(e.changes[of], changes...)
}

func (e *engine) add(of shard.ID, n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for range n {
		e.changes[of] = append(e.changes[of], record.Remark{SiteID: check.SiteID(len(e.changes[of]) + 1), Open: true})
	}
}

// box is a store that counts what is written, and fails while err is set.
type box struct {
	store.Remarks
	mu      sync.Mutex
	err     error
	written map[shard.ID]int
	largest int
}

func (b *box) Remark(_ context.Context, f shard.Fence, changes []record.Remark) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	b.written[f.Shard] += len(changes)
	b.largest = max(b.largest, len(changes))
	return nil
}

func (b *box) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *box) of(s shard.ID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.written[s]
}

func TestChangesAreWrittenInTheEnd(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{
		"a database that goes away": errors.New("away"), "a shard that is lost for a moment": fault.New(fault.Fenced, "lost"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e, b := &engine{changes: map[shard.ID][]record.Remark{}}, &box{written: map[shard.ID]int{}}
				told := 0
				w := advisories.New(advisories.Options{
					Engine: e, Store: b, Shards: shardtest.New(3, 4), OnWrite: func() { told++ }, Log: slog.New(slog.DiscardHandler),
				})
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- w.Run(ctx) }()

				b.fail(failure)
				e.add(3, 250)
				e.add(5, 1) // another coordinator's
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if n := b.of(3); n != 0 || told != 0 {
					t.Fatalf("%d changes were written, %d times others were called", n, told)
				}
				b.fail(nil)
				time.Sleep(time.Second)
				synctest.Wait()
				if n := b.of(3); n != 250 || told != 1 || b.largest > 100 {
					t.Errorf("%d changes of 250 were written, at most %d at once; others were called %d times", n, b.largest, told)
				}
				e.add(4, 1)
				cancel() // what is left is written at the end
				if err := <-ended; err != nil || b.of(4) != 1 || b.of(5) != 0 {
					t.Errorf("at the end %d of 1, and %d of another's (%v)", b.of(4), b.of(5), err)
				}
			})
		})
	}
}

package syncqueue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/Automattic/jetmon/test/seeds"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// model is the queue as Jetpack's documentation would describe it.
type model struct {
	ids     []ItemID
	owner   string
	expires time.Time
}

func (m *model) locked(now time.Time) bool { return m.owner != "" && now.Before(m.expires) }

func (m *model) validate(b Buffer, now time.Time) error {
	switch {
	case b.ID == "":
		return ErrNotABuffer
	case !m.locked(now):
		return ErrNotCheckedOut
	case m.owner != b.ID:
		return ErrMismatch
	}
	return nil
}

func (m *model) remove(ids []ItemID) {
	m.ids = slices.DeleteFunc(m.ids, func(id ItemID) bool { return slices.Contains(ids, id) })
}

func TestTheQueueKeepsTheRulesInAnyOrderOfCalls(t *testing.T) {
	t.Parallel()
	seeds.Check(t, []uint64{1}, func(rt *rapid.T) {
		now := time.Unix(1_700_000_000, 0)
		q := New(Options{Name: "sync", Now: func() time.Time { return now }})
		m := &model{}
		buffers := []Buffer{{}} // every buffer ever seen may be given back
		any := func() Buffer { return buffers[rapid.IntRange(0, len(buffers)-1).Draw(rt, "buffer")] }
		same := func(got, want error) {
			rt.Helper()
			if !errors.Is(got, want) && (got != nil || want != nil) {
				rt.Fatalf("%v, want %v", got, want)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"add": func(rt *rapid.T) {
				id, ok := q.Add([]byte(strings.Repeat("x", rapid.IntRange(1, 9).Draw(rt, "size"))))
				if !ok || len(m.ids) > 0 && id <= m.ids[len(m.ids)-1] {
					rt.Fatalf("added %q, %v after %q", id, ok, m.ids)
				}
				m.ids = append(m.ids, id)
			},
			"checkout": func(rt *rapid.T) {
				n := rapid.IntRange(0, 4).Draw(rt, "n")
				b, err := q.Checkout(n)
				if m.locked(now) {
					same(err, ErrUnclosedBuffer)
					return
				}
				same(err, nil)
				want := m.ids[:min(n, len(m.ids))]
				if !slices.Equal(b.IDs(), want) || (b.ID == "") != (len(want) == 0) {
					rt.Fatalf("checked out %q, want %q", b.IDs(), want)
				}
				if b.ID != "" {
					m.owner, m.expires = b.ID, now.Truncate(time.Second).Add(DefaultLease)
					buffers = append(buffers, b)
				}
			},
			"checkin": func(*rapid.T) {
				b := any()
				want := m.validate(b, now)
				same(q.Checkin(b), want)
				if want == nil {
					m.owner = ""
				}
			},
			"close": func(*rapid.T) {
				b := any()
				want := m.validate(b, now)
				same(q.Close(b), want)
				if want == nil {
					m.owner = ""
					m.remove(b.IDs())
				}
			},
			"close some": func(rt *rapid.T) {
				b := any()
				ids := b.IDs()[:rapid.IntRange(0, len(b.Items)).Draw(rt, "ids")]
				want := m.validate(b, now)
				same(q.CloseItems(b, ids), want)
				if want == nil {
					m.owner = ""
				}
				m.remove(ids)
			},
			"lock": func(rt *rapid.T) {
				var want error
				switch {
				case len(m.ids) > 0:
					want = ErrLockTimeout
				case m.locked(now):
					want = ErrUnclosedBuffer
				}
				same(q.Lock(t.Context(), 0), want)
				if want == nil {
					m.owner, m.expires = lockName, now.Truncate(time.Second).Add(DefaultLease)
				}
			},
			"unlock": func(*rapid.T) { q.Unlock(); m.owner = "" },
			"time": func(rt *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 80_000).Draw(rt, "milliseconds")) * time.Millisecond)
			},
			"": func(rt *rapid.T) {
				if q.Size() != len(m.ids) || q.IsLocked() != m.locked(now) {
					rt.Fatalf("size %d locked %v, want %d %v", q.Size(), q.IsLocked(), len(m.ids), m.locked(now))
				}
				if lag := q.Lag(); (lag == 0) != (len(m.ids) == 0) && lag < 0 {
					rt.Fatalf("lag %v of %d items", lag, len(m.ids))
				}
			},
		})
	})
}

func TestManySendersEachItemOnceAndOneAtATime(t *testing.T) {
	t.Parallel()
	const items, senders = 400, 8
	q := New(Options{Name: "sync"})
	want := map[ItemID]bool{}
	for i := range items {
		id, ok := q.Add(fmt.Appendf(nil, "item %d", i))
		if !ok {
			t.Fatalf("item %d is not taken", i)
		}
		want[id] = true
	}
	var mu sync.Mutex
	sent, out := map[ItemID]int{}, 0
	var work sync.WaitGroup
	for s := range senders {
		work.Go(func() {
			for turn := 0; q.Size() > 0; turn++ {
				b, err := q.Checkout(7)
				if errors.Is(err, ErrUnclosedBuffer) || b.ID == "" {
					continue
				}
				mu.Lock()
				if out++; out > 1 {
					t.Error("two buffers are out")
				}
				mu.Unlock()
				mu.Lock()
				out--
				back := (turn+s)%5 == 0
				if !back {
					for _, id := range b.IDs() {
						sent[id]++
					}
				}
				mu.Unlock()
				if back {
					err = q.Checkin(b)
				} else {
					err = q.Close(b)
				}
				if err != nil {
					t.Errorf("sender %d: %v", s, err)
				}
			}
		})
	}
	work.Wait()
	for id := range want {
		if sent[id] != 1 {
			t.Errorf("%s was sent %d times", id, sent[id])
		}
	}
	if len(sent) != items {
		t.Errorf("%d items were sent, want %d", len(sent), items)
	}
}

func TestABufferOfBytesTakesTheFirstEvenWhenItIsTooLarge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		sizes       []int
		bytes, rows int
		want        int
	}{
		{"nothing", nil, 10, 10, 0},
		{"all that fits", []int{4, 4, 4}, 12, 10, 3},
		{"not what goes over", []int{4, 4, 5}, 12, 10, 2},
		{"a first that is too large, alone", []int{40, 1}, 12, 10, 1},
		{"rows", []int{1, 1, 1}, 12, 2, 2},
	} {
		q := New(Options{Name: "sync"})
		for _, n := range tt.sizes {
			q.Add(make([]byte, n))
		}
		b, err := q.CheckoutBytes(tt.bytes, tt.rows)
		if err != nil || len(b.Items) != tt.want || q.IsLocked() != (tt.want > 0) {
			t.Errorf("%s: %d items, locked %v, %v", tt.name, len(b.Items), q.IsLocked(), err)
		}
	}
}

func TestAFullQueueThatIsBehindTakesNothingMore(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	q := New(Options{Name: "sync", Now: func() time.Time { return now }})
	add := func() bool { _, ok := q.Add([]byte("x")); return ok }
	for range MaxItems + 1 {
		if !add() {
			t.Fatal("refused although it is not behind")
		}
	}
	now = now.Add(MaxLag)
	if !add() || q.Lag() != MaxLag {
		t.Errorf("refused at a lag of %v", q.Lag())
	}
	now = now.Add(time.Second)
	if add() {
		t.Error("taken although it is full and behind")
	}
	if _, ok := New(Options{}).Add(nil); ok {
		t.Error("an empty item is taken")
	}
}

func TestLockWaitsUntilTheQueueIsEmpty(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{time.Second, 30 * time.Second, 90 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			q := New(Options{Name: "sync"})
			q.Add([]byte("x"))
			start := time.Now()
			if err := q.Lock(t.Context(), timeout); !errors.Is(err, ErrLockTimeout) || time.Since(start) != timeout {
				t.Errorf("%v after %v, want lock_timeout after %v", err, time.Since(start), timeout)
			}
			go func() {
				time.Sleep(timeout / 2)
				b, _ := q.Checkout(1)
				_ = q.Close(b)
			}()
			start = time.Now()
			if err := q.Lock(t.Context(), timeout); err != nil || time.Since(start) != timeout/2 {
				t.Errorf("%v after %v", err, time.Since(start))
			}
			if _, err := q.Checkout(1); !errors.Is(err, ErrUnclosedBuffer) {
				t.Errorf("a locked queue checks out: %v", err)
			}
			if err := q.Lock(t.Context(), timeout); !errors.Is(err, ErrUnclosedBuffer) {
				t.Errorf("locked twice: %v", err)
			}
			q.Unlock()
			q.Add([]byte("x"))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := q.Lock(ctx, timeout); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
	}
}

func TestALockEndsAtAWholeSecond(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 900_000_000)
	q := New(Options{Name: "sync", Now: func() time.Time { return now }})
	q.Add([]byte("x"))
	b, err := q.Checkout(1)
	if err != nil {
		t.Fatal(err)
	}
	now = time.Unix(1_700_000_119, 999_999_000)
	if !q.IsLocked() {
		t.Error("free before the second in which it ends")
	}
	now = time.Unix(1_700_000_120, 0)
	if err := q.Close(b); q.IsLocked() || !errors.Is(err, ErrNotCheckedOut) {
		t.Errorf("locked %v, %v; Jetpack's lock ends now", q.IsLocked(), err)
	}
}

func TestErrorsHaveJetpacksNamesAndTexts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err        Error
		code, text string
	}{
		{ErrUnclosedBuffer, "unclosed_buffer", "There is an unclosed buffer"},
		{ErrNotABuffer, "not_a_buffer", `You must checkin an instance of Automattic\Jetpack\Sync\Queue_Buffer`},
		{ErrNotCheckedOut, "buffer_not_checked_out", "There are no checked out buffers"},
		{ErrMismatch, "buffer_mismatch", "The buffer you checked in was not checked out"},
		{ErrLockTimeout, "lock_timeout", "Timeout waiting for sync queue to empty"},
	} {
		if tt.err.Code() != tt.code || tt.err.Error() != tt.text {
			t.Errorf("%s: %s", tt.err.Code(), tt.err.Error())
		}
	}
}

func TestIDsSayQueueAndTime(t *testing.T) {
	t.Parallel()
	q := New(Options{Name: "full_sync", Now: func() time.Time { return time.Unix(1_700_000_000, 42_000) }})
	first, _ := q.Add([]byte("x"))
	second, _ := q.Add([]byte("x"))
	if !strings.HasPrefix(string(first), "jpsq_full_sync-1700000000.000042-") || !strings.HasSuffix(string(first), "-1") {
		t.Error(first)
	}
	if !strings.HasPrefix(string(second), "jpsq_full_sync-1700000000.000043-") || second <= first {
		t.Error(second)
	}
}

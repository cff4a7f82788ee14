package feed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/feed"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("the database is away")

// database plays the store.
type database struct {
	mu      sync.Mutex
	away    bool
	reads   int
	events  [shard.Count][]store.StoredEvent
	expired event.Positions
	sites   [shard.Count]int64
}

// EventDatabase implements store.Events.
func (d *database) EventDatabase(context.Context) (uint32, error) { return 7, nil }

// ReadEvents implements store.Events, by the letter.
func (d *database) ReadEvents(_ context.Context, after event.Positions, limit int) (page store.EventPage, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	if d.away {
		return page, errAway
	}
	page.Next, page.Expired = after, d.expired
	for s, all := range d.events {
		if n := len(all); n > 0 {
			page.Heads[s] = all[n-1].Pos
		}
	}
	for s, all := range d.events {
		for i, e := range all {
			last := i == len(all)-1 || all[i+1].Pos != e.Pos
			if e.Pos > after[s] && e.Pos > d.expired[s] {
				page.Events = append(page.Events, e)
			}
			if last && len(page.Events) >= limit {
				page.Next[s] = e.Pos
				return page, nil
			}
		}
		page.Next[s] = max(after[s], page.Heads[s])
	}
	return page, nil
}

// commit adds a transaction of n events of a shard.
func (d *database) commit(s shard.ID, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	pos := int64(1)
	if have := d.events[s]; len(have) > 0 {
		pos = have[len(have)-1].Pos + 1
	}
	for range n {
		d.sites[s]++
		body, _ := event.Event{
			ID: fmt.Sprintf("%d-%d", s, d.sites[s]), Type: event.SiteDown, Sequence: d.sites[s],
			Site: &event.Site{ID: check.SiteID(s) + 1, URL: "http://a.example/"}, Status: &event.StatusChange{},
		}.Encode()
		d.events[s] = append(d.events[s], store.StoredEvent{Shard: s, Pos: pos, Body: body})
	}
}

func (d *database) set(away bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = away
}

func (d *database) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reads
}

// start runs a feed in a bubble.
func start(t *testing.T, d *database) *feed.Feed {
	t.Helper()
	f := feed.New(feed.Options{Store: d, Log: slog.New(slog.DiscardHandler), Encode: func(body string) ([]byte, error) { return []byte(body), nil }})
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	return f
}

// reader checks that it gets each event of a shard once, in order and without a gap.
type reader struct {
	*feed.Cursor
	t     *testing.T
	seen  [shard.Count]int64
	token string
}

func watch(t *testing.T, f *feed.Feed, from feed.Start) *reader {
	t.Helper()
	c, err := f.Watch(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	return &reader{Cursor: c, t: t, token: c.Token()}
}

// after begins a reader where another has stopped.
func (r *reader) after(f *feed.Feed) (*reader, error) {
	token, err := event.ParseToken(r.token)
	if err != nil {
		return nil, err
	}
	c, err := f.Watch(r.t.Context(), feed.Start{Token: &token})
	return &reader{Cursor: c, t: r.t, seen: r.seen, token: r.token}, err
}

// take takes one batch, and reports whether there was one.
func (r *reader) take(patience time.Duration) (bool, error) {
	b, err := r.Next(r.t.Context(), patience)
	if b == nil || err != nil {
		return false, err
	}
	for _, item := range b.Items {
		s := item.Site.ID - 1
		if item.Sequence != r.seen[s]+1 {
			r.t.Fatalf("after event %d of shard %d comes %d", r.seen[s], s, item.Sequence)
		}
		r.seen[s] = item.Sequence
	}
	r.token = b.Token
	if r.token != r.Token() {
		r.t.Fatalf("the batch has the token %s, its reader %s", r.token, r.Token())
	}
	return true, nil
}

// drain takes until nothing comes for longer than the feed waits after an error.
func (r *reader) drain() {
	r.t.Helper()
	for {
		if more, err := r.take(5 * time.Second); err != nil {
			r.t.Fatal(err)
		} else if !more {
			return
		}
	}
}

func (r *reader) wantAll(d *database) {
	r.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.seen != d.sites {
		r.t.Fatalf("seen were %v of %v", r.seen, d.sites)
	}
}

func TestNobodyWatchesAndNothingIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		f := start(t, d)
		time.Sleep(time.Minute)
		if n := d.count(); n != 0 {
			t.Errorf("%d readings while nobody watches", n)
		}
		r := watch(t, f, feed.Start{})
		time.Sleep(10 * time.Second)
		if n := d.count(); n < 35 || n > 45 {
			t.Errorf("%d readings in 10 s while somebody watches, want 4 a second", n)
		}
		r.Close()
		time.Sleep(time.Second)
		before := d.count()
		time.Sleep(time.Minute)
		if n := d.count() - before; n != 0 {
			t.Errorf("%d readings after the last watcher has left", n)
		}
	})
}

func TestANudgeIsFollowedAtOnceAndManyByOneReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		f := start(t, d)
		r := watch(t, f, feed.Start{})
		defer r.Close()
		time.Sleep(time.Second)
		d.commit(3, 1)
		began := time.Now()
		f.Nudge()
		if ok, err := r.take(time.Minute); !ok || err != nil || time.Since(began) > 0 {
			t.Errorf("%v (%v) after %s, want the event at once", ok, err, time.Since(began))
		}
		time.Sleep(time.Second)
		before := d.count()
		for range 1000 { // a thousand changes a second
			d.commit(3, 1)
			f.Nudge()
			time.Sleep(time.Millisecond)
		}
		if n := d.count() - before; n > 12 {
			t.Errorf("%d readings for a second of changes, want about 10", n)
		}
		r.drain()
		r.wantAll(d)
	})
}

func TestAWatcherOutlastsADatabaseThatGoesAwayForTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		f := start(t, d)
		d.commit(1, 500)
		live, late := watch(t, f, feed.Start{Oldest: true}), watch(t, f, feed.Start{Oldest: true})
		defer live.Close()
		defer late.Close()
		live.drain()
		d.set(true)
		d.commit(2, 3)
		for range 10 {
			for _, r := range []*reader{live, late} {
				if _, err := r.take(500 * time.Millisecond); err != nil {
					t.Fatal(err)
				}
			}
		}
		d.set(false)
		live.drain()
		live.wantAll(d)
		late.drain()
		late.wantAll(d)
		d.set(true)
		time.Sleep(time.Minute)
		if _, err := live.take(time.Second); !errors.Is(err, feed.ErrAway) {
			t.Errorf("after a minute without a database: %v", err)
		}
		if _, err := f.Watch(t.Context(), feed.Start{}); !errors.Is(err, feed.ErrAway) {
			t.Errorf("a new watcher gets %v", err)
		}
	})
}

func TestASlowWatcherIsDroppedAndGoesOnWithItsToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		f := start(t, d)
		quick, slow := watch(t, f, feed.Start{}), watch(t, f, feed.Start{})
		defer quick.Close()
		d.commit(0, 10)
		slow.drain()
		most := 0
		for range 100 {
			d.commit(shard.ID(rand.IntN(shard.Count)), 200)
			d.commit(shard.ID(rand.IntN(shard.Count)), 200)
			quick.drain()
			most = max(most, f.Status().Events)
		}
		if _, err := slow.take(time.Second); !errors.Is(err, feed.ErrSlow) {
			t.Fatalf("after 40,000 events a slow watcher gets %v", err)
		}
		slow.Close()
		if most > 17_000 || f.Status().Slow != 1 {
			t.Errorf("the ring had %d events, and dropped %d watchers", most, f.Status().Slow)
		}
		again, err := slow.after(f)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		again.drain()
		again.wantAll(d)
		quick.wantAll(d)
	})
}

func TestWhoCannotBeginOrGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		f := start(t, d)
		d.commit(4, 1)
		for name, tt := range map[string]struct {
			token event.Token
			want  error
		}{
			"a token of another database":  {event.Token{Database: 8}, feed.ErrForeign},
			"a token of what never was":    {event.Token{Database: 7, Positions: event.Positions{4: 2}}, feed.ErrAhead},
			"a token of a place before it": {event.Token{Database: 7}, nil},
		} {
			c, err := f.Watch(t.Context(), feed.Start{Token: &tt.token})
			if !errors.Is(err, tt.want) || (err == nil) != (c != nil) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
			if c != nil {
				c.Close()
			}
		}
		behind := watch(t, f, feed.Start{Token: &event.Token{Database: 7}})
		defer behind.Close()
		d.mu.Lock()
		d.expired[4] = 1
		d.mu.Unlock()
		if _, err := behind.take(time.Second); !errors.Is(err, feed.ErrExpired) {
			t.Errorf("a watcher whose events expire gets %v", err)
		}
		if _, err := f.Watch(t.Context(), feed.Start{Token: &event.Token{Database: 7}}); !errors.Is(err, feed.ErrExpired) {
			t.Errorf("a token whose events have expired: %v", err)
		}
		if n := f.Status().Watchers; n != 1 {
			t.Errorf("%d watch, and one does", n)
		}
	})
}

func TestTheEndOfTheFeedEndsItsWatchers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		f := feed.New(feed.Options{Store: d, Log: slog.New(slog.DiscardHandler), Encode: func(body string) ([]byte, error) { return nil, nil }})
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- f.Run(ctx) }()
		r := watch(t, f, feed.Start{})
		time.AfterFunc(time.Second, cancel)
		if _, err := r.Next(t.Context(), time.Minute); !errors.Is(err, feed.ErrStopping) {
			t.Errorf("a watcher gets %v", err)
		}
		r.Close()
		if _, err := f.Watch(t.Context(), feed.Start{}); !errors.Is(err, feed.ErrStopping) {
			t.Errorf("a new watcher gets %v", err)
		}
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
}

// TestWhateverHappensEachEventIsSeenOnce has readers come, go, be slow and come back at random,
// while events are committed and the database goes away.
func TestWhateverHappensEachEventIsSeenOnce(t *testing.T) {
	seeds.Run(t, []uint64{1, 2, 3, 4, 5}, func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			d := &database{}
			f := start(t, d)
			readers := []*reader{watch(t, f, feed.Start{})} // nothing has happened yet: it sees all
			for range 3 {
				readers = append(readers, watch(t, f, feed.Start{Oldest: true}))
			}
			for range 400 {
				live(t, rnd, d, f, readers)
			}
			d.set(false)
			for _, r := range readers {
				r.drain()
				r.wantAll(d)
				r.Close()
			}
		})
	})
}

// live does something of what happens.
func live(t *testing.T, rnd *rand.Rand, d *database, f *feed.Feed, readers []*reader) {
	t.Helper()
	switch i := rnd.IntN(len(readers)); rnd.IntN(12) {
	case 0:
		d.set(true)
		time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond)
		d.set(false)
	case 1, 2: // it goes, and comes back
		readers[i].Close()
		if rnd.IntN(3) == 0 {
			time.Sleep(time.Duration(rnd.IntN(2000)) * time.Millisecond)
			d.commit(shard.ID(rnd.IntN(shard.Count)), 1+rnd.IntN(900))
		}
		again, err := readers[i].after(f)
		if err != nil {
			t.Fatal(err)
		}
		readers[i] = again
	case 3, 4, 5:
		if _, err := readers[i].take(time.Duration(rnd.IntN(300)) * time.Millisecond); err != nil {
			t.Fatal(err)
		}
	default:
		d.commit(shard.ID(rnd.IntN(3)), 1+rnd.IntN(5))
		if rnd.IntN(2) == 0 {
			f.Nudge()
		}
		time.Sleep(time.Duration(rnd.IntN(120)) * time.Millisecond)
	}
}

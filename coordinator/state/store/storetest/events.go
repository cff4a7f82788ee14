package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func eventTests() []test {
	return []test{
		{"each change has its event, frozen in the order of its site", eventOfEachChange},
		{"a change that is refused, repeated or no change has none more", eventsOnce},
		{"events are read in whole transactions, however few are asked for", eventsWhole},
		{"a reader at the heads reads nothing, and a new event from there", eventsFromNow},
		{"old events expire, in batches, the oldest first, and it is known how far", expireEvents},
		{"the database has one number, whoever asks first", eventDatabase},
	}
}

// readEvents reads all events after some positions.
func readEvents(t testing.TB, s store.Store, after event.Positions, limit int) ([]event.Event, event.Positions) {
	t.Helper()
	var all []event.Event
	for {
		page := get[store.EventPage](t)(s.ReadEvents(t.Context(), after, limit))
		for _, e := range page.Events {
			all = append(all, get[event.Event](t)(event.Decode(e.Body)))
		}
		if page.Next == after && len(page.Events) > 0 {
			t.Fatal("a page of events goes nowhere")
		}
		if after = page.Next; len(page.Events) == 0 {
			return all, after
		}
	}
}

func eventIDs(events []event.Event) (ids []string) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

func eventOfEachChange(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	row := aSite(url(1))
	row.Tags = []string{"shop", "eu"}
	site := create(t, s, row)
	quiet := create(t, s, aSite(url(2)))
	muted := opening(quiet, "k-muted")
	muted.Muted = true
	done := get[[]store.CommitResult](t)(s.CommitAll(t.Context(), fence, []record.Change{opening(site, "k1"), muted}))
	get[record.Committed](t)(Commit(t.Context(), s, fence, confirming(site, "k2")))
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusConfirmedDown, "k3")))

	got, _ := readEvents(t, s, event.FromOldest(), 100)
	outage := done[0].Committed.OutageID
	place := event.Place{OutageID: outage, Tags: []string{"eu", "shop"}}
	var want []event.Event
	for i, c := range []record.Change{opening(site, "k1"), muted, confirming(site, "k2"), closing(site, check.StatusConfirmedDown, "k3")} {
		at := place
		if c.Muted {
			at = event.Place{OutageID: done[1].Committed.OutageID, Muted: true}
		}
		e, _ := event.OfChange(c, at)
		text := get[string](t)(e.Encode())
		want = append(want, get[event.Event](t)(event.Decode(text)))
		if i < len(got) {
			want[i].Sequence = got[i].Sequence
		}
	}
	wantEqual(t, got, want)
	if a, b, c := got[0].Sequence, got[2].Sequence, got[3].Sequence; a <= 0 || b <= a || c <= b {
		t.Errorf("the events of the site have the places %d, %d, %d", a, b, c)
	}
}

func eventsOnce(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site, other := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	for range 2 {
		get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k1")))
	}
	_, err := Commit(t.Context(), s, fence, opening(site, "k2"))
	wantKind(t, err, fault.Conflict)
	results := get[[]store.CommitResult](t)(s.CommitAll(t.Context(), fence, []record.Change{confirming(other, "k3"), confirming(site, "k4")}))
	wantKind(t, results[0].Err, fault.Conflict)
	_, err = Commit(t.Context(), s, shard.Fence{Shard: fence.Shard, Node: "b", Term: 9}, closing(site, check.StatusConfirmedDown, "k5"))
	wantKind(t, err, fault.Fenced)
	got, _ := readEvents(t, s, event.FromOldest(), 100)
	wantEqual(t, eventIDs(got), []string{"k1", "k4"})
}

func eventsWhole(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	var want []string
	var group []record.Change
	for i := range 12 {
		site := create(t, s, aSite(url(i)))
		key := fmt.Sprintf("k%02d", i)
		want, group = append(want, key), append(group, opening(site, key))
	}
	for _, part := range [][]record.Change{group[:5], group[5:6], group[6:]} {
		get[[]store.CommitResult](t)(s.CommitAll(t.Context(), fence, part))
	}
	for limit := 1; limit <= 13; limit++ {
		got, end := readEvents(t, s, event.FromOldest(), limit)
		wantEqual(t, eventIDs(got), want)
		page := get[store.EventPage](t)(s.ReadEvents(t.Context(), event.FromOldest(), limit))
		if n := len(page.Events); n != 5 && n != 6 && n != 12 {
			t.Errorf("a page of %d has %d events, which is no whole transaction", limit, n)
		}
		if end != page.Heads.Join(event.FromOldest()) {
			t.Errorf("at the end the positions are %v, and the heads %v", end, page.Heads)
		}
	}
	for _, limit := range []int{0, 10_001} {
		_, err := s.ReadEvents(t.Context(), event.FromOldest(), limit)
		wantKind(t, err, fault.Invalid)
	}
}

func eventsFromNow(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k1")))
	now := get[store.EventPage](t)(s.ReadEvents(t.Context(), event.FromOldest(), 1)).Heads
	if got, next := readEvents(t, s, now, 10); len(got) != 0 || next != now {
		t.Errorf("after the heads there are %v, up to %v", got, next)
	}
	// What is no change of status moves no head.
	must(t, s.KeepBallot(t.Context(), fence, aBallot(site)))
	get[record.Committed](t)(Commit(t.Context(), s, fence, confirming(site, "k2")))
	got, next := readEvents(t, s, now, 10)
	wantEqual(t, eventIDs(got), []string{"k2"})
	if !next.Reached(now) || now.Reached(next) {
		t.Errorf("from %v a reader comes to %v", now, next)
	}
}

func expireEvents(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	for i := range 6 {
		c := opening(create(t, s, aSite(url(i))), fmt.Sprintf("k%d", i))
		c.At = after(time.Duration(i) * time.Hour)
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
	}
	all := get[store.EventPage](t)(s.ReadEvents(t.Context(), event.FromOldest(), 100))
	left := func(want ...string) store.EventPage {
		t.Helper()
		page := get[store.EventPage](t)(s.ReadEvents(t.Context(), event.FromOldest(), 100))
		got, _ := readEvents(t, s, event.FromOldest(), 100)
		wantEqual(t, eventIDs(got), want)
		return page
	}
	old := store.Expiry{Events: after(4 * time.Hour)} // that of exactly then stays
	if n := expire(t, s, fence, store.Expiry{Events: after(0)}, 10); n != 0 {
		t.Errorf("%d expired, and all are young", n)
	}
	if n := expire(t, s, fence, old, 3); n != 3 {
		t.Errorf("%d expired, want the limit of 3", n)
	}
	if page := left("k3", "k4", "k5"); page.Expired[fence.Shard] != all.Events[2].Pos {
		t.Errorf("expired up to %d, want %d", page.Expired[fence.Shard], all.Events[2].Pos)
	}
	if n := expire(t, s, fence, old, 3); n != 1 {
		t.Errorf("%d expired, want the last", n)
	}
	left("k4", "k5")
	if n := expire(t, s, fence, store.Expiry{Events: after(100 * time.Hour)}, 10); n != 2 {
		t.Errorf("%d expired, want all that are left", n)
	}
	page := left()
	if page.Expired[fence.Shard] != page.Heads[fence.Shard] || page.Heads != all.Heads {
		t.Errorf("all have expired up to %d, and the head is %d", page.Expired[fence.Shard], page.Heads[fence.Shard])
	}
	other := own(t, s, "a", 100)
	if n := expire(t, s, other, store.Expiry{Events: after(100 * time.Hour)}, 10); n != 0 {
		t.Errorf("%d expired of a shard without events", n)
	}
}

func eventDatabase(t *testing.T, db Database) {
	var wg sync.WaitGroup
	numbers := make([]uint32, 4)
	for i := range numbers {
		s := db.Open(t, false)
		wg.Go(func() {
			n, err := s.EventDatabase(t.Context())
			if err != nil {
				t.Error(err)
			}
			numbers[i] = n
		})
	}
	wg.Wait()
	if numbers[0] == 0 || slices.Compact(slices.Clone(numbers))[0] != numbers[0] || len(slices.Compact(numbers)) != 1 {
		t.Errorf("the database has the numbers %v", numbers)
	}
}

// followEvents has several processes commit to several shards, which change hands, while
// another follows: it sees each event once, those of a shard in their order.
func followEvents(t *testing.T, db Database, r *rand.Rand) {
	const writers, sites = 3, 8
	s := db.Open(t, true)
	var mu sync.Mutex
	written := map[shard.ID][]string{} // in the order of commits
	var wg sync.WaitGroup
	for w := range writers {
		own, bucket, pick := db.Open(t, true), check.BucketID(w*shard.BucketsPer), rand.New(rand.NewPCG(r.Uint64(), 0))
		var rows []record.Site
		for i := range sites {
			row := aSite(url(w*100 + i))
			row.Bucket = bucket
			rows = append(rows, create(t, s, row))
		}
		wg.Go(func() {
			writeEvents(t, own, pick, rows, func(key string) {
				mu.Lock()
				defer mu.Unlock()
				written[shard.Of(bucket)] = append(written[shard.Of(bucket)], key)
			})
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	followed, at := map[shard.ID][]string{}, event.FromOldest()
	for last := false; ; {
		page := get[store.EventPage](t)(s.ReadEvents(t.Context(), at, 1+r.IntN(9)))
		for _, e := range page.Events {
			followed[e.Shard] = append(followed[e.Shard], get[event.Event](t)(event.Decode(e.Body)).ID)
		}
		at = page.Next
		if len(page.Events) == 0 && last {
			break
		}
		select {
		case <-done:
			last = true
		default:
		}
	}
	wantEqual(t, followed, written)
}

// writeEvents commits groups of changes of sites of one shard, each time in a new term.
func writeEvents(t *testing.T, s store.Store, r *rand.Rand, rows []record.Site, wrote func(key string)) {
	const rounds = 12
	down := map[check.SiteID]bool{}
	for round := range rounds {
		fence := own(t, s, "a", rows[0].Bucket)
		var group []record.Change
		for _, i := range r.Perm(len(rows))[:1+r.IntN(len(rows))] {
			key := fmt.Sprintf("%d-%d", rows[i].ID, round)
			c := opening(rows[i], key)
			if down[rows[i].ID] {
				c = closing(rows[i], check.StatusDown, key)
			}
			down[rows[i].ID] = !down[rows[i].ID]
			group = append(group, c)
		}
		results, err := s.CommitAll(t.Context(), fence, group)
		if err != nil {
			t.Error(err)
			return
		}
		for i, result := range results {
			if result.Err != nil {
				t.Error(result.Err)
			}
			wrote(group[i].Key)
		}
	}
}

package dispatch

import (
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// shelf is batches with the checks and the session that they are of.
type shelf struct {
	batches
	t       *testing.T
	open    openChecks
	session *Session
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	random := uint64(0)
	config := Config{Lease: time.Minute, Random: func() uint64 { random++; return random - 1 }}
	return &shelf{
		batches: newBatches(&config), t: t,
		session: &Session{id: 1, hello: Hello{Node: "a", Instance: "1"}},
	}
}

// lendSites hands out a batch with a check of each site, of host 7 all.
func (s *shelf) lendSites(now float64, sites ...check.SiteID) *batch {
	s.t.Helper()
	var entries []*entry
	for _, site := range sites {
		entries = append(entries, s.open.add(&Check{Site: site, Sequence: 1, Host: 7}))
	}
	b, checks := s.hand(second(now), s.session, entries)
	if len(checks) != len(sites) || checks[0].Site != sites[0] {
		s.t.Fatalf("the checks %v go out for %v", checks, sites)
	}
	s.fits()
	return b
}

// closeSite closes the open check of a site, and reports whether its place is free.
func (s *shelf) closeSite(site check.SiteID) bool {
	e := s.open.of(site)
	free := s.closed(e)
	s.open.remove(e)
	return free
}

func (s *shelf) fits() {
	s.t.Helper()
	if err := s.audit(); err != nil {
		s.t.Fatal(err)
	}
}

func TestAnEndedBatchReturnsWhatItHadOutInOrder(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	b := s.lendSites(0, 1, 2, 3, 4)
	if s.closeSite(3) {
		t.Error("the place of a check that is out unanswered is free")
	}
	s.fits()
	if !s.answered(b, &b.slots[1]) || s.answered(b, &b.slots[1]) {
		t.Error("the first answer of a slot is not its only one")
	}
	if b.slots[1].answer = counted; !s.closeSite(2) {
		t.Error("the place of an answered check is taken")
	}
	s.fits()
	var got []check.SiteID
	for _, l := range s.end(second(1), b) {
		if l.check == nil {
			got = append(got, 0)
		} else if e := l.check; e.batch != nil || !e.returned || e.lost != "a" {
			t.Errorf("site %d comes back as %+v", e.check.Site, e)
		} else {
			got = append(got, e.check.Site)
		}
		if l.host != 7 {
			t.Errorf("it was out to host %d", l.host)
		}
	}
	if want := []check.SiteID{1, 0, 4}; !slices.Equal(got, want) {
		t.Errorf("back come %v, want %v", got, want)
	}
	if s.fits(); b.list != &s.lost {
		t.Error("the batch is not remembered as lost")
	}
}

func TestABatchMovesFromListToList(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	answeredWhole, withdrawn := s.lendSites(0, 1), s.lendSites(0, 2)
	if answeredWhole.ref.Checkout == 0 {
		t.Error("0 is nobody's checkout id")
	}
	s.answered(answeredWhole, &answeredWhole.slots[0])
	s.closeSite(1)
	if back := s.end(second(1), answeredWhole); len(back) != 0 || answeredWhole.list != &s.done {
		t.Errorf("an answered batch returns %v", back)
	}
	s.fits()
	if s.closeSite(2); withdrawn.list != &s.void {
		t.Error("a batch without an open check is not void")
	}
	s.fits()
	if back := s.end(second(1), withdrawn); len(back) != 1 || withdrawn.list != &s.lost {
		t.Errorf("a void batch returns %v", back)
	}
	s.fits()
}

func TestLiveBatchesExpireInOrder(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	early, void, late := s.lendSites(0, 1), s.lendSites(1, 2), s.lendSites(2, 3)
	s.closeSite(2)
	for now, want := range map[float64][]*batch{59: nil, 60: {early}, 61: {early, void}, 62: {early, late, void}} {
		if got := s.expired(second(now)); !slices.Equal(got, want) {
			t.Errorf("after %v s %d batches are over, want %d", now, len(got), len(want))
		}
	}
	// An early lease that goes on comes before later ones.
	s.end(second(3), early)
	s.start(second(4), s.session, early, 1)
	early.lend(0)
	s.fits()
	if s.live.oldest() != early || early.onList.Next() != late {
		t.Error("the resumed batch does not expire first")
	}
}

func TestABatchIsResumedByItsProcessAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		hello Hello
		at    float64
		wrong uint64
		live  bool
		is    bool
	}{
		"the same process":               {hello: Hello{Node: "a", Instance: "1"}, at: 59, is: true},
		"another process of the node":    {hello: Hello{Node: "a", Instance: "2"}, at: 59},
		"another node":                   {hello: Hello{Node: "b", Instance: "1"}, at: 59},
		"with a wrong id":                {hello: Hello{Node: "a", Instance: "1"}, at: 59, wrong: 1},
		"when the lease is over":         {hello: Hello{Node: "a", Instance: "1"}, at: 60},
		"while it is checked out to one": {hello: Hello{Node: "a", Instance: "1"}, at: 59, live: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			b := s.lendSites(0, 1)
			if !test.live {
				s.end(second(1), b)
			}
			ref := Ref{Batch: b.ref.Batch, Checkout: b.ref.Checkout + test.wrong}
			if got := s.resumable(second(test.at), &Session{id: 2, hello: test.hello}, ref); (got == b) != test.is || got != nil != test.is {
				t.Errorf("it is %v", got)
			}
		})
	}
}

func TestWhatIsFencedIsStaleForAWhile(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	b := s.lendSites(0, 1, 2)
	fenced := b.slots[0].serial
	s.fenced.add(second(0), fenced)
	s.closeSite(1)
	s.closeSite(2)
	s.end(second(0), b)
	for i, want := range []Class{Stale, Late} {
		t1 := &b.slots[i]
		if got := s.missed(t1); got != want || t1.answer.again() != want {
			t.Errorf("a result of check %d is of class %d, and then %d; want %d", i, got, t1.answer.again(), want)
		}
	}
	s.fits()
	if s.forget(second(359)); !s.fenced.has(fenced) {
		t.Error("a fence is forgotten before a lease and five minutes are over")
	}
	if s.forget(second(360)); s.fenced.has(fenced) || s.fenced.order != nil {
		t.Error("a fence is remembered after a lease and five minutes")
	}
	s.fits()
}

func TestTheNumberOfFencesIsBounded(t *testing.T) {
	t.Parallel()
	f := newFences()
	for serial := range uint64(rememberLost + 10) {
		f.add(second(0), serial)
	}
	f.forget(second(-1))
	if err := f.audit(); err != nil || len(f.order) != rememberLost || f.has(9) || !f.has(10) {
		t.Errorf("%d fences are left: %v", len(f.order), err)
	}
}

func TestEndedBatchesAreForgotten(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	b := s.lendSites(0, 1, 2, 3)
	id := b.ref.Batch
	s.end(second(10), b)
	if s.forget(second(309)); s.find(id) != b {
		t.Error("it is forgotten before five minutes")
	}
	if s.forget(second(310)); s.find(id) != nil {
		t.Error("it is remembered after five minutes")
	}
	s.fits()
	// Its memory is for the next of its size.
	if four := s.lendSites(400, 4, 5, 6, 7); four != b {
		t.Error("a batch of four does not use the memory of one of three")
	}
	if two := s.lendSites(400, 8, 9); cap(two.slots) != 2 {
		t.Errorf("a batch of two has room for %d", cap(two.slots))
	}
}

func TestFewSpareBatchesAreKept(t *testing.T) {
	t.Parallel()
	var s spares
	var batches []*batch
	for range spareBatches + 5 {
		batches = append(batches, s.take(5))
	}
	for _, b := range batches {
		s.put(b)
	}
	if err := s.audit(); err != nil || len(s.bySize[3]) != spareBatches {
		t.Errorf("%d are kept: %v", len(s.bySize[3]), err)
	}
}

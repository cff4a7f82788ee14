package dispatch_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

// story is one random sequence of events on a Core beside its model.
type story struct {
	rng   *rand.Rand
	core  *dispatch.Core
	model *model
	// size is how much happens at once, 1 in small stories; sites how many there are.
	size, sites int
	sequences   []uint64
	// sessions and refs are all that ever were, the newest last.
	sessions []dispatch.SessionID
	refs     []dispatch.Ref
	log      []string
}

func newStory(seed, n uint64, size int) *story {
	rng := rand.New(rand.NewPCG(seed, n))
	config := dispatch.Config{
		Lease: 60 * time.Second, SessionTimeout: 15 * time.Second, AvoidFor: 5 * time.Second,
		MaxBatch: 1 + rng.IntN(6*size), MaxQueue: (5 + rng.IntN(30)) * size, Random: rng.Uint64,
		PerHost: rng.IntN(4) * size, SlowStart: 20 * time.Second,
	}
	sites := 40 * size
	return &story{
		rng: rng, core: dispatch.New(config), model: newModel(config, at(0)),
		size: size, sites: sites, sequences: make([]uint64, sites),
	}
}

func at(seconds float64) time.Time {
	return time.Unix(1_700_000_000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

func (s *story) note(format string, args ...any) { s.log = append(s.log, fmt.Sprintf(format, args...)) }

// pickOne takes a recent element mostly, an old one now and then.
func pickOne[T any](rng *rand.Rand, from []T) T {
	var zero T
	if len(from) == 0 {
		return zero
	}
	if rng.IntN(10) > 0 {
		from = from[max(0, len(from)-6):]
	}
	return from[rng.IntN(len(from))]
}

// somebody is a session that is there, mostly.
func (s *story) somebody() dispatch.SessionID {
	if infos := s.core.Sessions(); len(infos) > 0 && s.rng.IntN(5) > 0 {
		return infos[s.rng.IntN(len(infos))].ID
	}
	return pickOne(s.rng, s.sessions)
}

// step does one random thing and has the model judge it.
func (s *story) step() error {
	m, rng := s.model, s.rng
	m.now = m.now.Add(time.Duration(rng.IntN(1200)) * time.Millisecond)
	if rng.IntN(60) == 0 {
		m.now = m.now.Add(time.Duration(rng.IntN(90)) * time.Second)
	}
	id := s.somebody()
	switch n := rng.IntN(100); {
	case n < 30:
		for range s.size {
			if err := s.submit(); err != nil {
				return err
			}
		}
	case n < 34:
		s.withdraw()
	case n < 36:
		return s.join()
	case n < 37:
		s.note("leave %d", id)
		s.core.Leave(m.now, id)
		m.endSession(id)
	case n < 48:
		credit := rng.IntN(12 * s.size)
		err := s.core.Grant(id, credit)
		s.note("grant %d to %d: %v", credit, id, err)
		return m.grant(id, credit, err)
	case n < 49:
		s.note("drain %d", id)
		s.core.Drain(id)
		if ms := m.sessions[id]; ms != nil {
			ms.draining = true
			m.growAlone()
		}
	case n < 62:
		batches := s.core.Assign(m.now)
		s.note("assign: %+v", batches)
		for _, b := range batches {
			s.refs = append(s.refs, b.Ref)
		}
		return m.assign(batches)
	case n < 85:
		return s.checkIn()
	case n < 92:
		return s.heartbeat(id)
	case n < 94:
		return s.release(id)
	case n < 96:
		ended := s.core.Obsolete(m.now)
		s.note("obsolete: %v", ended)
		return m.endObsolete(ended)
	default:
		lost, expired := s.core.Expire(m.now)
		s.note("expire: %v, %v", lost, expired)
		return m.expire(lost, expired)
	}
	return nil
}

// join opens a session, of a process that had one before now and then, which resumes
// what it had, and what it had not.
func (s *story) join() error {
	m, rng := s.model, s.rng
	h := dispatch.Hello{Node: string(rune('a' + rng.IntN(4))), Instance: fmt.Sprint(rng.IntN(3)), MaxInFlight: rng.IntN(30 * s.size)}
	var resume []dispatch.Ref
	if b := m.batches[pickOne(rng, s.refs).Batch]; b != nil && rng.IntN(4) > 0 {
		h.Node, h.Instance = b.node, b.instance
		for _, id := range slices.Sorted(maps.Keys(m.batches)) {
			if b := m.batches[id]; b.node == h.Node && m.now.Sub(b.handed) < 5*time.Minute && rng.IntN(4) > 0 {
				resume = append(resume, b.Ref)
			}
		}
	}
	for range rng.IntN(3) {
		ref := pickOne(rng, s.refs)
		ref.Checkout += uint64(rng.IntN(2))
		resume = append(resume, ref)
	}
	var got joined
	got.id, got.superseded, got.err = s.core.Join(m.now, h, resume)
	s.note("join %+v with %v: %d, supersedes %v, %v", h, resume, got.id, got.superseded, got.err)
	if got.err == nil {
		s.sessions = append(s.sessions, got.id)
	}
	return m.join(s.core, h, resume, got)
}

func (s *story) withdraw() {
	site, fence := check.SiteID(s.rng.IntN(s.sites)), s.rng.IntN(2) == 0
	if b := s.model.batches[pickOne(s.rng, s.refs).Batch]; b != nil && s.rng.IntN(3) > 0 {
		site = b.Checks[s.rng.IntN(len(b.Checks))].Site
	}
	s.note("withdraw %d, fence %t", site, fence)
	if fence {
		s.core.Fence(site)
	} else {
		s.core.Withdraw(site)
	}
	s.model.withdraw(site, fence)
}

func (s *story) release(id dispatch.SessionID) error {
	ref := pickOne(s.rng, s.refs)
	if b := s.model.batches[ref.Batch]; b != nil && s.rng.IntN(3) > 0 {
		id = b.Session
	}
	if s.rng.IntN(5) == 0 {
		ref.Checkout++
	}
	err := s.core.Release(s.model.now, id, ref)
	s.note("release %v by %d: %v", ref, id, err)
	return s.model.release(id, ref, err)
}

func (s *story) submit() error {
	k := dispatch.Check{Site: check.SiteID(1 + s.rng.IntN(s.sites-1)), Urgent: s.rng.IntN(3) == 0, Due: s.model.now}
	k.Host = uint32(k.Site % 7)
	if s.rng.IntN(3) == 0 {
		k.Avoid = string(rune('a' + s.rng.IntN(5)))
	}
	// Now and then a sequence is used again: the checks are still not the same.
	if s.rng.IntN(8) > 0 {
		s.sequences[k.Site]++
	}
	k.Sequence = s.sequences[k.Site]
	if s.rng.IntN(2) == 0 { // which must not matter
		s.core.Expect([]dispatch.Check{k, {Site: check.SiteID(s.rng.IntN(s.sites)), Host: uint32(s.rng.IntN(9))}})
	}
	err := s.core.Submit(s.model.now, k)
	s.note("submit %+v: %v", k, err)
	return s.model.submit(k, err)
}

// checkIn is by anybody, of anything: right, in parts, again, late, invented.
func (s *story) checkIn() error {
	rng := s.rng
	ref := pickOne(rng, s.refs)
	id := s.somebody()
	var keys []dispatch.Key
	if b := s.model.batches[ref.Batch]; b != nil {
		if rng.IntN(8) > 0 {
			id = b.Session
		}
		for _, k := range b.Checks {
			keys = append(keys, dispatch.Key{Site: k.Site, Sequence: k.Sequence})
		}
		rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		keys = keys[rng.IntN(len(keys)):]
	}
	switch rng.IntN(20) {
	case 0:
		ref.Checkout ^= 1 << rng.IntN(64)
	case 1:
		ref.Batch += dispatch.BatchID(rng.IntN(3))
	case 2:
		keys = append(keys, dispatch.Key{Site: check.SiteID(rng.IntN(s.sites)), Sequence: uint64(rng.IntN(9))})
	case 3:
		if len(keys) > 0 {
			keys[0].Sequence++
		}
	case 4:
		keys = append(keys, keys...)
	}
	r, err := s.core.CheckIn(s.model.now, id, ref, keys)
	s.note("check in %v of %v by %d: %+v, %v", keys, ref, id, r, err)
	return s.model.checkIn(id, ref, keys, r, err)
}

func (s *story) heartbeat(id dispatch.SessionID) error {
	var open []dispatch.Ref
	for _, batch := range slices.Sorted(maps.Keys(s.model.batches)) {
		if b := s.model.batches[batch]; b.live && b.Session == id && s.rng.IntN(8) > 0 {
			open = append(open, b.Ref)
		}
	}
	if s.rng.IntN(4) == 0 {
		open = append(open, pickOne(s.rng, s.refs), dispatch.Ref{Batch: dispatch.BatchID(s.rng.IntN(99)), Checkout: 1})
	}
	unknown, err := s.core.Heartbeat(s.model.now, id, open)
	s.note("heartbeat of %d with %v: %v, %v", id, open, unknown, err)
	return s.model.heartbeat(id, open, unknown, err)
}

// finish has one good checker do all that is left: nothing was lost on the way.
func (s *story) finish() error {
	m := s.model
	for _, i := range s.core.Sessions() {
		s.core.Leave(m.now, i.ID)
		m.endSession(i.ID)
	}
	h := dispatch.Hello{Node: "z", MaxInFlight: s.sites}
	var got joined
	got.id, got.superseded, got.err = s.core.Join(m.now, h, nil)
	if err := m.join(s.core, h, nil, got); err != nil {
		return err
	}
	id := got.id
	for s.core.Open() > 0 {
		err := m.grant(id, s.sites, s.core.Grant(id, s.sites))
		if errors.Is(err, dispatch.ErrOverCredit) {
			err = nil
		}
		batches := s.core.Assign(m.now)
		if err := cmp.Or(err, m.assign(batches)); err != nil {
			return err
		}
		if len(batches) == 0 {
			return fmt.Errorf("%d checks are open, and nothing is handed out", s.core.Open())
		}
		if err := s.answerAll(id, batches); err != nil {
			return err
		}
	}
	if m.submitted != m.accepted+m.withdrawn {
		return fmt.Errorf("%d submitted, %d accepted, %d withdrawn", m.submitted, m.accepted, m.withdrawn)
	}
	return nil
}

func (s *story) answerAll(id dispatch.SessionID, batches []dispatch.Batch) error {
	for _, b := range batches {
		var keys []dispatch.Key
		for _, k := range b.Checks {
			keys = append(keys, dispatch.Key{Site: k.Site, Sequence: k.Sequence})
		}
		r, err := s.core.CheckIn(s.model.now, id, b.Ref, keys)
		if err := s.model.checkIn(id, b.Ref, keys, r, err); err != nil {
			return err
		}
	}
	return nil
}

// Over random stories: a check is never in two live batches; it is never lost and
// counts once; never more is out than granted, than a session may have and than a host
// may; what was replayed, reordered or invented changes nothing that was not checked out.
func TestRandomStories(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		var sum model
		for n := range uint64(250) {
			tell(t, newStory(seed, n, 1), 400, &sum)
		}
		if min(sum.accepted, sum.duplicate, sum.late, sum.stale, sum.returned, sum.resumed, 10*sum.obsolete, sum.crowded, 10*sum.refused, 10*sum.yielded) < 100 {
			t.Errorf("the stories tell too little: %d results accepted, %d duplicate, %d late, %d stale; %d checks returned, %d resumed, %d parked; %d batches obsolete; %d processes refused, %d names yielded",
				sum.accepted, sum.duplicate, sum.late, sum.stale, sum.returned, sum.resumed, sum.crowded, sum.obsolete, sum.refused, sum.yielded)
		}
	})
}

// The same at a size at which new sessions start slowly.
func TestRandomStoriesOfManyChecks(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		var sum model
		for n := range uint64(8) {
			tell(t, newStory(seed, n, 40), 250, &sum)
		}
		if min(sum.accepted, sum.returned, sum.resumed, sum.crowded) < 100 {
			t.Errorf("the stories tell too little: %d results accepted; %d checks returned, %d resumed, %d parked",
				sum.accepted, sum.returned, sum.resumed, sum.crowded)
		}
	})
}

// tell goes through a story and adds up what happened.
func tell(t *testing.T, s *story, steps int, sum *model) {
	t.Helper()
	for range steps {
		err := s.step()
		if err := cmp.Or(err, s.model.same(s.core, s.sites), s.core.Audit()); err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(s.log[max(0, len(s.log)-40):], "\n"))
		}
	}
	if err := cmp.Or(s.finish(), s.core.Audit()); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(s.log[max(0, len(s.log)-40):], "\n"))
	}
	m := s.model
	sum.accepted += m.accepted
	sum.duplicate += m.duplicate
	sum.late += m.late
	sum.stale += m.stale
	sum.returned += m.returned
	sum.resumed += m.resumed
	sum.obsolete += m.obsolete
	sum.crowded += m.crowded
	sum.refused += m.refused
	sum.yielded += m.yielded
}

// The same events and the same random numbers lead to the same answers.
func TestStoriesRepeat(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for n := range uint64(30) {
			a, b := newStory(seed, n, 1), newStory(seed, n, 1)
			for range 400 {
				if err := cmp.Or(a.step(), b.step()); err != nil {
					t.Fatalf("story %d: %v", n, err)
				}
			}
			for i := range a.log {
				if a.log[i] != b.log[i] {
					t.Fatalf("story %d, event %d:\n%s\n%s", n, i, a.log[i], b.log[i])
				}
			}
		}
	})
}

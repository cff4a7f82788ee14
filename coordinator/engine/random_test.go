package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

// TestNoSiteIsEverForgotten drives one site through random trouble: checkers that
// come, go and never answer, ballots with every verdict, edits, a store that takes
// or refuses changes. Then the trouble ends: the site must be checked within two
// intervals, must be found up, and what was reported must alternate.
func TestNoSiteIsEverForgotten(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1, 164463791496746719}, func(t *testing.T, seed uint64) {
		for story := range uint64(150) {
			t.Run(fmt.Sprintf("story %d", story), func(t *testing.T) {
				t.Parallel()
				h := &havoc{world: newWorld(t), r: rand.New(rand.NewPCG(seed, story)), row: row(), saved: map[check.SiteID]record.Snapshot{}}
				h.engine.Put(h.now, h.row)
				for range 400 {
					h.something()
				}
				h.settle()
			})
		}
	})
}

// havoc does random things to a world, as its real neighbours could.
type havoc struct {
	*world
	r        *rand.Rand
	row      record.Site
	checkers []*checker
	answered int // of asked
	looks    int // of looked
	written  int // of writes
	told     []check.Status
	demanded []*Demand
	saved    map[check.SiteID]record.Snapshot
}

func (h *havoc) something() {
	switch h.r.IntN(15) {
	case 14:
		h.demand()
	case 0:
		h.checkers = append(h.checkers, h.join(string(rune('a'+h.r.IntN(3)))))
	case 1:
		if len(h.checkers) > 0 {
			i := h.r.IntN(len(h.checkers))
			h.engine.Leave(h.now, h.checkers[i].id)
			h.checkers[i].ended = "left"
		}
	case 2, 3, 4, 5:
		if len(h.checkers) > 0 {
			h.tryAnswer(h.checkers[h.r.IntN(len(h.checkers))])
		}
	case 6:
		h.ballot()
	case 7:
		h.look()
	case 8:
		h.book()
	case 9:
		if h.r.IntN(8) == 0 {
			h.edit()
		}
	case 10:
		h.save()
	case 11:
		if h.r.IntN(8) == 0 {
			h.crash()
		}
		h.full = h.r.IntN(4) == 0
	default:
		h.time(time.Duration(h.r.IntN(40)) * time.Second)
	}
}

// demand has the site checked now, or gives up a wait for that.
func (h *havoc) demand() {
	if len(h.demanded) > 0 && h.r.IntN(2) == 0 {
		h.engine.Waive(h.demanded[0])
		h.demanded = h.demanded[1:]
		return
	}
	if d, err := h.engine.Demand(h.now, h.row.ID); err == nil {
		h.demanded = append(h.demanded, d)
	}
	for _, d := range h.demanded {
		_ = h.engine.Renew(h.now, d) // it may have become impossible
	}
}

// alive drops the checkers whose sessions have ended.
func (h *havoc) alive() []*checker {
	var out []*checker
	for _, c := range h.checkers {
		if c.ended == "" {
			out = append(out, c)
		}
	}
	h.checkers = out
	return out
}

func (h *havoc) time(d time.Duration) {
	for range d / time.Second {
		h.now = h.now.Add(time.Second)
		for _, c := range h.alive() {
			if h.r.IntN(8) > 0 { // some heartbeats are lost
				var open []dispatch.Ref
				for _, b := range c.batches {
					open = append(open, b.Ref)
				}
				// An ended session answers with an error, as it should.
				_, _ = h.engine.Heartbeat(h.now, c.id, open, check.SelfCheck{Healthy: h.r.IntN(10) > 0})
			}
		}
		h.engine.Tick(h.now)
	}
}

func (h *havoc) tryAnswer(c *checker) {
	if c.ended != "" {
		return
	}
	o := []check.Observation{up, down, down, {Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy}}[h.r.IntN(4)]
	for _, b := range c.batches {
		var results []Result
		for _, k := range b.Checks {
			results = append(results, Result{Key: dispatch.Key{Site: k.Site, Sequence: k.Sequence}, At: h.now, Observation: o})
		}
		// Batches whose lease is long over are refused, as they should be.
		if r, err := h.engine.CheckIn(h.now, c.id, b.Ref, results); err == nil && r.Accepted > 0 {
			_ = h.engine.Grant(h.now, c.id, r.Accepted)
		}
	}
	c.batches = nil
}

func (h *havoc) ballot() {
	for ; h.answered < len(h.asked); h.answered++ {
		v := []quorum.Verdict{quorum.Confirmed, quorum.Rejected, quorum.Inconclusive, quorum.Inconclusive, quorum.Inconclusive}[h.r.IntN(5)]
		h.engine.Decide(h.now, Answer{Question: h.asked[h.answered], Verdict: v, Opened: h.now, Decided: h.now})
	}
}

// save writes the engine's snapshots, or fails to.
func (h *havoc) save() {
	updates := h.engine.Unsaved(h.now, shard.Of(h.row.Bucket), 10)
	if h.r.IntN(4) == 0 {
		h.engine.Unwritten(updates)
		return
	}
	for _, m := range updates {
		delete(h.saved, m.Site)
		if !m.Forget {
			s, err := m.Encode()
			if err != nil {
				h.t.Fatal(err)
			}
			h.saved[m.Site] = s
		}
	}
}

// crash ends the process; the next one has the row and the saved snapshots. Changes on their
// way to the store did not arrive.
func (h *havoc) crash() {
	for _, c := range h.checkers {
		c.ended = "crash"
	}
	h.asked, h.looked, h.writes = nil, nil, nil
	h.answered, h.looks, h.written = 0, 0, 0
	h.engine = h.newEngine()
	h.engine.Recall(slices.Collect(maps.Values(h.saved)))
	h.engine.Put(h.now, h.row)
	h.engine.Recalled(shard.Of(h.row.Bucket))
}

func (h *havoc) look() {
	for ; h.looks < len(h.looked); h.looks++ {
		l := Look{Question: h.looked[h.looks], Veriflier: "v", At: h.now}
		if h.r.IntN(2) == 0 {
			l.Observation = &up
		}
		h.engine.Looked(h.now, l)
	}
}

func (h *havoc) book() {
	for ; h.written < len(h.writes); h.written++ {
		c := h.writes[h.written]
		if h.r.IntN(4) == 0 {
			if h.r.IntN(2) == 0 {
				r := h.row // as the store has it
				h.engine.Refused(h.now, c, &r)
			} else {
				h.engine.Refused(h.now, c, nil)
				h.engine.Put(h.now, h.row)
			}
			continue
		}
		if c.From != h.row.Status {
			continue // the real store refuses this; it is tested there
		}
		h.row.Status, h.row.StatusSince = c.To, c.At
		h.told = append(h.told, c.To)
		h.engine.Committed(h.now, c, record.Committed{OutageID: 1})
	}
}

func (h *havoc) edit() {
	switch h.r.IntN(3) {
	case 0:
		h.row.Paused = !h.row.Paused
	case 1:
		h.row.URL = fmt.Sprintf("http://example.com/%d", h.r.IntN(1000))
	case 2:
		h.row.Interval = time.Duration(1+h.r.IntN(5)) * time.Minute
	}
	h.engine.Put(h.now, h.row)
}

// settle ends all trouble and checks the outcome.
func (h *havoc) settle() {
	h.full = false
	if h.row.Paused {
		h.row.Paused = false
		h.engine.Put(h.now, h.row)
	}
	a, b := h.join("x"), h.join("y")
	for range 12 * 60 / 5 {
		h.pass(5*time.Second, a, b)
		for ; h.answered < len(h.asked); h.answered++ {
			h.engine.Decide(h.now, Answer{Question: h.asked[h.answered], Verdict: quorum.Rejected, Opened: h.now, Decided: h.now})
		}
		for ; h.written < len(h.writes); h.written++ {
			if c := h.writes[h.written]; c.From == h.row.Status {
				h.row.Status, h.row.StatusSince = c.To, c.At
				h.told = append(h.told, c.To)
				h.engine.Committed(h.now, c, record.Committed{OutageID: 1})
			} else {
				r := h.row
				h.engine.Refused(h.now, c, &r)
			}
		}
		a.answer(up)
		b.answer(up)
	}
	v, ok := h.engine.View(h.now, 42)
	if !ok || h.now.Sub(v.LastCheck) > 2*h.row.Interval {
		h.t.Fatalf("the site is not checked any more: %v, %+v", ok, v)
	}
	if v.Status != check.StatusRunning || h.row.Status != check.StatusRunning {
		h.t.Errorf("status %v, stored %v; want running", v.Status, h.row.Status)
	}
	for i, s := range h.told {
		last := check.StatusRunning
		if i > 0 {
			last = h.told[i-1]
		}
		if s == last || last == check.StatusRunning && s == check.StatusConfirmedDown {
			h.t.Fatalf("reported %v", h.told)
		}
	}
}

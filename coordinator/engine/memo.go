package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/shard"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
)

// memo is what must be known of a site in trouble to go on with it in another process.
type memo struct {
	State       lifecycle.State
	Checks      []store.LocalCheck `json:",omitempty"`
	Last        *check.Observation `json:",omitempty"`
	LastCheck   time.Time
	HeadHostile bool     `json:",omitempty"`
	Regional    Regional `json:",omitzero"`
}

// recallFor is how old a memo may be for its failures to count: what was seen before is
// seen again as quickly. What is remembered of a site that comes and goes counts longer.
const recallFor = 10 * time.Minute

// Memo is a site in trouble as it is to be kept, or is to be forgotten.
type Memo struct {
	Site   check.SiteID
	Bucket check.BucketID
	// Forget: nothing of it is to be kept any more.
	Forget bool

	url  string
	at   time.Time
	memo memo
}

// Suspect is the memo as the store keeps it, cut to what that takes.
func (m Memo) Suspect() (store.Suspect, error) {
	state, err := m.memo.encode()
	if err != nil {
		return store.Suspect{}, fmt.Errorf("encode the memo of site %d: %w", m.Site, err)
	}
	return store.Suspect{SiteID: m.Site, Bucket: m.Bucket, At: m.at, URL: m.url, State: state}, nil
}

// encode writes a memo in at most store.MaxSuspectState bytes. What a site answered can be
// more than that, as redirects are long: evidence goes then, first what tells least.
func (m memo) encode() ([]byte, error) {
	state, err := plain(m)
	if err != nil || len(state) <= store.MaxSuspectState {
		return state, err
	}
	m.Checks = slices.Clone(m.Checks) // the engine's stay as they are
	for _, o := range m.leastTelling() {
		o.Hops, o.Headers = nil, nil
		if state, err = plain(m); err != nil || len(state) <= store.MaxSuspectState {
			return state, err
		}
	}
	m.Checks, m.Last, m.Regional = nil, nil, Regional{}
	return plain(m)
}

// leastTelling lists the observations of a memo that may be cut, in that order: the middle
// of the run from its oldest on, its first check, and the newest, which is there twice. An
// outage is named after the kind of the first failure; cutting leaves that.
func (m *memo) leastTelling() (out []*check.Observation) {
	n := len(m.Checks)
	for i := range n {
		out = append(out, &m.Checks[(i+1)%n].Observation)
	}
	if n > 1 { // after the middle comes the newest, and then the first
		out[n-2], out[n-1] = out[n-1], out[n-2]
	}
	if m.Last != nil {
		last := *m.Last
		m.Last = &last
		out = slices.Insert(out, max(n-1, 0), m.Last)
	}
	return out
}

// plain is JSON that is not fit for HTML: there each & takes six bytes.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// memorable says whether more is known of a site than its row and the next checks say.
func (s *site) memorable() bool {
	switch s.state.Stage {
	case lifecycle.Suspect, lifecycle.Verifying, lifecycle.Recovering:
		return true
	}
	return s.pending != nil || s.state.Flap != lifecycle.Flap{} || s.regional.At != time.Time{}
}

// memo describes the site. A change that is not committed has not been: its ballot is
// held again.
func (s *site) memo() memo {
	m := memo{
		State: s.state, Checks: slices.Clone(s.checks), Last: s.last, LastCheck: s.lastCheck,
		HeadHostile: s.headHostile, Regional: s.regional,
	}
	if s.pending != nil {
		m.State.Status, m.State.StatusSince = s.pending.From, s.pending.Since
		m.State.Stage = lifecycle.Initial(m.State.Status, m.State.StatusSince, false).Stage
		if m.State.Status == check.StatusRunning {
			m.State.Stage, m.State.Round = lifecycle.Verifying, 1
		}
	}
	return m
}

// remember notes that the memo of a site has to be written, or to be taken off.
func (e *Engine) remember(s *site, open bool) {
	if open && s.memorable() {
		s.kept = true
	} else if !s.kept {
		return
	}
	e.outdated(s.row.ID, s.row.Bucket)
}

// outdated notes that the memo of a site is not as it should be. One that is noted keeps
// its place.
func (e *Engine) outdated(id check.SiteID, bucket check.BucketID) {
	s := shard.Of(bucket)
	if before, ok := e.unsaved[id]; !ok || shard.Of(before) != s {
		e.unsavedIn[s] = append(e.unsavedIn[s], id)
	}
	e.unsaved[id] = bucket
}

// Unsaved takes what is to be written of a shard to the store, at most limit sites, those
// that have waited longest. What could not be written is to be given back to Unwritten.
func (e *Engine) Unsaved(now time.Time, sh shard.ID, limit int) []Memo {
	e.mu.Lock()
	defer e.mu.Unlock()
	queue := e.unsavedIn[sh]
	out := make([]Memo, 0, min(limit, len(queue)))
	for len(queue) > 0 && len(out) < limit {
		id := queue[0]
		queue = queue[1:]
		bucket, ok := e.unsaved[id]
		if !ok || shard.Of(bucket) != sh {
			continue // written, dropped or moved since it was queued here
		}
		delete(e.unsaved, id)
		m := Memo{Site: id, Bucket: bucket, Forget: true, at: now}
		if slot, ok := e.byID.get(id); ok {
			if s := e.cases[slot]; s != nil && s.memorable() {
				m.Forget, m.Bucket, m.url = false, s.row.Bucket, s.row.URL
				m.memo = s.memo()
			} else if s != nil {
				s.kept = false
			}
		}
		out = append(out, m)
	}
	e.unsavedIn[sh] = queue
	if len(queue) == 0 {
		e.unsavedIn[sh] = nil
	}
	return out
}

// Unwritten gives memos back that could not be written. They have waited longest.
func (e *Engine) Unwritten(memos []Memo) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var back [shard.Count][]check.SiteID
	for i := range memos {
		m := &memos[i]
		id := shard.Of(m.Bucket)
		if e.o.Shards != nil && e.terms[id] == 0 {
			continue // the next owner's to write
		}
		if slot, ok := e.byID.get(m.Site); ok {
			if s := e.cases[slot]; s != nil {
				s.kept = true
			}
		}
		if _, ok := e.unsaved[m.Site]; !ok {
			e.unsaved[m.Site] = m.Bucket
			back[id] = append(back[id], m.Site)
		}
	}
	for id, ids := range back {
		if len(ids) > 0 {
			e.unsavedIn[id] = append(ids, e.unsavedIn[id]...)
		}
	}
}

// Recall gives the engine what an earlier owner of a shard has kept, before the sites
// of the shard are put. Recalled says that all are put: what is left is of no use.
func (e *Engine) Recall(suspects []store.Suspect) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, kept := range suspects {
		e.recalled[kept.SiteID] = kept
		// One that was put by an edit before we came to this.
		if s := e.site(kept.SiteID); s != nil && s.lastCheck.IsZero() && s.pending == nil && !s.row.Paused {
			e.recall(e.ticked, s)
			e.settle(e.ticked, s)
		}
	}
}

// Recalled ends the recall of a shard.
func (e *Engine) Recalled(sh shard.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, s := range e.recalled {
		if shard.Of(s.Bucket) == sh {
			delete(e.recalled, id)
			e.outdated(id, s.Bucket)
		}
	}
	// What was queued when the shard was last ours is of no use.
	e.unsavedIn[sh] = slices.DeleteFunc(e.unsavedIn[sh], func(id check.SiteID) bool {
		_, ok := e.unsaved[id]
		return !ok
	})
}

// recall goes on with a site where the process that kept a memo of it ended. Nothing of
// it counts for another URL; the failures count while they are fresh and the status is
// still the one that they were to change. A ballot is held anew: its votes are gone.
func (e *Engine) recall(now time.Time, s *site) {
	kept, ok := e.recalled[s.row.ID]
	if !ok {
		return
	}
	delete(e.recalled, s.row.ID)
	s.kept = true
	var m memo
	if err := json.Unmarshal(kept.State, &m); err != nil {
		e.o.Log.Warn("a memo cannot be read, the site begins anew", "site", s.row.ID, "err", err)
		return
	}
	if kept.URL != s.row.URL || m.State.Status != s.row.Status {
		return
	}
	m.notAfter(now)
	s.state.Flap = m.State.Flap
	s.headHostile, s.regional = m.HeadHostile, m.Regional
	// A clock that was too far ahead does not say how old it is.
	if now.Sub(kept.At).Abs() > recallFor {
		s.state.Flap.Good, s.state.Flap.Agreed = time.Time{}, false
		return
	}
	if n := len(m.Checks); n > maxChecks { // of a version that keeps more
		m.Checks = slices.Delete(m.Checks, 1, n-maxChecks+1)
	}
	e.ballots = max(e.ballots, m.State.Ballot)
	s.state = m.State
	s.state.StatusSince = s.row.StatusSince
	s.checks, s.last, s.lastCheck = m.Checks, m.Last, m.LastCheck
	switch s.state.Stage {
	case lifecycle.Verifying:
		s.askDue = true
		e.wait(s, now)
	case lifecycle.Suspect:
		// Failures that follow one another too closely say too little.
		e.wait(s, s.state.Observed.Add(e.o.Policy.Between))
	case lifecycle.Recovering:
		e.wait(s, now)
	}
}

// notAfter brings back the times of a memo that was kept by a clock that was ahead of
// ours. What is seen now would be older than them, and count for nothing.
func (m *memo) notAfter(now time.Time) {
	st := &m.State
	times := []*time.Time{
		&m.LastCheck, &m.Regional.At, &st.Observed, &st.FirstFailure,
		&st.Flap.Good, &st.Flap.Recoveries[0], &st.Flap.Recoveries[1],
	}
	for i := range m.Checks {
		times = append(times, &m.Checks[i].At)
	}
	for _, t := range times {
		if t.After(now) {
			*t = now
		}
	}
}

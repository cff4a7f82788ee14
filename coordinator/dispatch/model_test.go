package dispatch_test

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/dispatch"
	"github.com/Automattic/jetmon/internal/check"
)

// model is dispatch in the simplest words: maps, and no queue. It follows what a Core
// is told and does, and says what must not be. Which session gets a check is the
// Core's choice; the model only knows whom it may not choose.
type model struct {
	config   dispatch.Config
	now      time.Time
	next     int
	checks   map[check.SiteID]*modelCheck // the open ones
	sessions map[dispatch.SessionID]*modelSession
	batches  map[dispatch.BatchID]*modelBatch

	submitted, withdrawn, accepted, duplicate, late, returned int
}

type modelCheck struct {
	dispatch.Check
	id     int
	batch  dispatch.BatchID // 0: queued
	lost   string
	queued time.Time
}

type modelSession struct {
	hello    dispatch.Hello
	credit   int
	seen     time.Time
	draining bool
}

type modelBatch struct {
	dispatch.Batch
	node   string
	live   bool
	handed time.Time
	ended  time.Time
	ids    map[dispatch.Key]int
	answer map[dispatch.Key]dispatch.Class
}

func newModel(config dispatch.Config, now time.Time) *model {
	return &model{
		config: config, now: now, checks: map[check.SiteID]*modelCheck{},
		sessions: map[dispatch.SessionID]*modelSession{}, batches: map[dispatch.BatchID]*modelBatch{},
	}
}

func (m *model) out(id dispatch.SessionID) int {
	n := 0
	for _, b := range m.batches {
		if b.live && b.Session == id {
			n += len(b.ids) - len(b.answer)
		}
	}
	return n
}

func (m *model) queued() int {
	n := 0
	for _, k := range m.checks {
		if k.batch == 0 {
			n++
		}
	}
	return n
}

func (m *model) submit(k dispatch.Check, err error) error {
	want := error(nil)
	switch {
	case m.checks[k.Site] != nil:
		want = dispatch.ErrOpen
	case !k.Urgent && m.queued() >= m.config.MaxQueue:
		want = dispatch.ErrFull
	}
	if !errors.Is(err, want) {
		return fmt.Errorf("submit: %w, want %w", err, want)
	}
	if err == nil {
		m.next++
		m.submitted++
		m.checks[k.Site] = &modelCheck{Check: k, id: m.next, queued: m.now}
	}
	return nil
}

func (m *model) withdraw(site check.SiteID) {
	if m.checks[site] != nil {
		m.withdrawn++
		delete(m.checks, site)
	}
}

// endBatch queues again what a batch had open.
func (m *model) endBatch(b *modelBatch) {
	b.live, b.ended = false, m.now
	for _, k := range m.checks {
		if k.batch == b.Ref.Batch {
			k.batch, k.lost, k.queued = 0, b.node, m.now
			m.returned++
		}
	}
}

func (m *model) endSession(id dispatch.SessionID) {
	delete(m.sessions, id)
	for _, b := range m.batches {
		if b.live && b.Session == id {
			m.endBatch(b)
		}
	}
}

func (m *model) join(id dispatch.SessionID, h dispatch.Hello, superseded []dispatch.SessionID) error {
	var want []dispatch.SessionID
	for old, s := range m.sessions {
		if s.hello.Node == h.Node {
			want = append(want, old)
			m.endSession(old)
		}
	}
	if !slices.Equal(want, superseded) {
		return fmt.Errorf("superseded %v, want %v", superseded, want)
	}
	m.sessions[id] = &modelSession{hello: h, seen: m.now}
	return nil
}

func (m *model) grant(id dispatch.SessionID, n int, err error) error {
	s := m.sessions[id]
	if s == nil {
		return wrongError("grant", err, dispatch.ErrNoSession)
	}
	var want error
	s.credit += n
	if room := s.hello.MaxInFlight - m.out(id); s.credit > room {
		s.credit, want = room, dispatch.ErrOverCredit
	}
	return wrongError("grant", err, want)
}

func wrongError(what string, err, want error) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("%s: error %w, want %w", what, err, want)
	}
	return nil
}

// others says whether checks could go to any node but the ones named.
func (m *model) others(not ...string) bool {
	for _, s := range m.sessions {
		if !s.draining && s.hello.MaxInFlight > 0 && !slices.Contains(not, s.hello.Node) {
			return true
		}
	}
	return false
}

func (m *model) mayGo(k *modelCheck, node string) bool {
	waited := m.now.Sub(k.queued) >= m.config.AvoidFor
	switch node {
	case k.Avoid:
		return waited || !m.others(node)
	case k.lost:
		return waited || !m.others(node, k.Avoid)
	}
	return true
}

// assign judges what was handed out.
func (m *model) assign(batches []dispatch.Batch) error {
	for _, b := range batches {
		s := m.sessions[b.Session]
		if s == nil || s.draining || len(b.Checks) == 0 || len(b.Checks) > m.config.MaxBatch {
			return fmt.Errorf("batch of %d checks for session %d: %+v", len(b.Checks), b.Session, s)
		}
		if m.batches[b.Ref.Batch] != nil || b.Ref.Checkout == 0 || !b.Expires.Equal(m.now.Add(m.config.Lease)) {
			return fmt.Errorf("batch %+v until %v, now %v", b.Ref, b.Expires, m.now)
		}
		mb := &modelBatch{
			Batch: b, node: s.hello.Node, live: true, handed: m.now,
			ids: map[dispatch.Key]int{}, answer: map[dispatch.Key]dispatch.Class{},
		}
		m.batches[b.Ref.Batch] = mb
		for _, k := range b.Checks {
			mk := m.checks[k.Site]
			switch {
			case mk == nil || mk.Check != k:
				return fmt.Errorf("handed out %+v, open is %+v", k, mk)
			case mk.batch != 0:
				return fmt.Errorf("site %d is in the batches %d and %d", k.Site, mk.batch, b.Ref.Batch)
			case !m.mayGo(mk, s.hello.Node):
				return fmt.Errorf("check %+v went to %s", *mk, s.hello.Node)
			}
			mk.batch = b.Ref.Batch
			mb.ids[dispatch.Key{Site: k.Site, Sequence: k.Sequence}] = mk.id
			s.credit--
		}
		if s.credit < 0 || s.credit+m.out(b.Session) > s.hello.MaxInFlight {
			return fmt.Errorf("session %d has %d out, credit %d, of %d", b.Session, m.out(b.Session), s.credit, s.hello.MaxInFlight)
		}
	}
	return m.idle(batches)
}

// idle says whether something waits that somebody could have, or waits behind what is
// less urgent.
func (m *model) idle(batches []dispatch.Batch) error {
	routine := slices.ContainsFunc(batches, func(b dispatch.Batch) bool {
		return slices.ContainsFunc(b.Checks, func(k dispatch.Check) bool { return !k.Urgent })
	})
	for _, k := range m.checks {
		if k.batch != 0 {
			continue
		}
		if routine && k.Urgent && k.Avoid == "" && k.lost == "" {
			return fmt.Errorf("urgent check %+v waits while routine ones go", *k)
		}
		for _, s := range m.sessions {
			if s.credit > 0 && !s.draining && m.mayGo(k, s.hello.Node) {
				return fmt.Errorf("check %+v waits while %s has credit %d", *k, s.hello.Node, s.credit)
			}
		}
	}
	return nil
}

// checkIn judges what became of a check-in.
func (m *model) checkIn(id dispatch.SessionID, ref dispatch.Ref, keys []dispatch.Key, r dispatch.Receipt, err error) error {
	s, b := m.sessions[id], m.batches[ref.Batch]
	if s != nil {
		s.seen = m.now
	}
	if errors.Is(err, dispatch.ErrNotCheckedOut) && b != nil && !b.live && m.now.Sub(b.ended) >= 5*time.Minute {
		return nil // Forgotten by now.
	}
	if want := m.refusal(id, ref, keys); want != nil {
		if len(r.Classes) > 0 {
			return fmt.Errorf("check-in: %v with receipt %+v", err, r)
		}
		return wrongError("check-in", err, want)
	}
	if err != nil {
		return fmt.Errorf("check-in refused: %w", err)
	}
	var want dispatch.Receipt
	for _, k := range keys {
		class := b.answer[k]
		switch class {
		case dispatch.Accepted:
			class = dispatch.Duplicate
			want.Duplicate++
		case dispatch.Late:
			want.Late++
		default:
			class = dispatch.Late
			if open := m.checks[k.Site]; open != nil && open.id == b.ids[k] {
				class = dispatch.Accepted
				m.accepted++
				delete(m.checks, k.Site)
				want.Accepted++
			} else {
				want.Late++
			}
			b.answer[k] = class
		}
		want.Classes = append(want.Classes, class)
	}
	m.duplicate += want.Duplicate
	m.late += want.Late
	if b.live && len(b.answer) == len(b.ids) {
		b.live, b.ended = false, m.now
	}
	if !slices.Equal(r.Classes, want.Classes) || r.Accepted != want.Accepted || r.Duplicate != want.Duplicate || r.Late != want.Late {
		return fmt.Errorf("receipt %+v, want %+v", r, want)
	}
	return nil
}

// refusal is why a check-in must be refused, nil when it must be taken.
func (m *model) refusal(id dispatch.SessionID, ref dispatch.Ref, keys []dispatch.Key) error {
	s, b := m.sessions[id], m.batches[ref.Batch]
	switch {
	case ref.Batch == 0 || len(keys) == 0 || len(keys) > m.config.MaxBatch:
		return dispatch.ErrInvalid
	case b == nil:
		return dispatch.ErrNotCheckedOut
	case b.Session != id && (b.live || s == nil || s.hello.Node != b.node):
		return dispatch.ErrNotCheckedOut
	case b.Ref != ref:
		return dispatch.ErrMismatch
	}
	for _, k := range keys {
		if b.ids[k] == 0 {
			return dispatch.ErrMismatch
		}
	}
	return nil
}

func (m *model) heartbeat(id dispatch.SessionID, open, unknown []dispatch.Ref, err error) error {
	s := m.sessions[id]
	if s == nil {
		return wrongError("heartbeat", err, dispatch.ErrNoSession)
	}
	s.seen = m.now
	var want []dispatch.Ref
	for _, ref := range open {
		if b := m.batches[ref.Batch]; b == nil || !b.live || b.Session != id || b.Ref != ref {
			want = append(want, ref)
		}
	}
	for _, b := range m.batches {
		if b.live && b.Session == id && !slices.Contains(open, b.Ref) && m.now.Sub(b.handed) > m.config.SessionTimeout/3 {
			m.endBatch(b)
		}
	}
	if err != nil || !slices.Equal(unknown, want) {
		return fmt.Errorf("heartbeat: unknown %v, error %w, want %v", unknown, err, want)
	}
	return nil
}

func (m *model) release(id dispatch.SessionID, ref dispatch.Ref, err error) error {
	s, b := m.sessions[id], m.batches[ref.Batch]
	if s == nil {
		return wrongError("release", err, dispatch.ErrNoSession)
	}
	s.seen = m.now
	switch {
	case b == nil || !b.live || b.Session != id:
		return wrongError("release", err, dispatch.ErrNotCheckedOut)
	case b.Ref != ref:
		return wrongError("release", err, dispatch.ErrMismatch)
	}
	m.endBatch(b)
	return wrongError("release", err, nil)
}

func (m *model) expire(lost []dispatch.SessionID, expired []dispatch.Ref) error {
	for id, s := range m.sessions {
		if silent := m.now.Sub(s.seen) >= m.config.SessionTimeout; silent != slices.Contains(lost, id) {
			return fmt.Errorf("session %d, silent since %v: lost %v", id, s.seen, lost)
		} else if silent {
			m.endSession(id)
		}
	}
	for _, b := range m.batches {
		over := b.live && !m.now.Before(b.Expires)
		if over != slices.Contains(expired, b.Ref) {
			return fmt.Errorf("batch %+v of session %d until %v: expired %v", b.Ref, b.Session, b.Expires, expired)
		}
		if over {
			m.endBatch(b)
		}
	}
	return nil
}

// same compares what a Core says of itself with the model.
func (m *model) same(c *dispatch.Core, sites int) error {
	if c.Open() != len(m.checks) || c.Queued() != m.queued() {
		return fmt.Errorf("%d open, %d queued, want %d and %d", c.Open(), c.Queued(), len(m.checks), m.queued())
	}
	for site := range check.SiteID(sites) {
		if c.Has(site) != (m.checks[site] != nil) {
			return fmt.Errorf("site %d has an open check: %t", site, c.Has(site))
		}
	}
	infos := c.Sessions()
	if len(infos) != len(m.sessions) {
		return fmt.Errorf("%d sessions, want %d", len(infos), len(m.sessions))
	}
	for _, i := range infos {
		s := m.sessions[i.ID]
		if s == nil || i.Hello != s.hello || i.Credit != s.credit || i.Open != m.out(i.ID) || i.Draining != s.draining || !i.LastSeen.Equal(s.seen) {
			return fmt.Errorf("session %+v, want %+v with %d out", i, s, m.out(i.ID))
		}
	}
	return nil
}

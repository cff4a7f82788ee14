package dispatch_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
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

	fenced map[int]time.Time

	submitted, withdrawn, accepted, duplicate, late, stale, returned, resumed, obsolete, crowded, refused, yielded int
}

type modelCheck struct {
	dispatch.Check
	id     int
	batch  dispatch.BatchID // 0: queued
	lost   string
	queued time.Time
}

type modelSession struct {
	hello        dispatch.Hello
	credit       int
	joined, seen time.Time
	draining     bool
	grown        bool
	rival        dispatch.Rival
}

type modelBatch struct {
	dispatch.Batch
	node, instance string
	live           bool
	handed         time.Time
	ended          time.Time
	ids            map[dispatch.Key]int
	hosts          map[dispatch.Key]uint32
	out            map[dispatch.Key]bool
	answer         map[dispatch.Key]dispatch.Class
}

func newModel(config dispatch.Config, now time.Time) *model {
	return &model{
		config: config, now: now, checks: map[check.SiteID]*modelCheck{},
		sessions: map[dispatch.SessionID]*modelSession{}, batches: map[dispatch.BatchID]*modelBatch{},
		fenced: map[int]time.Time{},
	}
}

func (m *model) out(id dispatch.SessionID) int {
	n := 0
	for _, b := range m.batches {
		if b.live && b.Session == id {
			n += len(b.out)
		}
	}
	return n
}

// isOpen says whether a check of a batch is open, in that batch or not.
func (m *model) isOpen(b *modelBatch, k dispatch.Key) bool {
	open := m.checks[k.Site]
	return open != nil && open.id == b.ids[k]
}

func (m *model) limited(host uint32) bool { return m.config.PerHost > 0 && host != 0 }

// crowds counts the checks of each host that has a limit: those that are out, open or
// not, and those that wait.
func (m *model) crowds() (out, waiting map[uint32]int) {
	out, waiting = map[uint32]int{}, map[uint32]int{}
	for _, b := range m.batches {
		for k := range b.out {
			if m.limited(b.hosts[k]) {
				out[b.hosts[k]]++
			}
		}
	}
	for _, k := range m.checks {
		if k.batch == 0 && m.limited(k.Host) {
			waiting[k.Host]++
		}
	}
	return out, waiting
}

func (m *model) parked() int {
	n := 0
	out, waiting := m.crowds()
	for host, w := range waiting {
		n += max(0, w+out[host]-m.config.PerHost)
	}
	return n
}

func (m *model) queued() int {
	n := -m.parked()
	for _, k := range m.checks {
		if k.batch == 0 {
			n++
		}
	}
	return n
}

func (m *model) submit(k dispatch.Check, err error) error {
	want := error(nil)
	out, waiting := m.crowds()
	crowded := m.limited(k.Host) && out[k.Host]+waiting[k.Host] >= m.config.PerHost
	switch {
	case m.checks[k.Site] != nil:
		want = dispatch.ErrOpen
	case !k.Urgent && !crowded && m.queued() >= m.config.MaxQueue, !k.Urgent && crowded && m.parked() >= m.config.MaxQueue:
		want = dispatch.ErrFull
	}
	if !errors.Is(err, want) {
		return fmt.Errorf("submit: %w, want %w", err, want)
	}
	if err == nil {
		m.next++
		m.submitted++
		m.checks[k.Site] = &modelCheck{Check: k, id: m.next, queued: m.now}
		if crowded {
			m.crowded++
		}
	}
	return nil
}

func (m *model) withdraw(site check.SiteID, fence bool) {
	if k := m.checks[site]; k != nil {
		m.withdrawn++
		delete(m.checks, site)
		if fence {
			m.fenced[k.id] = m.now
		}
	}
}

// endBatch queues again what a batch had open.
func (m *model) endBatch(b *modelBatch) {
	b.live, b.ended = false, m.now
	clear(b.out)
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
	m.growAlone()
}

// growAlone ends the slow start of a session that is alone.
func (m *model) growAlone() {
	var takers []*modelSession
	for _, s := range m.sessions {
		if s.canTake() {
			takers = append(takers, s)
		}
	}
	if len(takers) == 1 {
		takers[0].grown = true
	}
}

func (s *modelSession) canTake() bool { return !s.draining && s.hello.MaxInFlight > 0 }

// allowance is what a session may have out, in its slow start too.
func (m *model) allowance(s *modelSession) int {
	most, age := s.hello.MaxInFlight, m.now.Sub(s.joined)
	if s.grown || age >= m.config.SlowStart {
		return most
	}
	first := min(most, max(100, most/10))
	return first + int(float64(most-first)*age.Seconds()/m.config.SlowStart.Seconds())
}

// room is how many checks a session can be given now.
func (m *model) room(id dispatch.SessionID) int {
	s := m.sessions[id]
	if !s.canTake() {
		return 0
	}
	return max(0, min(s.credit, m.allowance(s)-m.out(id)))
}

// joined is what a Core answers to Join.
type joined struct {
	id         dispatch.SessionID
	superseded []dispatch.SessionID
	err        error
}

func (m *model) join(c *dispatch.Core, h dispatch.Hello, resume []dispatch.Ref, got joined) error {
	var want []dispatch.SessionID
	var rival dispatch.Rival
	for old, s := range m.sessions {
		if s.hello.Node != h.Node {
			continue
		}
		silent := m.now.Sub(s.seen)
		switch {
		case s.hello.Instance == h.Instance:
			rival = s.rival
		case !s.draining && silent < 10*time.Second:
			return m.refuse(old, h, 10*time.Second-silent, got)
		default:
			m.yielded++
		}
		want = append(want, old)
		m.endSession(old)
	}
	if got.err != nil || !slices.Equal(want, got.superseded) {
		return fmt.Errorf("join: %w, superseded %v, want %v", got.err, got.superseded, want)
	}
	id := got.id
	m.sessions[id] = &modelSession{hello: h, joined: m.now, seen: m.now, rival: rival}
	m.growAlone()
	for _, ref := range resume {
		if err := m.resume(c, id, ref); err != nil {
			return err
		}
	}
	return nil
}

// refuse judges that a process gets no session because another one has its name.
func (m *model) refuse(holder dispatch.SessionID, h dispatch.Hello, left time.Duration, got joined) error {
	taken, ok := errors.AsType[*dispatch.NameTaken](got.err)
	if !ok || *taken != (dispatch.NameTaken{Holder: holder, Left: left}) || got.id != 0 || len(got.superseded) > 0 {
		return fmt.Errorf("join: %+v, want that session %d has the name for %s", got, holder, left)
	}
	m.refused++
	r := &m.sessions[holder].rival
	if r.Last.IsZero() || m.now.Sub(r.Last) >= 30*time.Second {
		r.Since = m.now
	}
	r.Hello, r.Last = h, m.now
	return nil
}

// resume judges what became of one batch. It asks the Core which checks of crowded
// hosts were parked and stayed so.
func (m *model) resume(c *dispatch.Core, id dispatch.SessionID, ref dispatch.Ref) error {
	s, b := m.sessions[id], m.batches[ref.Batch]
	if b == nil || b.live || b.Ref != ref || b.node != s.hello.Node || b.instance != s.hello.Instance || m.now.Sub(b.ended) >= 5*time.Minute || !m.now.Before(b.Expires) {
		return nil // were it resumed, its session would have more out than is known here
	}
	var may, must, are []dispatch.Key
	for k := range b.ids {
		open := m.isOpen(b, k)
		if open && c.Holder(k.Site) == ref.Batch {
			are = append(are, k)
		}
		if !open || m.checks[k.Site].batch != 0 || b.answer[k] != 0 {
			continue
		}
		if may = append(may, k); !m.limited(b.hosts[k]) {
			must = append(must, k)
		}
	}
	if len(are) == 0 && m.out(id)+len(may) > s.hello.MaxInFlight {
		must = nil
	}
	for _, k := range are {
		if !slices.Contains(may, k) {
			return fmt.Errorf("check %v of batch %v is resumed", k, ref)
		}
		m.checks[k.Site].batch = ref.Batch
		b.out[k] = true
	}
	for _, k := range must {
		if !slices.Contains(are, k) {
			return fmt.Errorf("check %v of batch %v is not resumed", k, ref)
		}
	}
	if len(are) > 0 {
		b.live, b.Session, b.handed = true, id, m.now
		s.grown = true
		m.resumed += len(are)
	}
	if m.out(id) > s.hello.MaxInFlight {
		return fmt.Errorf("session %d resumed %d checks", id, m.out(id))
	}
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
	before := m.loads()
	for _, b := range batches {
		s := m.sessions[b.Session]
		if s == nil || s.draining || len(b.Checks) == 0 || len(b.Checks) > m.config.MaxBatch {
			return fmt.Errorf("batch of %d checks for session %d: %+v", len(b.Checks), b.Session, s)
		}
		if m.batches[b.Ref.Batch] != nil || b.Ref.Checkout == 0 || !b.Expires.Equal(m.now.Add(m.config.Lease)) {
			return fmt.Errorf("batch %+v until %v, now %v", b.Ref, b.Expires, m.now)
		}
		mb := &modelBatch{
			Batch: b, node: s.hello.Node, instance: s.hello.Instance, live: true, handed: m.now,
			ids: map[dispatch.Key]int{}, hosts: map[dispatch.Key]uint32{}, out: map[dispatch.Key]bool{}, answer: map[dispatch.Key]dispatch.Class{},
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
			key := dispatch.Key{Site: k.Site, Sequence: k.Sequence}
			mb.ids[key], mb.hosts[key], mb.out[key] = mk.id, k.Host, true
			s.credit--
		}
		if out := m.out(b.Session); s.credit < 0 || s.credit+out > s.hello.MaxInFlight || out > m.allowance(s) {
			return fmt.Errorf("session %d has %d out, credit %d, of %d, now %d", b.Session, out, s.credit, s.hello.MaxInFlight, m.allowance(s))
		}
	}
	return cmp.Or(m.balance(before, batches), m.polite(batches), m.idle(batches))
}

// loads is what each session has out, and may have before others are asked.
func (m *model) loads() map[dispatch.SessionID][2]int {
	out, room, allowances := 0, 0, 0
	for id, s := range m.sessions {
		if s.canTake() {
			out += m.out(id)
			room += m.room(id)
			allowances += m.allowance(s)
		}
	}
	out += min(room, m.queued())
	loads := map[dispatch.SessionID][2]int{}
	for id, s := range m.sessions {
		if s.canTake() {
			share := float64(out) * float64(m.allowance(s)) / float64(allowances)
			loads[id] = [2]int{m.out(id), int(math.Ceil(1.25 * share))}
		}
	}
	return loads
}

// balance says whether somebody has more than its bound though another could have it.
func (m *model) balance(before map[dispatch.SessionID][2]int, batches []dispatch.Batch) error {
	for id, load := range before {
		if out := m.out(id); out == load[0] || out <= load[1] {
			continue
		}
	others:
		for other, theirs := range before {
			if m.room(other) == 0 || m.out(other) >= theirs[1] {
				continue
			}
			for _, b := range batches {
				for _, k := range b.Checks {
					// When a parked check was woken is not known here, nor how long it has waited.
					if node := m.sessions[other].hello.Node; b.Session == id && (k.Avoid == node || m.checks[k.Site].lost == node) {
						continue others
					}
				}
			}
			return fmt.Errorf("session %d has %d out, bound %d, while %d has %d, bound %d", id, m.out(id), load[1], other, m.out(other), theirs[1])
		}
	}
	return nil
}

// polite says whether a host has too many checks out, or routine ones that went before
// an urgent one.
func (m *model) polite(batches []dispatch.Batch) error {
	out, _ := m.crowds()
	for host, n := range out {
		if n > m.config.PerHost {
			return fmt.Errorf("host %d has %d checks out", host, n)
		}
	}
	routine := map[uint32]bool{}
	for _, b := range batches {
		for _, k := range b.Checks {
			routine[k.Host] = routine[k.Host] || !k.Urgent
		}
	}
	for _, k := range m.checks {
		if k.batch == 0 && k.Urgent && k.Avoid == "" && k.lost == "" && routine[k.Host] && m.limited(k.Host) {
			return fmt.Errorf("urgent check %+v waits while routine ones of its host go", *k)
		}
	}
	return nil
}

// idle says whether something waits that somebody could have, or waits behind what is
// less urgent.
func (m *model) idle(batches []dispatch.Batch) error {
	routine := slices.ContainsFunc(batches, func(b dispatch.Batch) bool {
		return slices.ContainsFunc(b.Checks, func(k dispatch.Check) bool { return !k.Urgent })
	})
	out, _ := m.crowds()
	stuck := map[uint32]bool{} // hosts whose places may be taken by a check that has to wait
	var ready []string
	for id, s := range m.sessions {
		if m.room(id) > 0 {
			ready = append(ready, s.hello.Node)
		}
	}
	for _, k := range m.checks {
		stuck[k.Host] = stuck[k.Host] || k.batch == 0 && (k.Avoid != "" || k.lost != "")
	}
	for _, k := range m.checks {
		if k.batch != 0 || m.limited(k.Host) && (stuck[k.Host] || out[k.Host] >= m.config.PerHost) {
			continue
		}
		if routine && k.Urgent && k.Avoid == "" && k.lost == "" && !m.limited(k.Host) {
			return fmt.Errorf("urgent check %+v waits while routine ones go", *k)
		}
		for _, node := range ready {
			if m.mayGo(k, node) {
				return fmt.Errorf("check %+v waits while %s has credit", *k, node)
			}
		}
	}
	return nil
}

// backlog judges how long a routine check has waited for credit. When a parked check was
// woken is not known here.
func (m *model) backlog(got time.Duration) error {
	var least, most time.Duration
	for _, k := range m.checks {
		if k.batch != 0 || k.Urgent {
			continue
		}
		waited := m.now.Sub(k.queued)
		most = max(most, waited)
		anywhere := true
		for _, s := range m.sessions {
			anywhere = anywhere && (!s.canTake() || m.mayGo(k, s.hello.Node))
		}
		if anywhere && !m.limited(k.Host) {
			least = max(least, waited)
		}
	}
	if m.config.PerHost == 0 {
		most = least
	}
	if got < least || got > most {
		return fmt.Errorf("backlog %v, want %v to %v", got, least, most)
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
	if len(r.Classes) != len(keys) {
		return fmt.Errorf("%d classes for %d keys", len(r.Classes), len(keys))
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
		case dispatch.Stale:
			want.Stale++
		default:
			class = m.first(b, k, r.Classes[len(want.Classes)])
			switch class {
			case dispatch.Accepted:
				want.Accepted++
			case dispatch.Stale:
				want.Stale++
			default:
				want.Late++
			}
			b.answer[k] = class
			delete(b.out, k)
		}
		want.Classes = append(want.Classes, class)
	}
	m.accepted += want.Accepted
	m.duplicate += want.Duplicate
	m.late += want.Late
	m.stale += want.Stale
	if b.live && len(b.out) == 0 {
		b.live, b.ended = false, m.now
	}
	if !slices.Equal(r.Classes, want.Classes) || r.Accepted != want.Accepted || r.Duplicate != want.Duplicate || r.Late != want.Late || r.Stale != want.Stale {
		return fmt.Errorf("receipt %+v, want %+v", r, want)
	}
	return nil
}

// first takes in the first result of a check from a batch. After a while a fence may be
// forgotten.
func (m *model) first(b *modelBatch, k dispatch.Key, got dispatch.Class) dispatch.Class {
	at, fenced := m.fenced[b.ids[k]]
	if got == dispatch.Late && m.now.Sub(at) >= 5*time.Minute+m.config.Lease {
		fenced = false
	}
	switch {
	case m.isOpen(b, k):
		delete(m.checks, k.Site)
		return dispatch.Accepted
	case fenced:
		return dispatch.Stale
	default:
		return dispatch.Late
	}
}

// refusal is why a check-in must be refused, nil when it must be taken.
func (m *model) refusal(id dispatch.SessionID, ref dispatch.Ref, keys []dispatch.Key) error {
	s, b := m.sessions[id], m.batches[ref.Batch]
	switch {
	case ref.Batch == 0 || len(keys) == 0:
		return dispatch.ErrInvalid
	case b == nil:
		return dispatch.ErrNotCheckedOut
	case b.Session != id && (b.live || s == nil || s.hello.Node != b.node):
		return dispatch.ErrNotCheckedOut
	case b.Ref != ref:
		return dispatch.ErrMismatch
	case len(keys) > len(b.ids):
		return dispatch.ErrInvalid
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

func (m *model) expire(lost []dispatch.SessionID, expired []dispatch.Expired) error {
	for id, s := range m.sessions {
		if silent := m.now.Sub(s.seen) >= m.config.SessionTimeout; silent != slices.Contains(lost, id) {
			return fmt.Errorf("session %d, silent since %v: lost %v", id, s.seen, lost)
		} else if silent {
			m.endSession(id)
		}
	}
	for _, b := range m.batches {
		over := b.live && !m.now.Before(b.Expires)
		if over != slices.Contains(expired, dispatch.Expired{Session: b.Session, Ref: b.Ref}) {
			return fmt.Errorf("batch %+v of session %d until %v: expired %v", b.Ref, b.Session, b.Expires, expired)
		}
		if over {
			m.endBatch(b)
		}
	}
	return nil
}

func (m *model) endObsolete(ended []dispatch.Expired) error {
	for _, b := range m.batches {
		useless := b.live
		for k := range b.out {
			useless = useless && !m.isOpen(b, k)
		}
		if useless != slices.Contains(ended, dispatch.Expired{Session: b.Session, Ref: b.Ref}) {
			return fmt.Errorf("batch %+v of session %d: obsolete %v", b.Ref, b.Session, ended)
		}
		if useless {
			m.endBatch(b)
			m.obsolete++
		}
	}
	return nil
}

// same compares what a Core says of itself with the model.
func (m *model) same(c *dispatch.Core, sites int) error {
	if c.Open() != len(m.checks) || c.Queued() != m.queued() || c.Parked() != m.parked() {
		return fmt.Errorf("%d open, %d queued, %d parked, want %d, %d and %d", c.Open(), c.Queued(), c.Parked(), len(m.checks), m.queued(), m.parked())
	}
	if err := m.backlog(c.Backlog(m.now)); err != nil {
		return err
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
		rival := dispatch.Rival{}
		if s != nil && m.now.Sub(s.rival.Last) < 30*time.Second {
			rival = s.rival
		}
		if s == nil || i.Rival != rival || i.Hello != s.hello || i.Credit != s.credit || i.Open != m.out(i.ID) || i.Draining != s.draining || !i.LastSeen.Equal(s.seen) {
			return fmt.Errorf("session %+v, want %+v with %d out", i, s, m.out(i.ID))
		}
	}
	return nil
}

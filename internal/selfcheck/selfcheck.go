package selfcheck

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

const (
	// MaxAnchors is how many anchors a node may have; they are all probed at once.
	MaxAnchors = 16
	// Within is how long a measurement may take.
	Within = 3 * time.Second

	defaultEvery = 10 * time.Second
	// leastEvery is the least time between two measurements in the long run, whoever asks
	// for them; after a quiet time burst of them may follow each other at once, so that a
	// single failure does not wait.
	leastEvery = time.Second
	burst      = 4
	// maxRounds bounds the measurements under way: slow ones overlap.
	maxRounds = 4
	// staleRounds is how many periods a measurement stays worth something.
	staleRounds = 3
)

// Prober checks one target; internal/probe has the real one.
type Prober interface {
	Probe(ctx context.Context, t check.Target) check.Observation
}

// Options of a Monitor.
type Options struct {
	// Prober asks the anchors. It must be the one that checks the sites, so that both
	// go the same way.
	Prober Prober
	// Anchors are URLs that are known to work, of several hosts if possible. With none,
	// nothing is measured and the node counts as healthy.
	Anchors []string
	// Every is the time between rounds; 0 means 10 s.
	Every time.Duration
	// Log gets a line when health changes; nil is silence.
	Log *slog.Logger
}

// Monitor probes the anchors and remembers the last round.
type Monitor struct {
	prober  Prober
	anchors []anchor
	// watched are the ways that the anchors tell about, essential those without which
	// the node is not healthy.
	watched, essential []way
	every              time.Duration
	log                *slog.Logger
	// wanted holds one wish for a measurement at once.
	wanted chan struct{}

	mu       sync.Mutex
	newest   *round
	opened   chan struct{} // closed when a newer round begins
	recorded uint64        // number of the round that the rest is of
	measured time.Time     // zero: no round has said anything yet
	healthy  bool
	detail   string
	changed  chan struct{} // closed when healthy changes
}

// New makes a Monitor. It probes nothing before Run.
func New(o Options) (*Monitor, error) {
	if o.Every == 0 {
		o.Every = defaultEvery
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Every < 0:
		return nil, fmt.Errorf("time between self-checks must be positive, is %s", o.Every)
	case len(o.Anchors) > MaxAnchors:
		return nil, fmt.Errorf("at most %d anchors, not %d", MaxAnchors, len(o.Anchors))
	case len(o.Anchors) > 0 && o.Prober == nil:
		return nil, errors.New("anchors need a prober")
	}
	m := &Monitor{
		prober: o.Prober, every: o.Every, log: o.Log, watched: []way{anyWay}, essential: []way{anyWay},
		wanted: make(chan struct{}, 1), opened: make(chan struct{}), changed: make(chan struct{}),
	}
	for _, raw := range o.Anchors {
		a, err := newAnchor(raw)
		if err != nil {
			return nil, fmt.Errorf("anchor %q: %w", raw, err)
		}
		m.anchors = append(m.anchors, a)
		if !slices.Contains(m.watched, a.over) {
			m.watched = append(m.watched, a.over)
		}
	}
	slices.Sort(m.watched)
	if slices.Contains(m.watched, names) {
		m.essential = append(m.essential, names)
	}
	return m, nil
}

// Run measures until ctx ends, and then returns nil.
func (m *Monitor) Run(ctx context.Context) error {
	if len(m.anchors) == 0 {
		<-ctx.Done()
		return nil
	}
	var rounds sync.WaitGroup
	defer rounds.Wait()
	room := make(chan struct{}, maxRounds)
	pace := pacer{every: min(m.every, leastEvery), saved: burst, at: time.Now()}
	for {
		if !sleep(ctx, nil, pace.next(time.Now())) {
			return nil
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		r := m.open()
		rounds.Go(func() {
			defer func() { <-room }()
			m.conduct(ctx, r)
		})
		if !sleep(ctx, m.wanted, m.every-time.Since(r.began)) {
			return nil
		}
	}
}

// pacer allows one measurement a time, and saves up to burst of them.
type pacer struct {
	every time.Duration
	saved float64
	at    time.Time // when saved was right
}

// next takes the next one and says how long to wait for it.
func (p *pacer) next(now time.Time) (wait time.Duration) {
	p.saved = min(burst, p.saved+float64(now.Sub(p.at))/float64(p.every)) - 1
	p.at = now
	if p.saved < 0 {
		wait = time.Duration(-p.saved * float64(p.every))
	}
	return wait
}

// sleep waits for a time or for a wish, whichever is first; false when ctx has ended.
func sleep(ctx context.Context, wish <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wish:
	case <-t.C:
	}
	return ctx.Err() == nil
}

// open begins a round.
func (m *Monitor) open() *round {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.wanted: // this is it
	default:
	}
	var number uint64 = 1
	if m.newest != nil {
		number = m.newest.number + 1
	}
	m.newest = newRound(number)
	close(m.opened)
	m.opened = make(chan struct{})
	return m.newest
}

// Refresh has the next measurement made as soon as that may be, and does not wait for it.
func (m *Monitor) Refresh() {
	select {
	case m.wanted <- struct{}{}:
	default: // somebody else wants it
	}
}

// Changed is closed when health changes, seen from the call on. It is nil without anchors:
// then health never changes.
func (m *Monitor) Changed() <-chan struct{} {
	if len(m.anchors) == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

// Report says how the node's connectivity was when it was last measured. It is healthy
// when no anchors are configured, or an anchor answered in the last round, a name was
// found if one was looked for, and that is not older than three periods.
func (m *Monitor) Report() check.SelfCheck {
	if len(m.anchors) == 0 {
		return check.SelfCheck{Healthy: true}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := check.SelfCheck{Anchors: len(m.anchors)}
	if m.measured.IsZero() {
		r.Detail = "no self-check has ended yet"
		return r
	}
	r.Age, r.Detail = time.Since(m.measured), m.detail
	if r.Age > staleRounds*m.every {
		r.Detail = fmt.Sprintf("the last self-check is %s old", r.Age.Round(time.Millisecond))
		return r
	}
	r.Healthy = m.healthy
	return r
}

// Control measures for a failure that was just seen, and says whether what the failure
// rests on works: the network, the name servers for one of DNS, the family by which the
// site was reached. The measurement ends after the call began. It takes as long as ctx
// lets it, at most Within; without a result by then the node is not healthy.
func (m *Monitor) Control(ctx context.Context, seen check.Observation) check.SelfCheck {
	if len(m.anchors) == 0 {
		return check.SelfCheck{Healthy: true}
	}
	ctx, cancel := context.WithTimeout(ctx, Within)
	defer cancel()
	rests := m.restsOn(seen)
	report := check.SelfCheck{Anchors: len(m.anchors), Detail: "no anchor answered in time"}
	r := m.coming(ctx, rests)
	if r == nil {
		return report
	}
	for _, w := range rests {
		select {
		case <-r.settled[w]:
		case <-ctx.Done():
			return report
		}
	}
	if lost, why := r.lost(rests); len(lost) > 0 {
		report.Detail = clip(fmt.Sprintf("at the moment of the failure %s did not work: %s", lost[0], why))
		return report
	}
	report.Healthy, report.Detail = true, ""
	return report
}

// restsOn says which ways a failure is evidence about.
func (m *Monitor) restsOn(seen check.Observation) []way {
	over, reached := reachedOver(seen)
	switch {
	case seen.Failure == check.FailureDNS && slices.Contains(m.watched, names):
		return []way{anyWay, names}
	case reached && slices.Contains(m.watched, over):
		return []way{anyWay, over}
	}
	return []way{anyWay}
}

// coming is the round that still has something to tell about the ways: the one under
// way, else the next. It is nil when ctx ends before that.
func (m *Monitor) coming(ctx context.Context, of []way) *round {
	m.mu.Lock()
	r, opened := m.newest, m.opened
	m.mu.Unlock()
	if r != nil && !r.isSettled(of) {
		return r
	}
	m.Refresh()
	select {
	case <-opened:
	case <-ctx.Done():
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.newest
}

func (m *Monitor) lastDetail() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.healthy {
		return m.detail
	}
	return ""
}

// record keeps what a round says, unless a later one has spoken.
func (m *Monitor) record(r *round, healthy bool, detail string) {
	m.mu.Lock()
	if r.number < m.recorded {
		m.mu.Unlock()
		return
	}
	first := m.measured.IsZero()
	turned := healthy != m.healthy || first
	detail = clip(detail)
	said := turned || detail != m.detail
	m.recorded, m.measured, m.healthy, m.detail = r.number, time.Now(), healthy, detail
	if turned {
		close(m.changed)
		m.changed = make(chan struct{})
	}
	m.mu.Unlock()
	switch {
	case !said:
	case healthy && detail == "":
		m.log.Info("own connectivity is good")
	case healthy:
		m.log.Warn("own connectivity is good in part", "detail", detail)
	default:
		m.log.Warn("own connectivity is bad: this node is no witness of outages", "detail", detail)
	}
}

func clip(detail string) string {
	if len(detail) > check.MaxDetailBytes {
		return strings.ToValidUTF8(detail[:check.MaxDetailBytes], "")
	}
	return detail
}

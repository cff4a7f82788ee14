package selfcheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	// MaxAnchors is how many anchors a node may have; a measurement probes all at once.
	MaxAnchors = 16
	// Within is how long a measurement may take.
	Within = 3 * time.Second

	defaultEvery = 10 * time.Second
	// leastEvery is the shortest average time between two measurements. After a quiet time
	// a burst of them may follow each other at once, so that a single failure does not wait.
	leastEvery = time.Second
	burst      = 4
	// maxRounds limits the concurrent measurements: slow ones overlap.
	maxRounds = 4
	// staleRounds is how many periods a measurement stays valid.
	staleRounds = 3
)

// Prober probes one target; internal/probe has the real one.
type Prober interface {
	Probe(ctx context.Context, t check.Target) check.Observation
}

// Options of a Monitor.
type Options struct {
	// Prober probes the anchors. It must be the one that checks the sites, so that both
	// use the same path.
	Prober Prober
	// Anchors are URLs that are known to work, on several hosts if possible. Without any,
	// the Monitor measures nothing and the node counts as healthy.
	Anchors []string
	// Every is the time between rounds; 0 means 10 s.
	Every time.Duration
	// Log gets a line when health changes; nil discards it.
	Log *slog.Logger
}

// Monitor probes the anchors and remembers the last round.
type Monitor struct {
	prober  Prober
	anchors []anchor
	// watched are the ways that the anchors show; essential are those that a healthy node
	// needs.
	watched, essential []way
	every              time.Duration
	log                *slog.Logger
	// wanted holds at most one request for a measurement.
	wanted chan struct{}

	mu       sync.Mutex
	newest   *round
	opened   chan struct{} // closed when a newer round begins
	recorded uint64        // number of the round that set the fields below
	measured time.Time     // zero while no round has a result
	healthy  bool
	detail   string
	changed  chan struct{} // closed when healthy changes
}

// withDefaults returns o with a value for each field that has a default.
func (o Options) withDefaults() Options {
	o.Every = cmp.Or(o.Every, defaultEvery)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return o
}

// New makes a Monitor, which probes nothing before Run.
func New(o Options) (*Monitor, error) {
	o = o.withDefaults()
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
		if !pause.For(ctx, pace.next(time.Now())) {
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
		if !pause.Or(ctx, m.every-time.Since(r.began), m.wanted) {
			return nil
		}
	}
}

// pacer allows one measurement per period, and saves up to burst of them.
type pacer struct {
	every time.Duration
	saved float64
	at    time.Time // when saved was correct
}

// next takes the next measurement and returns how long to wait for it.
func (p *pacer) next(now time.Time) (wait time.Duration) {
	p.saved = min(burst, p.saved+float64(now.Sub(p.at))/float64(p.every)) - 1
	p.at = now
	if p.saved < 0 {
		wait = time.Duration(-p.saved * float64(p.every))
	}
	return wait
}

// open begins a round.
func (m *Monitor) open() *round {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.wanted: // this round satisfies the request
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

// Refresh requests a measurement as soon as the pace allows, and does not wait for it.
func (m *Monitor) Refresh() {
	select {
	case m.wanted <- struct{}{}:
	default: // there is a request already
	}
}

// Changed returns a channel that is closed when health changes after the call. It is nil
// without anchors: then health never changes.
func (m *Monitor) Changed() <-chan struct{} {
	if len(m.anchors) == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

// Report returns the node's connectivity at its last measurement. The node is healthy
// without anchors. Otherwise, in the last round, an anchor must have answered and, if an
// anchor has a name, a name must have resolved; and the round must not be older than three
// periods.
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

// Control measures after a failure that the caller just saw, and reports whether the
// failure can be trusted: whether the network works, for a DNS failure the name servers,
// and the address family of the connection. The measurement ends after the call began. It
// may take until ctx ends, at most Within; without a result by then the node is not healthy.
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

// restsOn returns the ways that must work for a failure to be credible.
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

// coming returns a round that has not settled any of the ways yet: the current one, or
// else the next. It returns nil when ctx ends first.
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

// record stores the result of a round, unless a later one has a result already.
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
		m.log.Info("self-check passed")
	case healthy:
		m.log.Warn("self-check passed in part", "detail", detail)
	default:
		m.log.Warn("self-check failed, failures of sites count as unknown", "detail", detail)
	}
}

func clip(detail string) string {
	if len(detail) > check.MaxDetailBytes {
		return strings.ToValidUTF8(detail[:check.MaxDetailBytes], "")
	}
	return detail
}

package selfcheck

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

const (
	// MaxAnchors is how many anchors a node may have; they are all probed at once.
	MaxAnchors = 16

	defaultEvery = 10 * time.Second
	maxTimeout   = 5 * time.Second
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
	// Anchors are URLs that are known to work. With none, nothing is measured and the
	// node counts as healthy.
	Anchors []string
	// Every is the time between rounds; 0 means 10 s.
	Every time.Duration
	// Log gets a line when health changes; nil is silence.
	Log *slog.Logger
}

// Monitor probes the anchors and remembers the last round.
type Monitor struct {
	prober  Prober
	anchors []string
	every   time.Duration
	log     *slog.Logger

	mu       sync.Mutex
	measured time.Time // zero: no round has said anything yet
	healthy  bool
	detail   string
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
	for _, a := range o.Anchors {
		if _, err := check.ParseURL(a); err != nil {
			return nil, fmt.Errorf("anchor %q: %w", a, err)
		}
	}
	return &Monitor{prober: o.Prober, anchors: o.Anchors, every: o.Every, log: o.Log}, nil
}

// Run measures until ctx ends, and then returns nil.
func (m *Monitor) Run(ctx context.Context) error {
	if len(m.anchors) == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(m.every)
	defer tick.Stop()
	for {
		m.round(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Report says how the node's connectivity was when it was last measured. It is
// healthy when no anchors are configured, or at least one answered in the last
// round and that is not older than three periods.
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
	r.Age = time.Since(m.measured)
	switch {
	case r.Age > staleRounds*m.every:
		r.Detail = fmt.Sprintf("the last self-check is %s old", r.Age.Round(time.Millisecond))
	case !m.healthy:
		r.Detail = m.detail
	default:
		r.Healthy = true
	}
	return r
}

// round probes all anchors at once. The first that answers settles it: a slow anchor
// must not keep a node that works from being heard.
func (m *Monitor) round(ctx context.Context) {
	timeout := min(m.every, maxTimeout)
	ctx, cancel := context.WithTimeout(ctx, timeout+time.Second)
	defer cancel()
	seen := make(chan string, len(m.anchors)) // "" for an answer, else what failed
	var probes sync.WaitGroup
	defer probes.Wait()
	for _, anchor := range m.anchors {
		probes.Go(func() { seen <- m.ask(ctx, check.Target{URL: anchor, Timeout: timeout}) })
	}
	var failures []string
	for range m.anchors {
		failure := <-seen
		if failure == "" {
			m.record(true, "")
			cancel() // the others can only say the same
			return
		}
		failures = append(failures, failure)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return // cut short by shutdown: that says nothing about the network
	}
	m.record(false, "no anchor answered: "+strings.Join(failures, "; "))
}

// ask says what failed, or "". Only an answer as it should be counts: a broken proxy on
// our side answers too.
func (m *Monitor) ask(ctx context.Context, t check.Target) (failure string) {
	defer func() {
		if p := recover(); p != nil {
			m.log.Error("self-check panicked", "anchor", t.URL, "panic", p)
			failure = t.URL + ": internal error"
		}
	}()
	o := m.prober.Probe(ctx, t)
	switch {
	case o.Outcome == check.OutcomeUp:
		return ""
	case o.HTTPStatus != 0:
		return fmt.Sprintf("%s: HTTP status %d", t.URL, o.HTTPStatus)
	case o.Detail != "":
		return t.URL + ": " + o.Detail
	default:
		return t.URL + ": " + o.Reason
	}
}

func (m *Monitor) record(healthy bool, detail string) {
	if len(detail) > check.MaxDetailBytes {
		detail = strings.ToValidUTF8(detail[:check.MaxDetailBytes], "")
	}
	m.mu.Lock()
	changed := healthy != m.healthy || m.measured.IsZero()
	m.measured, m.healthy, m.detail = time.Now(), healthy, detail
	m.mu.Unlock()
	switch {
	case !changed:
	case healthy:
		m.log.Info("own connectivity is good")
	default:
		m.log.Warn("own connectivity is bad: this node is no witness of outages", "detail", detail)
	}
}

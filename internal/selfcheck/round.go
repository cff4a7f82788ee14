package selfcheck

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// way is one part of a node's connectivity that a measurement tests.
type way uint8

const (
	anyWay way = iota // an anchor answers
	names             // a host name resolves
	ipv4              // an anchor answers over IPv4
	ipv6              // an anchor answers over IPv6
	ways
)

func (w way) String() string { return [ways]string{"the network", "name servers", "IPv4", "IPv6"}[w] }

// anchor is a site that is known to work.
type anchor struct {
	url string
	// over is the way that only this kind of anchor tests: names, or its literal family.
	over way
}

func newAnchor(raw string) (anchor, error) {
	u, err := check.ParseURL(raw)
	if err != nil {
		return anchor{}, err
	}
	a := anchor{url: raw, over: names}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		a.over = familyOf(ip)
	}
	return a, nil
}

func familyOf(ip netip.Addr) way {
	if ip.Unmap().Is4() {
		return ipv4
	}
	return ipv6
}

// round is one measurement. The first anchor that shows a way to work settles it as good;
// it is settled as bad when all anchors have ended and none did.
type round struct {
	number uint64
	// began has a monotonic clock reading, by which Run paces the rounds.
	began time.Time

	mu      sync.Mutex
	settled [ways]chan struct{} // closed when good is final
	good    [ways]bool
	failed  []string // the failures of the anchors that failed
}

func newRound(number uint64) *round {
	r := &round{number: number, began: time.Now()}
	for i := range r.settled {
		r.settled[i] = make(chan struct{})
	}
	return r
}

// isSettled reports whether the round has settled at least one of the ways.
func (r *round) isSettled(of []way) bool {
	for _, w := range of {
		select {
		case <-r.settled[w]:
			return true
		default:
		}
	}
	return false
}

// works records that a way works, and reports whether that is new.
func (r *round) works(w way) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.good[w] {
		return false
	}
	r.good[w] = true
	close(r.settled[w])
	return true
}

// note records the observation of an anchor, and reports whether it shows anything new. Only
// a correct answer counts: a broken proxy on our side answers, too.
func (r *round) note(a anchor, o check.Observation) (news bool) {
	if a.over == names && o.Failure != check.FailureDNS && (o.Outcome == check.OutcomeUp || o.Outcome == check.OutcomeDown) {
		news = r.works(names)
	}
	if o.Outcome != check.OutcomeUp {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.failed = append(r.failed, a.url+": "+failureOf(o))
		return news
	}
	if over, ok := reachedOver(o); ok {
		news = r.works(over) || news
	} else if a.over != names {
		news = r.works(a.over) || news
	}
	return r.works(anyWay) || news
}

// end settles as bad the ways that no anchor has shown to work.
func (r *round) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for w, good := range r.good {
		if !good {
			close(r.settled[w])
		}
	}
}

// lost returns those of the ways that no anchor has shown to work, and the failures seen.
func (r *round) lost(of []way) (lost []way, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range of {
		if !r.good[w] {
			lost = append(lost, w)
		}
	}
	return lost, strings.Join(r.failed, "; ")
}

// reachedOver returns the address family of an observation's connection.
func reachedOver(o check.Observation) (way, bool) {
	host, _, err := net.SplitHostPort(o.ResolvedAddress)
	if err != nil {
		return 0, false
	}
	ip, err := netip.ParseAddr(host)
	return familyOf(ip), err == nil
}

func failureOf(o check.Observation) string {
	switch {
	case o.HTTPStatus != 0:
		return fmt.Sprintf("HTTP status %d", o.HTTPStatus)
	case o.Detail != "":
		return o.Detail
	default:
		return o.Reason
	}
}

// conduct probes all anchors at once, until all have ended or none can add anything.
func (m *Monitor) conduct(ctx context.Context, r *round) {
	within, cancel := context.WithTimeout(ctx, Within+time.Second)
	defer cancel()
	var probes sync.WaitGroup
	for _, a := range m.anchors {
		probes.Go(func() {
			o := m.ask(within, a)
			if ctx.Err() != nil || !r.note(a, o) {
				return
			}
			if lost, _ := r.lost(m.essential); len(lost) == 0 {
				m.record(r, true, m.lastDetail())
			}
			if lost, _ := r.lost(m.watched); len(lost) == 0 {
				cancel() // the others cannot add anything
			}
		})
	}
	probes.Wait()
	if ctx.Err() != nil {
		return // shutdown interrupted the round, which tells nothing about the network
	}
	r.end()
	healthy, detail := m.judge(r, m.watched)
	m.record(r, healthy, detail)
}

// ask probes one anchor.
func (m *Monitor) ask(ctx context.Context, a anchor) check.Observation {
	return m.prober.Probe(ctx, check.Target{URL: a.url, Timeout: Within})
}

// judge returns the result of a round that has ended: healthy when the network and name
// servers work; detail names all lost ways.
func (m *Monitor) judge(r *round, of []way) (healthy bool, detail string) {
	lost, why := r.lost(of)
	healthy = true
	var words []string
	for _, w := range lost {
		words = append(words, w.String())
		if w == anyWay || w == names {
			healthy = false
		}
	}
	switch {
	case len(lost) == 0:
		return true, ""
	case lost[0] == anyWay:
		return false, "no anchor answered: " + why
	default:
		return healthy, strings.Join(words, ", ") + " lost: " + why
	}
}

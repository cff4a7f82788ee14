//go:build linux

package main

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

// company is how long a healthy result waits for others of its batch, as in the checker.
const company = 250 * time.Millisecond

// done is a simulated check and its end.
type done struct {
	site     int64
	sequence uint64
	took     time.Duration
	ended    time.Time
}

// part is one check-in: results of one batch that end within company.
type part struct {
	batch *coordinatorv1.BatchRef
	done  []done
	due   time.Time
	last  bool // of its batch
}

// latency is how long simulated checks take: from least to least+spread. Only a spread
// needs random.
type latency struct {
	least, spread time.Duration
	random        *rand.Rand
}

// split simulates a batch that arrived at now. Results go out when the first of them has
// waited for company.
func (l latency) split(a *coordinatorv1.Assignments, now time.Time) []part {
	all := make([]done, len(a.GetAssignments()))
	for i, c := range a.GetAssignments() {
		took := l.least
		if l.spread > 0 {
			took += time.Duration(l.random.Int64N(int64(l.spread)))
		}
		all[i] = done{c.GetSiteId(), c.GetSequence(), took, now.Add(took)}
	}
	if l.spread > 0 {
		slices.SortFunc(all, func(a, b done) int { return a.ended.Compare(b.ended) })
	}
	var parts []part
	for begin := 0; begin < len(all); {
		due := all[begin].ended.Add(company)
		end := begin
		for end < len(all) && !all[end].ended.After(due) {
			end++
		}
		parts = append(parts, part{batch: a.GetBatch(), done: all[begin:end], due: due, last: end == len(all)})
		begin = end
	}
	return parts
}

// parts is a heap by due time.
type parts []part

func (p parts) Len() int           { return len(p) }
func (p parts) Less(i, j int) bool { return p[i].due.Before(p[j].due) }
func (p parts) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }

// Push and Pop serve package heap.
func (p *parts) Push(x any) { *p = append(*p, x.(part)) }

func (p *parts) Pop() any {
	old := *p
	n := len(old) - 1
	last := old[n]
	old[n] = part{}
	*p = old[:n]
	return last
}

// next removes and returns the part that is due, if there is one.
func (p *parts) next(now time.Time) (part, bool) {
	if len(*p) == 0 || (*p)[0].due.After(now) {
		return part{}, false
	}
	return heap.Pop(p).(part), true
}

// pace limits the answered checks per second. The zero value does not.
type pace struct {
	each time.Duration // time per check; 0 means no limit
	free time.Time     // when the next may be answered
}

// set changes the limit to a number of checks per second; 0 lifts it.
func (p *pace) set(rate float64) {
	*p = pace{}
	if rate > 0 {
		p.each = time.Duration(float64(time.Second) / rate)
	}
}

// allow reports whether n checks may be answered now, and counts them if so.
func (p *pace) allow(now time.Time, n int) bool {
	if p.each == 0 {
		return true
	}
	if p.free.After(now) {
		return false
	}
	if now.Sub(p.free) > time.Second {
		p.free = now // unused capacity is not saved up
	}
	p.free = p.free.Add(time.Duration(n) * p.each)
	return true
}

// sitesOfMachine is the number of sites per address, machinesOfNetwork the number of
// addresses per /24.
const (
	sitesOfMachine    = 5
	machinesOfNetwork = 8
)

// addressOf returns the address of a site. The sites of a machine are scattered over the
// ids.
func addressOf(site int64, sites int) string {
	machines := max(1, uint64(sites)/sitesOfMachine)
	hash := uint64(site) * 0x9e3779b97f4a7c15
	hash = (hash ^ hash>>32) * 0x9e3779b97f4a7c15
	m := hash >> 20 % machines * (256 / machinesOfNetwork)
	b := make([]byte, 0, len("255.255.255.255:443"))
	b = appendOctet(b, 11+byte(m>>24)%200)
	b = appendOctet(append(b, '.'), byte(m>>16))
	b = appendOctet(append(b, '.'), byte(m>>8))
	b = appendOctet(append(b, '.'), byte(m)|1)
	return string(append(b, ":443"...))
}

func appendOctet(b []byte, n byte) []byte {
	if n >= 100 {
		b = append(b, '0'+n/100)
	}
	if n >= 10 {
		b = append(b, '0'+n/10%10)
	}
	return append(b, '0'+n%10)
}

// failsOnce reports whether a check is one of the percent of all checks that fail by themselves.
func failsOnce(site int64, sequence uint64, percent int) bool {
	return rand.NewPCG(uint64(site), sequence).Uint64()%100 < uint64(percent)
}

// results makes the results of a checker for healthy sites and for those that are down or fail this
// once, which are the only ones with headers.
func (p part) results(now time.Time, of *plan) *coordinatorv1.Results {
	all := make([]struct {
		result      coordinatorv1.Result
		observation checkv1.Observation
		timing      checkv1.Timing
	}, len(p.done))
	out := &coordinatorv1.Results{Batch: p.batch, Results: make([]*coordinatorv1.Result, len(p.done))}
	for i, d := range p.done {
		a := &all[i]
		a.timing.DnsMicros, a.timing.ConnectMicros = 900, uint32(d.took.Microseconds())/4
		a.timing.TlsMicros, a.timing.FirstByteMicros = uint32(d.took.Microseconds())/4, uint32(d.took.Microseconds())/2
		a.timing.TotalMicros = uint32(d.took.Microseconds())
		o := &a.observation
		o.Outcome, o.HttpStatus, o.Timings = checkv1.Outcome_OUTCOME_UP, 200, &a.timing
		o.Phase, o.Method = checkv1.Phase_PHASE_DONE, checkv1.Method_METHOD_HEAD
		o.ResolvedAddress, o.Protocol = addressOf(d.site, of.sites), "HTTP/1.1"
		if d.site%100 < int64(of.down) || failsOnce(d.site, d.sequence, of.failing) {
			o.Outcome, o.HttpStatus = checkv1.Outcome_OUTCOME_DOWN, 503
			o.Failure, o.Reason = checkv1.FailureKind_FAILURE_KIND_SERVER, "status_5xx"
			o.Headers = map[string]string{"server": "nginx", "content-type": "text/html; charset=UTF-8"}
		}
		a.result.SiteId, a.result.Sequence, a.result.Observation = d.site, d.sequence, o
		// A checker that lacks capacity ends its checks later; it does not keep results longer.
		a.result.AgeMillis = uint32(min(max(0, now.Sub(d.ended)), company).Milliseconds())
		out.Results[i] = &a.result
	}
	return out
}

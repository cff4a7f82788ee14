package probe

import (
	"net/http"
	"sync"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// result combines the attempts at one target.
type result struct {
	// deciding is the attempt that counts.
	deciding *attempt
	// other is the attempt that does not count; it may be nil.
	other *attempt
	// headFailed is true when GET works and HEAD does not.
	headFailed bool
}

// interrupted reports whether the result is a failure because an attempt ran out of time.
func (r result) interrupted() bool {
	return r.deciding.failure != nil && (r.deciding.failure.timedOut ||
		r.other != nil && r.other.failure != nil && r.other.failure.timedOut)
}

// ask probes the site with the method that the target asks for.
func (j *job) ask() result {
	method := j.target.Method
	switch {
	case len(j.target.RequiredTexts)+len(j.target.ForbiddenTexts) > 0:
		method = check.MethodGet
	case method != check.MethodHead && method != check.MethodGet && j.target.HeadHostile:
		a := &attempt{method: check.MethodGet}
		a.run(j)
		return result{deciding: a, headFailed: a.failure == nil}
	case method != check.MethodHead && method != check.MethodGet && j.target.PageRule != check.PageIgnored:
		return j.forPage()
	}
	if method == check.MethodHead || method == check.MethodGet {
		a := &attempt{method: method}
		a.run(j)
		return result{deciding: a}
	}
	return j.headThenGet()
}

// forPage asks for the page. A firewall that does not let it through tells nothing about the
// page: then a good HEAD is accepted, as it is by all other checks of the site.
func (j *job) forPage() result {
	get := &attempt{method: check.MethodGet}
	get.run(j)
	if f := get.failure; f == nil || f.timedOut || f.kind != check.FailureBlocked && get.head.status != http.StatusTooManyRequests {
		return result{deciding: get}
	}
	head := &attempt{method: check.MethodHead}
	if head.run(j); head.failure == nil {
		return result{deciding: head, other: get}
	}
	return result{deciding: get, other: head}
}

// headThenGet accepts a good HEAD. A HEAD that fails after it was sent is confirmed by a
// GET. When a HEAD hangs for half of the budget, it goes on and a GET starts beside it:
// cutting it off would call a site down that takes six of ten seconds for any response.
func (j *job) headThenGet() result {
	late := &lateGet{job: j}
	head := &late.head
	head.method = check.MethodHead
	late.arm()
	head.run(j)
	begun := late.join()
	switch {
	case begun:
		return decide(head, late.get)
	case head.failure == nil || !worthGet(head):
		return result{deciding: head}
	}
	late.ask()
	return decide(head, late.get)
}

// lateGet is a HEAD and the GET that starts beside it if it hangs.
type lateGet struct {
	job  *job
	head attempt
	get  *attempt

	mu     sync.Mutex
	timer  *time.Timer
	done   chan struct{}
	joined bool
}

// ask does the GET.
func (l *lateGet) ask() {
	l.get = &attempt{method: check.MethodGet}
	l.get.run(l.job)
}

func (l *lateGet) arm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(l.job.budget/2, l.begin)
}

// begin starts the GET once the HEAD was sent: before that, the method makes no
// difference.
func (l *lateGet) begin() {
	l.mu.Lock()
	if l.joined {
		l.mu.Unlock()
		return
	}
	if l.head.trace.reached() < check.PhaseRequest {
		l.timer.Reset(l.job.budget / 8)
		l.mu.Unlock()
		return
	}
	l.done = make(chan struct{})
	l.mu.Unlock()
	defer close(l.done)
	l.ask()
	if l.get.failure == nil {
		l.job.stop() // the HEAD is not needed
	}
}

// join keeps the GET from starting, or waits for its end; it reports whether the GET
// started. A good HEAD cancels the GET first, so it hardly waits.
func (l *lateGet) join() bool {
	l.mu.Lock()
	l.joined = true
	l.timer.Stop()
	done := l.done
	l.mu.Unlock()
	if done == nil {
		return false
	}
	if l.head.failure == nil {
		l.job.stop()
	}
	<-done
	return true
}

// worthGet reports whether a GET could succeed where the HEAD failed: not when the HEAD
// was never sent, nor when time has run out.
func worthGet(head *attempt) bool {
	return head.trace.reached() >= check.PhaseRequest &&
		head.failure.kind != check.FailurePolicy && !head.failure.timedOut
}

// decide chooses between a HEAD and a GET that have both ended: the one that succeeded,
// or else the GET.
func decide(head, get *attempt) result {
	switch {
	case head.failure == nil:
		get.trace.dropIPv6()
		return result{deciding: head, other: get}
	case get.failure == nil:
		return result{deciding: get, other: head, headFailed: true}
	case get.failure.timedOut && get.trace.reached() < head.trace.reached():
		// The GET had less time and got less far.
		return result{deciding: head, other: get}
	}
	return result{deciding: get, other: head}
}

package probe

import (
	"context"
	"sync"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// result is what the attempts at one target came to.
type result struct {
	// deciding is the attempt whose answer counts.
	deciding *attempted
	// other is the attempt that did not decide; may be nil.
	other *attempted
	// headFailed says that GET works where HEAD does not.
	headFailed bool
}

// interrupted says that the end of time kept the site from being judged.
func (r result) interrupted() bool {
	return r.deciding.failure != nil && (r.deciding.failure.timedOut ||
		r.other != nil && r.other.failure != nil && r.other.failure.timedOut)
}

// ask asks the site in the way that the target says. The context ends with the budget.
func (p *Prober) ask(ctx context.Context, t *check.Target, home place, budget time.Duration) result {
	method := t.Method
	switch {
	case len(t.RequiredTexts)+len(t.ForbiddenTexts) > 0:
		method = check.MethodGet
	case method != check.MethodHead && method != check.MethodGet && t.HeadHostile:
		a := &attempted{method: check.MethodGet}
		p.attempt(ctx, t, home, a)
		return result{deciding: a, headFailed: a.failure == nil}
	}
	if method == check.MethodHead || method == check.MethodGet {
		a := &attempted{method: method}
		p.attempt(ctx, t, home, a)
		return result{deciding: a}
	}
	return p.headThenGet(ctx, t, home, budget)
}

// headThenGet believes a good HEAD. A HEAD that fails after it was sent is put to a GET.
// One that hangs for half of the budget goes on, but a GET starts beside it: cutting it
// off would call a site down that takes six of ten seconds for any answer.
func (p *Prober) headThenGet(ctx context.Context, t *check.Target, home place, budget time.Duration) result {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	head, get := &attempted{method: check.MethodHead}, &attempted{method: check.MethodGet}
	late := &lateGet{
		run:  func() { p.attempt(ctx, t, home, get) },
		sent: func() bool { return head.trace.reached() >= check.PhaseRequest },
		good: func() bool { return get.failure == nil },
		stop: stop,
	}
	late.arm(budget)
	p.attempt(ctx, t, home, head)
	if head.failure == nil {
		stop() // a GET that began is not needed
	}
	begun := late.join()
	switch {
	case begun:
		return decide(head, get)
	case head.failure == nil || !worthGet(head):
		return result{deciding: head}
	}
	late.run()
	return decide(head, get)
}

// lateGet is the GET that begins beside a HEAD that hangs.
type lateGet struct {
	run func()
	// sent says that the HEAD was sent, good that the GET succeeded.
	sent, good func() bool
	// stop ends both; called when the GET succeeds.
	stop context.CancelFunc

	mu     sync.Mutex
	timer  *time.Timer
	done   chan struct{}
	joined bool
}

func (l *lateGet) arm(budget time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(budget/2, func() { l.begin(budget / 8) })
}

// begin starts the GET once the HEAD was sent: before that, the method makes no
// difference.
func (l *lateGet) begin(again time.Duration) {
	l.mu.Lock()
	if l.joined {
		l.mu.Unlock()
		return
	}
	if !l.sent() {
		l.timer.Reset(again)
		l.mu.Unlock()
		return
	}
	l.done = make(chan struct{})
	l.mu.Unlock()
	defer close(l.done)
	l.run()
	if l.good() {
		l.stop()
	}
}

// join keeps the GET from beginning, or waits for its end; it says whether it began.
func (l *lateGet) join() bool {
	l.mu.Lock()
	l.joined = true
	l.timer.Stop()
	done := l.done
	l.mu.Unlock()
	if done == nil {
		return false
	}
	<-done
	return true
}

// worthGet says whether a GET could fare better: not where the HEAD was never sent, nor
// where time has run out.
func worthGet(head *attempted) bool {
	return head.trace.reached() >= check.PhaseRequest &&
		head.failure.kind != check.FailurePolicy && !head.failure.timedOut
}

// decide chooses between a HEAD and a GET that both ended: a success, and else the GET.
func decide(head, get *attempted) result {
	switch {
	case head.failure == nil:
		get.drop()
		return result{deciding: head, other: get}
	case get.failure == nil:
		return result{deciding: get, other: head, headFailed: true}
	case get.failure.timedOut && get.trace.reached() < head.trace.reached():
		// The GET had less time and got less far.
		return result{deciding: head, other: get}
	}
	return result{deciding: get, other: head}
}

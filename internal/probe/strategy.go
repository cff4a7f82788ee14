package probe

import (
	"context"
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

// ask asks the site in the way that the target says. The context ends with the budget.
func (p *Prober) ask(ctx context.Context, t *check.Target, home place, budget time.Duration) result {
	method := t.Method
	switch {
	case len(t.RequiredTexts)+len(t.ForbiddenTexts) > 0:
		method = check.MethodGet
	case method != check.MethodHead && method != check.MethodGet && t.HeadHostile:
		a := new(attempted)
		p.attempt(ctx, t, home, check.MethodGet, a)
		return result{deciding: a, headFailed: a.failure == nil}
	}
	if method == check.MethodHead || method == check.MethodGet {
		a := new(attempted)
		p.attempt(ctx, t, home, method, a)
		return result{deciding: a}
	}
	return p.headThenGet(ctx, t, home, budget)
}

// headThenGet believes a good HEAD. A HEAD that fails after it was sent is put to a GET.
// One that hangs for half of the budget goes on, but a GET starts beside it: cutting it
// off would call a site down that takes six of ten seconds for any answer.
func (p *Prober) headThenGet(ctx context.Context, t *check.Target, home place, budget time.Duration) result {
	headCtx, stopHead := context.WithCancel(ctx)
	defer stopHead()
	getCtx, stopGet := context.WithCancel(ctx)
	defer stopGet()

	head, get := new(attempted), new(attempted)
	headDone, getDone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(headDone)
		p.attempt(headCtx, t, home, check.MethodHead, head)
	}()
	startGet := func() {
		go func() {
			defer close(getDone)
			p.attempt(getCtx, t, home, check.MethodGet, get)
		}()
	}
	half := time.NewTimer(budget / 2)
	defer half.Stop()
	select {
	case <-headDone:
		if head.failure == nil || !worthGet(head) {
			return result{deciding: head}
		}
		startGet()
		<-getDone
		return decide(head, get)
	case <-half.C:
	}
	startGet()
	select {
	case <-headDone:
		if head.failure == nil {
			stopGet()
		}
	case <-getDone:
		if get.failure == nil {
			stopHead()
		}
	}
	<-headDone
	<-getDone
	return decide(head, get)
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
		return result{deciding: head, other: get}
	case get.failure == nil:
		return result{deciding: get, other: head, headFailed: true}
	case get.failure.timedOut && get.trace.reached() < head.trace.reached():
		// The GET had less time and got less far.
		return result{deciding: head, other: get}
	}
	return result{deciding: get, other: head}
}

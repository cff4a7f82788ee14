package notify

import (
	"context"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/internal/backoff"
	"github.com/Automattic/jetmon/internal/check"
)

// attempt makes one attempt. It runs on its own goroutine.
func (r *run) attempt(s *subscription.Subscription, to channel.Channel, d delivery.Due) outcome {
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	case <-r.sends.Done():
		return outcome{due: d, cut: true}
	}
	fence, sure := r.d.o.Shards.Fence(d.Shard)
	if !sure {
		// This process may have been suspended since the delivery was read, and another owner may
		// have sent a newer one. If it has not, the store still holds this one.
		return outcome{due: d, cut: true}
	}
	if d.Delayed && d.Tried.IsZero() {
		call, cancel := context.WithTimeout(r.sends, storeTimeout)
		begun, err := r.d.store.BeginDeliveries(call, fence, []int64{d.ID}, time.Now())
		cancel()
		if err != nil || !slices.Contains(begun, d.ID) {
			return outcome{due: d, cut: true} // the site is up again, or the shard is another's
		}
	}
	what, why := r.delivery(s, d)
	if why != "" {
		return given(d, why)
	}
	ctx, cancel := context.WithTimeout(r.sends, r.d.o.Timeout)
	defer cancel()
	began := time.Now()
	ctx, traced := r.trace(ctx, s, &d)
	a := to.Tell(ctx, what)
	traced(a)
	if a.Verdict != channel.Accepted && r.sends.Err() != nil {
		return outcome{due: d, cut: true}
	}
	o := outcome{due: d, answer: a, result: delivery.Result{
		Delivery: d.Delivery, At: began,
		Answer: delivery.Answer{Accepted: a.Verdict == channel.Accepted, HTTPStatus: a.HTTPStatus, Text: a.Text, Took: time.Since(began)},
	}}
	r.judge(s, &o)
	return o
}

// delivery makes what is told, or says why it cannot be.
func (r *run) delivery(s *subscription.Subscription, d delivery.Due) (what channel.Delivery, why string) {
	what = channel.Delivery{Key: d.Key, Attempt: d.Attempts + 1, Body: d.Body, Change: d.Change, Again: d.State == delivery.Alive}
	if s.Kind == subscription.WPCOM || s.Kind == subscription.WPCOMLegacy {
		if d.Change == nil {
			return what, "the change of status is not there any more, or is damaged"
		}
		return what, foreign(s, d.Change.BlogID)
	}
	if d.Body == "" {
		return what, "the event is not there any more"
	}
	var err error
	if what.Event, err = event.Decode(d.Body); err != nil {
		return what, "the event is damaged"
	}
	blog := check.BlogID(0)
	if what.Event.Site != nil {
		blog = what.Event.Site.BlogID
	}
	return what, foreign(s, blog)
}

// foreign says why a subscription may not tell of a blog: its filter names others now. It belongs
// to the callers of those, who may have given it another endpoint.
func foreign(s *subscription.Subscription, blog check.BlogID) string {
	if len(s.Filter.Blogs) == 0 || slices.Contains(s.Filter.Blogs, blog) {
		return ""
	}
	return "the subscription is one of other blogs now"
}

// given is the outcome of a delivery that cannot be told.
func given(d delivery.Due, why string) outcome {
	now := time.Now()
	return outcome{
		due: d, answer: channel.Answer{Verdict: channel.Hopeless, Text: why},
		result: delivery.Result{Delivery: d.Delivery, At: now, Answer: delivery.Answer{Text: why}, Then: delivery.Dead},
	}
}

// judge decides what becomes of a delivery.
func (r *run) judge(s *subscription.Subscription, o *outcome) {
	res := &o.result
	end := res.At.Add(res.Took)
	again := backoff.Policy{Base: r.d.o.Base, Most: r.d.o.Max}
	wait := max(again.Wait(o.due.Attempts+1, r.d.o.Random()), min(o.answer.RetryAfter, maxRetryAfter))
	alive, legacy := o.due.State == delivery.Alive, s.ID == subscription.WordPressCom
	res.Then, res.Again = delivery.Waiting, end.Add(wait)
	switch o.answer.Verdict {
	case channel.Accepted:
		if res.Then = delivery.Delivered; o.answer.Renew > 0 {
			res.Then, res.Again = delivery.Alive, end.Add(o.answer.Renew)
		}
	case channel.Hopeless:
		if alive {
			res.Then = delivery.Delivered // it was, and is not wanted again
		} else if !legacy || o.due.Attempts+1 >= hopelessTries {
			res.Then = delivery.Dead
		}
	case channel.Refused:
		if !alive {
			res.Again = end // as soon as the endpoint is told anything
		}
	default:
		if !alive && !legacy && end.Sub(later(o.due.Since, s.Since)) >= life {
			res.Then = delivery.Dead
		}
	}
	if alive && res.Then == delivery.Waiting {
		res.Then = delivery.Alive
	}
}

// later returns the later of two times. What waits while its subscription is paused does not age.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

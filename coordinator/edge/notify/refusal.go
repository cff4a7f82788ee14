package notify

import (
	"cmp"
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

// refuse pauses the subscription: whatever the endpoint is told, it will refuse.
func (q *queue) refuse(o outcome) {
	if !q.refusing {
		q.r.d.o.Log.Error("endpoint refuses us; its deliveries wait", "subscription", q.sub.ID, "name", q.sub.Name,
			"http_status", o.answer.HTTPStatus, "answer", o.answer.Text)
	}
	q.refusing, q.probe, q.ready = true, time.Now().Add(q.probeEvery()), nil
	q.r.d.paused(q.sub.ID, cmp.Or(o.answer.Text, "refused"))
	q.turn(func(ctx context.Context) error {
		return q.r.d.store.PauseSubscription(ctx, q.sub.ID, q.sub.Revision, o.answer.Text, time.Now())
	})
}

// resume goes on with a subscription whose endpoint accepts again.
func (q *queue) resume() {
	q.refusing, q.probe, q.stale = false, time.Time{}, true
	q.r.d.paused(q.sub.ID, "")
	q.r.d.o.Log.Info("endpoint accepts again", "subscription", q.sub.ID, "name", q.sub.Name)
	q.turn(func(ctx context.Context) error {
		return q.r.d.store.ResumeSubscription(ctx, q.sub.ID, q.sub.Revision, time.Now())
	})
}

// turn changes the stored state of a subscription.
func (q *queue) turn(call func(context.Context) error) {
	if q.sub.ID == subscription.WordPressCom {
		return // which has none
	}
	ctx, cancel := context.WithTimeout(q.r.records, storeTimeout)
	defer cancel()
	q.r.trouble.note(call(ctx))
}

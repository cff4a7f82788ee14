package checker

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

const (
	// healthyWait is how long a healthy result waits for others to share its message.
	healthyWait = 250 * time.Millisecond
	// keepLate is how long a result is worth sending again.
	keepLate = 2 * time.Minute
	// keepShares limits the results that wait for an acknowledgement, in shares: beyond it
	// the checker grants no credit.
	keepShares = 4
)

// resume prepares for a new session, and returns the batches to continue. Results without
// an acknowledgement will be sent again.
func (q *quota) resume(now time.Time) []*coordinatorv1.BatchRef {
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	q.credit, q.leaving, q.forced = 0, false, false
	refs := []*coordinatorv1.BatchRef{}
	for _, b := range q.batches {
		again := slices.Concat(b.sent...)
		q.sent -= len(again)
		q.ready -= len(b.ready)
		b.sent = nil
		b.ready = slices.DeleteFunc(append(again, b.ready...), func(f finished) bool { return now.Sub(f.ended) > keepLate })
		q.ready += len(b.ready)
		if !b.worked() {
			// Leaving the batch out of the list releases the rest of it.
			q.returns(b, -b.returning)
			b.release = false
		}
		if len(b.ready) > 0 {
			// The batch is resumed for its results. That would also resume its released
			// checks, so they must be released again.
			b.release = b.release || b.released && !b.revoked
			q.list(b, now, true)
		}
		q.settle(b)
		if b.worked() {
			refs = append(refs, b.ref.proto())
		}
	}
	sortRefs(refs)
	return refs
}

// connect counts the start of a session and disconnect its end. Both change the shares of
// the other coordinators.
func (q *quota) connect() { q.setConnected(true) }

func (q *quota) disconnect() { q.setConnected(false) }

func (q *quota) setConnected(connected bool) {
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	if q.connected == connected {
		return
	}
	q.connected, q.credit = connected, 0
	if connected {
		q.all.connected++
	} else {
		q.all.connected--
	}
	for _, other := range q.all.quotas {
		other.wakeIf(other.connected)
	}
}

// due reports whether there is something to send now, or else how long to wait for it.
func (q *quota) due(now time.Time) (flush bool, wait time.Duration) {
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	switch {
	case q.urgent, q.room() > 0:
		return true, 0
	case len(q.fresh) == 0:
		return false, math.MaxInt64
	case q.leaving:
		return true, 0
	}
	wait = healthyWait - now.Sub(q.since)
	return wait <= 0, wait
}

// room returns the credit to grant. It withholds small amounts until they are worth a
// message. That is at most an eighth of the share, so the coordinator never runs out.
func (q *quota) room() int {
	if q.leaving || q.sent >= keepShares*q.share() {
		return 0
	}
	if room := q.share() - q.out(); room >= q.flushAt() {
		return room
	}
	return 0
}

// outgoing moves ready results to sent, and returns the messages to send: results, then
// releases, then credit.
func (q *quota) outgoing(now time.Time, maxResults int) (messages []*coordinatorv1.StreamAssignmentsRequest, released int) {
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	var releases []*coordinatorv1.StreamAssignmentsRequest
	for _, b := range q.fresh {
		b.listed = false
		messages = q.moveReady(b, messages, now, maxResults)
		if b.release && (b.running == 0 || q.forced || b.revoked) {
			b.release, b.released = false, true
			q.returns(b, -b.returning)
			b.unwanted = b.unwanted || b.running > 0 && (q.forced || !b.revoked)
			releases = append(releases, &coordinatorv1.StreamAssignmentsRequest{
				Message: &coordinatorv1.StreamAssignmentsRequest_Release{Release: &coordinatorv1.Release{Batch: b.ref.proto()}},
			})
		}
		q.settle(b)
	}
	messages = append(messages, releases...)
	clear(q.fresh)
	q.fresh, q.urgent, q.since = q.fresh[:0], false, time.Time{}
	if room := q.room(); room > 0 {
		q.credit += room
		messages = append(messages, &coordinatorv1.StreamAssignmentsRequest{
			Message: &coordinatorv1.StreamAssignmentsRequest_Credit{Credit: &coordinatorv1.Credit{Add: uint32(room)}},
		})
	}
	return messages, len(releases)
}

func (q *quota) moveReady(b *batch, messages []*coordinatorv1.StreamAssignmentsRequest, now time.Time, maxResults int) []*coordinatorv1.StreamAssignmentsRequest {
	q.ready -= len(b.ready)
	q.sent += len(b.ready)
	for part := range slices.Chunk(b.ready, maxResults) {
		results := make([]*coordinatorv1.Result, len(part))
		for i, f := range part {
			f.result.AgeMillis = uint32(min(max(now.Sub(f.ended).Milliseconds(), 0), math.MaxUint32))
			results[i] = f.result
		}
		b.sent = append(b.sent, part)
		messages = append(messages, &coordinatorv1.StreamAssignmentsRequest{
			Message: &coordinatorv1.StreamAssignmentsRequest_Results{
				Results: &coordinatorv1.Results{Batch: b.ref.proto(), Results: results},
			},
		})
	}
	b.ready = nil
	return messages
}

// ack handles the answer to the oldest unanswered message of a batch. gone means that the
// coordinator no longer knows the batch. It returns the number of results in the message.
func (q *quota) ack(r ref, gone bool) int {
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	b := q.batches[r]
	if b == nil || len(b.sent) == 0 {
		return 0
	}
	n := len(b.sent[0])
	q.sent -= n
	b.sent[0] = nil
	b.sent = b.sent[1:]
	if gone {
		q.drop(b)
	}
	q.settle(b)
	q.wakeIf(q.leaving || q.room() > 0)
	return n
}

// forget abandons batches that are no longer ours. Existing results are still sent: they
// count if no other checker was faster.
func (q *quota) forget(refs []*coordinatorv1.BatchRef) {
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	for _, r := range refs {
		if b := q.batches[refOf(r)]; b != nil {
			q.abandon(b)
		}
	}
	q.wakeIf(len(refs) > 0)
}

// revoke releases the checks of the batches that have not started, without waiting for the
// running ones: those still count if no other checker was faster.
func (q *quota) revoke(refs []*coordinatorv1.BatchRef, now time.Time) {
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	for _, r := range refs {
		if b := q.batches[refOf(r)]; b != nil {
			q.takeBack(b, now)
		}
	}
}

// open returns the batches in progress, for the heartbeat, and the number of running
// checks. It drops results that have waited too long for an acknowledgement, and returns
// their number as lost.
func (q *quota) open(now time.Time) (refs []*coordinatorv1.BatchRef, running, lost int) {
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	for _, b := range q.batches {
		if len(b.sent) > 0 && now.Sub(b.sent[0][0].ended) > keepLate {
			lost += len(b.sent[0])
			q.sent -= len(b.sent[0])
			b.sent = b.sent[1:]
			q.settle(b)
		}
		if b.worked() {
			refs = append(refs, b.ref.proto())
		}
	}
	for _, other := range q.all.quotas {
		running += other.running
	}
	sortRefs(refs)
	return refs, running, lost
}

// leave releases the checks that have not started, and accepts no more batches.
func (q *quota) leave(now time.Time) {
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	q.leaving = true
	for _, b := range q.batches {
		q.returnPending(b, now)
	}
	q.wakeIf(true)
}

// force also releases the running checks. Their results will be dropped.
func (q *quota) force(now time.Time) {
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	q.forced = true
	for _, b := range q.batches {
		if b.running > 0 && !b.unwanted {
			b.release = true
			q.list(b, now, true)
		}
	}
	q.wakeIf(true)
}

// settled reports whether the stream can be closed: nothing is left to wait for.
func (q *quota) settled() bool {
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	return (q.running == 0 || q.forced) && len(q.fresh) == 0 && q.sent == 0
}

func sortRefs(refs []*coordinatorv1.BatchRef) {
	slices.SortFunc(refs, func(x, y *coordinatorv1.BatchRef) int {
		return cmp.Or(cmp.Compare(x.GetBatchId(), y.GetBatchId()), cmp.Compare(x.GetCheckoutId(), y.GetCheckoutId()))
	})
}

package checker

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

const (
	// healthyWait is how long a healthy result waits for company.
	healthyWait = 250 * time.Millisecond
	// keepLate is how long a result is worth sending again.
	keepLate = 2 * time.Minute
	// keepShares bounds the results that wait for an acknowledgement: with more of
	// them no credit is granted.
	keepShares = 4
)

// resume prepares for a new session, and names the batches to continue. What was sent
// and not acknowledged will be sent again.
func (a *account) resume(now time.Time) []*coordinatorv1.BatchRef {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	a.credit, a.leaving, a.forced = 0, false, false
	refs := []*coordinatorv1.BatchRef{}
	for _, b := range a.batches {
		again := slices.Concat(b.sent...)
		a.sent -= len(again)
		a.ready -= len(b.ready)
		b.sent = nil
		b.ready = slices.DeleteFunc(append(again, b.ready...), func(f finished) bool { return now.Sub(f.ended) > keepLate })
		a.ready += len(b.ready)
		if !b.worked() {
			// Not to be named gives the rest of it back.
			a.returns(b, -b.returning)
			b.release = false
		}
		if len(b.ready) > 0 {
			// Kept for its results, it would keep what was given back too, unless that
			// is said again.
			b.release = b.release || b.released && !b.revoked
			a.list(b, now, true)
		}
		a.settle(b)
		if b.worked() {
			refs = append(refs, b.ref.proto())
		}
	}
	sortRefs(refs)
	return refs
}

// connect counts a session in and disconnect counts it out; the shares of the others
// change with it.
func (a *account) connect() { a.setConnected(true) }

func (a *account) disconnect() { a.setConnected(false) }

func (a *account) setConnected(connected bool) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	if a.connected == connected {
		return
	}
	a.connected, a.credit = connected, 0
	if connected {
		a.ledger.connected++
	} else {
		a.ledger.connected--
	}
	for _, other := range a.ledger.accounts {
		other.wakeIf(other.connected)
	}
}

// due says whether there is something to send now, else how long to wait for it.
func (a *account) due(now time.Time) (flush bool, wait time.Duration) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	switch {
	case a.urgent, a.room() > 0:
		return true, 0
	case len(a.fresh) == 0:
		return false, math.MaxInt64
	case a.leaving:
		return true, 0
	}
	wait = healthyWait - now.Sub(a.since)
	return wait <= 0, wait
}

// room is the credit to grant; small change is kept until it is worth a message. The
// coordinator is never left without: what is kept back is an eighth of its share.
func (a *account) room() int {
	if a.leaving || a.sent >= keepShares*a.share() {
		return 0
	}
	if room := a.share() - a.out(); room >= a.flushAt() {
		return room
	}
	return 0
}

// outgoing moves what is ready to sent, and returns the messages that say so: results,
// then releases, then credit.
func (a *account) outgoing(now time.Time, maxResults int) (messages []*coordinatorv1.StreamAssignmentsRequest, released int) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	var releases []*coordinatorv1.StreamAssignmentsRequest
	for _, b := range a.fresh {
		b.listed = false
		messages = a.moveReady(b, messages, now, maxResults)
		if b.release && (b.running == 0 || a.forced || b.revoked) {
			b.release, b.released = false, true
			a.returns(b, -b.returning)
			b.unwanted = b.unwanted || b.running > 0 && (a.forced || !b.revoked)
			releases = append(releases, &coordinatorv1.StreamAssignmentsRequest{
				Message: &coordinatorv1.StreamAssignmentsRequest_Release{Release: &coordinatorv1.Release{Batch: b.ref.proto()}},
			})
		}
		a.settle(b)
	}
	messages = append(messages, releases...)
	clear(a.fresh)
	a.fresh, a.urgent, a.since = a.fresh[:0], false, time.Time{}
	if room := a.room(); room > 0 {
		a.credit += room
		messages = append(messages, &coordinatorv1.StreamAssignmentsRequest{
			Message: &coordinatorv1.StreamAssignmentsRequest_Credit{Credit: &coordinatorv1.Credit{Add: uint32(room)}},
		})
	}
	return messages, len(releases)
}

func (a *account) moveReady(b *batch, messages []*coordinatorv1.StreamAssignmentsRequest, now time.Time, maxResults int) []*coordinatorv1.StreamAssignmentsRequest {
	a.ready -= len(b.ready)
	a.sent += len(b.ready)
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

// ack takes the answer to the oldest unanswered message of a batch. gone says that the
// coordinator does not know the batch any more. It returns how many results were
// answered.
func (a *account) ack(r ref, gone bool) int {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	b := a.batches[r]
	if b == nil || len(b.sent) == 0 {
		return 0
	}
	n := len(b.sent[0])
	a.sent -= n
	b.sent[0] = nil
	b.sent = b.sent[1:]
	if gone {
		a.drop(b)
	}
	a.settle(b)
	a.wakeIf(a.leaving || a.room() > 0)
	return n
}

// forget abandons batches that are not ours any more. A result that is there already
// is sent nevertheless: it counts when nobody else was faster.
func (a *account) forget(refs []*coordinatorv1.BatchRef) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	for _, r := range refs {
		if b := a.batches[refOf(r)]; b != nil {
			a.abandon(b)
		}
	}
	a.wakeIf(len(refs) > 0)
}

// revoke gives back what of the batches has not begun, without waiting for what runs:
// that still counts while nobody else was faster.
func (a *account) revoke(refs []*coordinatorv1.BatchRef, now time.Time) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	for _, r := range refs {
		if b := a.batches[refOf(r)]; b != nil {
			a.takeBack(b, now)
		}
	}
}

// open names the batches that are being worked on, for the heartbeat, and says how
// many checks run. It also forgets results that nobody has acknowledged for too long,
// and says how many.
func (a *account) open(now time.Time) (refs []*coordinatorv1.BatchRef, running, lost int) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	for _, b := range a.batches {
		if len(b.sent) > 0 && now.Sub(b.sent[0][0].ended) > keepLate {
			lost += len(b.sent[0])
			a.sent -= len(b.sent[0])
			b.sent = b.sent[1:]
			a.settle(b)
		}
		if b.worked() {
			refs = append(refs, b.ref.proto())
		}
	}
	for _, other := range a.ledger.accounts {
		running += other.running
	}
	sortRefs(refs)
	return refs, running, lost
}

// leave gives back what has not begun, and takes nothing more.
func (a *account) leave(now time.Time) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	a.leaving = true
	for _, b := range a.batches {
		a.returnPending(b, now)
	}
	a.wakeIf(true)
}

// force gives back what runs, too. Its results will be thrown away.
func (a *account) force(now time.Time) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	a.forced = true
	for _, b := range a.batches {
		if b.running > 0 && !b.unwanted {
			b.release = true
			a.list(b, now, true)
		}
	}
	a.wakeIf(true)
}

// settled says that nothing is left to wait for before the stream is closed.
func (a *account) settled() bool {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	return (a.running == 0 || a.forced) && len(a.fresh) == 0 && a.sent == 0
}

func sortRefs(refs []*coordinatorv1.BatchRef) {
	slices.SortFunc(refs, func(x, y *coordinatorv1.BatchRef) int {
		return cmp.Or(cmp.Compare(x.GetBatchId(), y.GetBatchId()), cmp.Compare(x.GetCheckoutId(), y.GetCheckoutId()))
	})
}

package panel

import (
	"context"
	"sync"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/list"
)

// queue holds the waiting questions, at most a ballot and a second look per site, and the
// ballots under way. Every operation takes constant time, since in a mass outage tens of
// thousands wait.
type queue struct {
	mu      sync.Mutex
	waiting list.List[job]
	ballots map[ballotID]*job // waiting or under way
	wake    chan struct{}
}

type ballotID struct {
	site   check.SiteID
	ballot uint32
}

// job is one question.
type job struct {
	question engine.Question
	look     bool
	// The rest is guarded by queue.mu.
	abandoned bool
	cancel    context.CancelFunc // while it is under way
	place     list.Hook[job]     // in waiting
}

func (j *job) id() ballotID { return ballotID{j.question.Site, j.question.Ballot} }

func newQueue() queue {
	return queue{ballots: map[ballotID]*job{}, wake: make(chan struct{}, 1)}
}

func (q *queue) add(j *job) {
	q.mu.Lock()
	q.waiting.PushBack(&j.place, j)
	if !j.look {
		q.ballots[j.id()] = j
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next removes and returns the oldest question; nil when none waits.
func (q *queue) next() *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := q.waiting.Front()
	if j != nil {
		q.waiting.Remove(&j.place)
	}
	return j
}

// begin marks a ballot as under way; false when it was abandoned.
func (q *queue) begin(j *job, cancel context.CancelFunc) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	j.cancel = cancel
	return !j.abandoned
}

func (q *queue) end(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ballots[j.id()] == j {
		delete(q.ballots, j.id())
	}
}

// abandon stops a ballot that waits or is under way.
func (q *queue) abandon(id ballotID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := q.ballots[id]
	if j == nil {
		return
	}
	delete(q.ballots, id)
	j.abandoned = true
	q.waiting.Remove(&j.place)
	if j.cancel != nil {
		j.cancel()
	}
}

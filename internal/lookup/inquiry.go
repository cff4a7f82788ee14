package lookup

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// ipv6Delay is how long a lookup waits for IPv6 addresses once it has IPv4 ones.
	ipv6Delay = 150 * time.Millisecond
	// briefly is a time in which a server's silence tells nothing yet; then an answer within
	// lately proves that it lives.
	briefly = time.Second
	lately  = 30 * time.Second
	// rootKind is the type of the question about the root, whose answer only proves that a
	// server lives.
	rootKind = dnsmessage.TypeNS
)

// inquiry is one lookup that asks name servers, for A and AAAA at the same time. The
// lookup's own goroutine does everything but reading.
type inquiry struct {
	resolver *Resolver
	servers  []*server
	begun    time.Duration
	patience time.Duration
	ctx      context.Context

	// wake tells the lookup's goroutine of news, or that the timer has ended.
	wake  chan struct{}
	timer *time.Timer
	// stop ends the exchanges over TCP, and work waits for them; most inquiries have none.
	stop context.CancelFunc
	work sync.WaitGroup
	out  outbox

	// mu guards what readers write: the news of attempts and what the questions were told.
	mu           sync.Mutex
	v4, v6, root question
}

func newInquiry(r *Resolver) *inquiry {
	i := &inquiry{resolver: r, wake: make(chan struct{}, 1)}
	i.timer = time.AfterFunc(time.Hour, i.rouse)
	i.timer.Stop()
	i.v4.kind, i.v6.kind, i.root.kind = dnsmessage.TypeA, dnsmessage.TypeAAAA, rootKind
	for _, q := range []*question{&i.v4, &i.v6, &i.root} {
		q.inquiry = i
	}
	setName(&i.root.name, "")
	i.out.open()
	return i
}

// run asks until both questions are answered, or one is and the other does not matter, or
// ctx ends.
func (i *inquiry) run(ctx context.Context, host string) (answer, *Failure) {
	i.ctx, i.patience = ctx, firstPatience
	if deadline, ok := ctx.Deadline(); ok {
		// A short budget must have room for a second and a third attempt as well.
		i.patience = min(i.patience, max(time.Until(deadline)/8, leastPatience))
	}
	defer i.release()
	// IPv4 is asked for last, so that its answer often ends the waiting.
	i.v6.begin(host)
	i.v4.begin(host)
	i.askBoth()
	due, now := i.v4.due, i.begun
	i.timer.Reset(due - now)
	for {
		select {
		case <-i.wake:
		case <-ctx.Done():
			i.v4.giveUp()
			i.v6.giveUp()
			return i.merge()
		}
		now = i.resolver.clock()
		next, over := i.advance(now)
		if over {
			return i.merge()
		}
		if next != due || now >= due {
			due = next
			i.timer.Reset(due - now)
		}
	}
}

// askBoth sends the first attempts of both questions together.
func (i *inquiry) askBoth() {
	six, four := i.v6.schedule(i.begun), i.v4.schedule(i.begun)
	mixed := four.server.mixes(i.begun)
	err := six.write(mixed)
	if err == nil {
		err = four.writeLike(six)
	}
	if err == nil {
		err = four.server.send(&i.out, six, four)
	}
	if err != nil {
		i.tell(six, newsError, err)
		i.tell(four, newsError, err)
	}
}

// advance acts on all news. It returns when to look again, or that the inquiry is over: it
// does not wait long for AAAA once it has IPv4 addresses, since many servers never answer
// AAAA. It always waits for the answer about IPv4, because so many IPv6 paths are broken.
func (i *inquiry) advance(now time.Duration) (due time.Duration, over bool) {
	i.v4.advance(now)
	i.v6.advance(now)
	switch four, six := &i.v4, &i.v6; {
	case four.done && (six.done || four.failure != nil && four.failure.Reason == "nxdomain"):
		return 0, true // the name exists for no type, or everything is known
	case four.done && len(four.reading.addrs) > 0 && four.failure == nil:
		late := four.at + ipv6Delay
		return min(late, six.due), now >= late
	case four.done:
		return six.due, false
	case six.done:
		return four.due, false
	default:
		return min(four.due, six.due), false
	}
}

// merge combines both answers. One good answer is enough, whatever the other is.
func (i *inquiry) merge() (answer, *Failure) {
	four, six := &i.v4, &i.v6
	n4, n6 := four.found(), six.found()
	switch {
	case n4+n6 > 0:
		got := answer{addrs: make([]netip.Addr, 0, min(n4+n6, maxAnswers)), ttl: longestTTL * time.Second}
		for _, q := range []*question{four, six} {
			if n := min(q.found(), maxAnswers-len(got.addrs)); n > 0 {
				got.addrs = append(got.addrs, q.reading.addrs[:n]...)
				got.ttl = min(got.ttl, time.Duration(q.ttl)*time.Second)
			}
		}
		return got, nil
	case four.failure != nil:
		return answer{}, four.failure
	case six.failure != nil && six.failure.Reason != "nxdomain":
		return answer{}, six.failure
	}
	return answer{}, failed("nodata", "the name has no address")
}

// silence returns what it means that nobody answered: a server that answered something
// else lives, and then the silence is about this name.
func (i *inquiry) silence() *Failure {
	since := i.begun
	if i.resolver.clock()-i.begun < briefly {
		since -= lately
	}
	for _, s := range i.servers {
		if s.answeredSince(since) {
			return outOfTime()
		}
	}
	return unreachable(true)
}

// askRoot asks a server that has answered nothing since the lookup began for the root's
// name servers, which every server knows.
func (i *inquiry) askRoot(s *server, now time.Duration) {
	if !s.answeredSince(i.begun) && len(i.root.attempts) < maxAttempts {
		i.root.send(i.root.attempt(s, false, now), false)
	}
}

// tell leaves news of an attempt for the lookup's goroutine, and wakes it.
func (i *inquiry) tell(a *attempt, n news, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	a.over, a.news, a.err = true, n, err
	i.rouse()
}

// mistrust notes an answer in another mix of cases.
func (i *inquiry) mistrust(a *attempt) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !a.over {
		a.over, a.news = true, newsCase
		i.rouse()
	}
}

// newsOf returns the news of an attempt, once.
func (i *inquiry) newsOf(a *attempt) (news, dnsmessage.RCode, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := a.news
	a.news = noNews
	return n, a.code, a.err
}

// isOpen reports whether an answer to an attempt is expected.
func (i *inquiry) isOpen(a *attempt) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return !a.over
}

func (i *inquiry) rouse() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// background returns a context for work beside the lookup, which ends with it.
func (i *inquiry) background(patience time.Duration) (context.Context, context.CancelFunc) {
	if i.stop == nil {
		i.ctx, i.stop = context.WithCancel(i.ctx)
	}
	return context.WithTimeout(i.ctx, patience)
}

// release drops all attempts, waits for the work beside the lookup, and makes the inquiry
// ready for another one.
func (i *inquiry) release() {
	if i.stop != nil {
		i.stop()
		i.stop = nil
	}
	for _, q := range []*question{&i.v4, &i.v6, &i.root} {
		q.drop()
	}
	i.work.Wait()
	i.timer.Stop()
	select {
	case <-i.wake:
	default:
	}
	i.ctx, i.servers = nil, nil
}

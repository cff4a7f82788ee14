package lookup

import (
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// firstPatience is how long to wait for a server in the first and the second round over
	// all of them; each further round waits twice as long. leastPatience is the same for
	// lookups that have little time.
	firstPatience = 500 * time.Millisecond
	leastPatience = 20 * time.Millisecond
	maxRounds     = 6
	// maxPauses is how many rounds follow one in which no server could be reached: one that
	// is restarted refuses for a moment.
	maxPauses = 2
	// maxAttempts limits the packets of one question, whatever the answers ask for.
	maxAttempts = 24
	// lastWord is how long an attempt that was passed over may still contradict a failure
	// that another server reports.
	lastWord = 2 * time.Second
)

// question asks for one type of address until a server answers. The lookup's goroutine
// owns it, except for what the inquiry's lock guards.
type question struct {
	inquiry *inquiry
	kind    dnsmessage.Type
	// name is the name to ask for: the host, or the alias that was reached.
	name    dnsmessage.Name
	aliases int
	// ttl is the least of all answers on the way, in seconds.
	ttl uint32

	attempts []*attempt
	first    attempt
	// latest is the attempt for which the question waits until due.
	latest *attempt
	due    time.Duration
	// turn counts the attempts of the schedule: all servers, round by round.
	turn int
	// pausing is true when no server can be reached until due, and closing when worst is the
	// result unless an open attempt is answered until due.
	pausing, closing bool
	// worst is the failure that tells most about the name.
	worst *Failure

	// The result: found at this time, or a failure.
	done    bool
	at      time.Duration
	failure *Failure

	// The inquiry's lock guards these. told is true when the reading is an answer; then no
	// reader changes it any more. partial is true when it is the whole part of a truncated one.
	told    bool
	partial bool
	reading reading
}

// begin makes the question ready to ask for a host.
func (q *question) begin(host string) {
	q.aliases, q.ttl, q.done, q.failure = 0, longestTTL, false, nil
	q.renew()
	setName(&q.name, host)
}

// renew makes the question ready to ask for a name for the first time.
func (q *question) renew() {
	q.drop()
	q.turn, q.pausing, q.closing, q.worst = 0, false, false, nil
}

// drop ends all attempts: from now on no reader knows the question.
func (q *question) drop() {
	if len(q.attempts) == 0 {
		return
	}
	if q.disown() {
		for _, a := range q.attempts {
			if a.socket != nil {
				a.socket.drop(a)
			}
		}
	}
	clear(q.attempts)
	q.attempts, q.latest = q.attempts[:0], nil
}

// disown makes answers to all attempts count no more. It reports whether one of the sockets
// may still know its attempt.
func (q *question) disown() (known bool) {
	q.inquiry.mu.Lock()
	defer q.inquiry.mu.Unlock()
	for _, a := range q.attempts {
		a.dropped = true
		known = known || !a.heard
	}
	q.told, q.partial = false, false
	return known
}

// nameBytes is the length of the name in a packet.
func (q *question) nameBytes() int {
	if q.name.Length == 1 {
		return 1 // the root
	}
	return int(q.name.Length) + 1
}

// attempt makes a new attempt.
func (q *question) attempt(s *server, edns bool, now time.Duration) *attempt {
	a := &q.first
	if len(q.attempts) > 0 {
		a = new(attempt)
	}
	*a = attempt{question: q, server: s, manner: manner{edns: edns}, sent: now}
	q.attempts = append(q.attempts, a)
	return a
}

// schedule makes the next attempt of the schedule, with EDNS in every other round.
func (q *question) schedule(now time.Duration) *attempt {
	servers := q.inquiry.servers
	round, s := q.turn/len(servers), servers[q.turn%len(servers)]
	q.latest = q.attempt(s, round%2 == 0 && s.takesEDNS(now), now)
	q.turn++
	q.due = now + q.patience()
	return q.latest
}

// patience is how long the present round waits for a server.
func (q *question) patience() time.Duration {
	round := (q.turn - 1) / len(q.inquiry.servers)
	return q.inquiry.patience << max(0, round-1)
}

// send sends an attempt.
func (q *question) send(a *attempt, mixed bool) {
	err := a.write(mixed)
	if err == nil {
		err = a.server.send(&q.inquiry.out, a)
	}
	if err != nil {
		q.inquiry.tell(a, newsError, err)
	}
}

// advance acts on the news of all attempts, and on the end of the patience.
func (q *question) advance(now time.Duration) {
	for n := 0; n < len(q.attempts) && !q.done; n++ {
		q.react(q.attempts[n], now)
	}
	if !q.done && now >= q.due {
		q.expire(now)
	}
}

func (q *question) react(a *attempt, now time.Duration) {
	switch n, code, err := q.inquiry.newsOf(a); n {
	case noNews:
	case newsTold:
		q.noticeEDNS(a, now)
		q.finish(now)
	case newsCode:
		q.noticeEDNS(a, now)
		if a.edns && rejectsEDNS(code) {
			a.server.dislikesEDNS(now)
			q.again(a, now, manner{mixed: a.mixed})
			return
		}
		q.fail(a, ofCode(code), now)
	case newsCase:
		q.again(a, now, manner{edns: a.edns, lowered: true})
	case newsCut:
		q.wantWhole(a, now)
	case newsError:
		if a.tcp {
			q.settle(a, now)
			return
		}
		q.fail(a, ofError(err), now)
	}
}

// rejectsEDNS reports whether a code may mean that a server does not know EDNS.
func rejectsEDNS(code dnsmessage.RCode) bool {
	const badVersion = 16
	return code == dnsmessage.RCodeFormatError || code == dnsmessage.RCodeNotImplemented || code == badVersion
}

// noticeEDNS notices that a server answered without EDNS what it had not answered with it.
func (q *question) noticeEDNS(a *attempt, now time.Duration) {
	if a.edns {
		return
	}
	for _, b := range q.attempts {
		if b.edns && b.server == a.server && q.inquiry.isOpen(b) {
			a.server.ignoresEDNS(now)
			return
		}
	}
}

// expire goes on when the latest attempt was not answered in time.
func (q *question) expire(now time.Duration) {
	switch {
	case q.closing:
		q.end(q.worst, now)
		return
	case q.pausing:
		q.pausing = false
		q.proceed(now)
		return
	}
	q.latest.server.wasSilent(q.latest.sent, now)
	q.blame(outOfTime())
	q.next(now)
}

// fail notes what an attempt failed with, and goes on if it was the latest one.
func (q *question) fail(a *attempt, f *Failure, now time.Duration) {
	q.blame(f)
	switch {
	case f.Reason == "nxdomain":
		q.end(f, now)
	case a == q.latest && !q.closing:
		q.next(now)
	}
}

func (q *question) blame(f *Failure) {
	if q.worst == nil || f.weight() >= q.worst.weight() {
		q.worst = f
	}
}

// next asks the next server. After a round over all servers in which one of them failed,
// and did not only keep silent, nobody knows better.
func (q *question) next(now time.Duration) {
	round, first := q.turn/len(q.inquiry.servers), q.turn%len(q.inquiry.servers) == 0
	switch {
	case first && q.worst.Ours && round <= maxPauses:
		q.pausing, q.due = true, now+q.patience()
	case first && !q.worst.TimedOut:
		q.close(now)
	default:
		q.proceed(now)
	}
}

// proceed makes the next attempt of the schedule, or ends the question after the last.
func (q *question) proceed(now time.Duration) {
	if q.turn >= maxRounds*len(q.inquiry.servers) || len(q.attempts) >= maxAttempts {
		q.end(q.worst, now)
		return
	}
	again := q.turn >= len(q.inquiry.servers)
	a := q.schedule(now)
	q.send(a, a.server.mixes(now))
	if again {
		q.inquiry.askRoot(a.server, now)
	}
}

// close ends the question with its worst failure, after a last wait for attempts that are
// still open.
func (q *question) close(now time.Duration) {
	q.closing, q.due = true, now
	for _, a := range q.attempts {
		if q.inquiry.isOpen(a) {
			q.due = max(q.due, a.sent+lastWord)
		}
	}
	if q.due == now {
		q.end(q.worst, now)
	}
}

// again asks the same server once more, in another way.
func (q *question) again(a *attempt, now time.Duration, how manner) {
	if len(q.attempts) >= maxAttempts {
		return
	}
	b := q.attempt(a.server, how.edns, now)
	b.lowered = how.lowered
	q.supersede(a, b, now+q.patience())
	q.send(b, how.mixed)
}

// supersede makes an attempt the latest one in the place of another.
func (q *question) supersede(a, b *attempt, due time.Duration) {
	if a == q.latest && !q.closing {
		q.latest, q.due = b, due
	}
}

// settle makes do with the truncated answer after TCP has failed.
func (q *question) settle(a *attempt, now time.Duration) {
	q.inquiry.mu.Lock()
	enough := q.partial && !q.told && q.reading.records > 0
	if enough {
		q.told = true
	}
	q.inquiry.mu.Unlock()
	if enough {
		q.finish(now)
		return
	}
	q.fail(a, ofError(errCut), now)
}

// finish takes the answer, and asks for the alias if it is only that.
func (q *question) finish(now time.Duration) {
	q.ttl = min(q.ttl, q.reading.ttl)
	if q.reading.alias.Length == 0 {
		q.done, q.at = true, now
		return
	}
	if q.aliases++; q.aliases >= maxAliases || sameName(&q.reading.alias, &q.name) {
		q.end(failed("cname_loop", "the name's aliases do not end"), now)
		return
	}
	q.renew()
	q.name = q.reading.alias
	a := q.schedule(now)
	q.send(a, a.server.mixes(now))
}

// giveUp ends the question when the lookup's time is over.
func (q *question) giveUp() {
	if q.done {
		return
	}
	if q.worst == nil {
		q.worst = outOfTime()
	}
	q.end(q.worst, q.inquiry.resolver.clock())
}

// end ends the question with a failure.
func (q *question) end(f *Failure, now time.Duration) {
	if f.TimedOut {
		f = q.inquiry.silence()
	}
	q.done, q.at, q.failure = true, now, f
}

// found is the number of addresses found.
func (q *question) found() int {
	if !q.done || q.failure != nil {
		return 0
	}
	return len(q.reading.addrs)
}

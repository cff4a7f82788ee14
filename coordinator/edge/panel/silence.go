package panel

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/backoff"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/pause"
)

// A member that accepts questions and never answers, like a stopped process or a black hole,
// must not delay ballots. After it has left several questions, signs of life or trials in a
// row without an answer, the panel no longer asks it. Its vote is then UNKNOWN at once; it
// still counts as one of N. Trials in the background go on, and from its first answer the
// panel asks it again.
const (
	// maxStrikes is how many times in a row a member may fail to answer.
	maxStrikes = 3
	// doubtAfter is how long a question may take before the member must give a sign of
	// life, if it has answered nothing else since.
	doubtAfter = 2 * time.Second
	// signTimeout bounds the wait for a sign of life, which is a health check.
	signTimeout = 2 * time.Second
	// quiet is how long signs of life suffice without an answer: no question takes longer.
	quiet = check.VerifyTimeout + answerMargin
	// trialTarget is the timeout of a trial's target, trialTimeout that of the whole trial.
	trialTarget  = time.Second
	trialTimeout = 5 * time.Second
)

// looking are the pauses between two signs of life, or two trials.
func looking() backoff.Policy {
	return backoff.Policy{Base: 250 * time.Millisecond, Most: 3 * time.Second}
}

// silence records how well a member answers.
type silence struct {
	// silent is set while the panel does not ask the member.
	silent bool
	// listening ends when silent is set.
	listening context.Context
	stop      context.CancelFunc
	// doubted is set while the member must give a sign of life; doubtedSince is when the
	// first unanswered question began.
	doubted      bool
	doubtedSince time.Time
	// strikes counts the failures to answer in a row. since is when the first of them began,
	// why is its error, and struck is when the last one ended.
	strikes       int
	since, struck time.Time
	why           string
	heard         time.Time // when it last answered a question
	// target is the target of the question that raised the doubt; trials use it.
	target check.Target
}

func newSilence() silence {
	var s silence
	s.listening, s.stop = context.WithCancel(context.Background())
	return s
}

func (s *silence) reason() string {
	return fmt.Sprintf("not asked: has not answered since %s: %s", s.since.UTC().Format(time.RFC3339), s.why)
}

// listening returns a context that ends when the member is found to be silent; if it is
// silent already, listening returns why.
func (m *member) listening() (ctx context.Context, silent string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silence.silent {
		return nil, m.silence.reason()
	}
	return m.silence.listening, ""
}

// whySilent returns why the panel does not ask the member; empty when it does.
func (m *member) whySilent() string {
	_, silent := m.listening()
	return silent
}

// heard records that the member answered a question, whatever the answer was.
func (m *member) heard() {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &m.silence
	if s.silent {
		m.log.Info("veriflier answers again", "veriflier", m.Name, "after", time.Since(s.since).Round(time.Second))
		*s = newSilence()
	}
	s.heard = time.Now()
	s.strikes, s.doubted, s.doubtedSince = 0, false, time.Time{}
}

// unanswered counts a question, sign of life or trial that began then and got no answer. Of
// several that were open at the same time it counts only one, and none if the member has
// answered since.
func (m *member) unanswered(began time.Time, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &m.silence
	if s.silent || !began.After(s.heard) || !began.After(s.struck) {
		return
	}
	if s.strikes == 0 {
		s.since, s.why = began, why
	}
	s.strikes++
	s.struck = time.Now()
	if s.strikes >= maxStrikes {
		s.silent = true
		s.stop()
		m.turn(finding{state: Unreachable, detail: s.reason()})
		m.log.Warn("veriflier silent, no longer asked", "veriflier", m.Name, "since", s.since, "reason", s.why)
	}
}

// doubt makes watch ask for a sign of life, unless the member has answered since began.
func (m *member) doubt(began time.Time, t check.Target) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &m.silence
	if s.silent || !began.After(s.heard) {
		return
	}
	if s.doubtedSince.IsZero() {
		s.doubtedSince = began
	}
	s.doubted, s.target = true, t
	m.wake()
}

func (m *member) wake() {
	select {
	case m.doubts <- struct{}{}:
	default:
	}
}

// watch tests the member while it is doubted, until ctx ends.
func (m *member) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.doubts:
		}
		for looks := 1; m.doubted(); looks++ {
			m.see(ctx)
			if !pause.For(ctx, looking().Range(looks)) {
				return
			}
		}
	}
}

func (m *member) doubted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.silence.doubted
}

// see asks for a sign of life. A process whose checks hang gives one too, so a member that
// is silent, or has answered nothing for long, must also pass a trial.
func (m *member) see(ctx context.Context) {
	m.mu.Lock()
	silent, long := m.silence.silent, time.Since(m.silence.doubtedSince) > quiet
	m.mu.Unlock()
	if !silent && !m.lives(ctx) {
		return
	}
	if silent || long {
		m.try(ctx)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silence.doubted = m.silence.silent
}

// lives reports whether the member gives a sign of life.
func (m *member) lives(ctx context.Context) bool {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, signTimeout)
	defer cancel()
	_, err := m.health.Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
	switch status.Code(err) {
	case codes.Canceled:
		return false
	case codes.DeadlineExceeded, codes.Unavailable:
		m.unanswered(began, explain(err))
		return false
	}
	return true
}

// try asks a question whose answer does not count as a vote.
func (m *member) try(ctx context.Context) {
	m.mu.Lock()
	t := m.silence.target
	m.mu.Unlock()
	t.Timeout = trialTarget
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	id := fmt.Sprintf("%s-trial-%d", m.instance, began.UnixNano())
	resp, err := m.client.Verify(ctx, &veriflierv1.VerifyRequest{RequestId: id, Target: checkpb.TargetToProto(t)}, grpc.WaitForReady(true))
	switch status.Code(err) {
	case codes.OK:
		m.heard()
		_, found := m.take(id, resp)
		m.find(found)
	case codes.Canceled:
	case codes.DeadlineExceeded, codes.Unavailable:
		m.unanswered(began, explain(err))
	default:
		m.heard()
		m.find(finding{state: Unreachable, detail: explain(err)})
	}
}

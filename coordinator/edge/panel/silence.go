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
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
)

// A member that takes questions and never answers, as a stopped process or a black hole
// does, must cost the ballots nothing: when it has let several questions, signs of life
// or trials pass, and has not answered anything meanwhile, it is not asked. Its vote is
// then UNKNOWN at once; it is still one of N. It is put to trial in the background, and
// is asked again from its first answer on.
const (
	// patience is how many times in a row a member may fail to answer.
	patience = 3
	// doubtAfter is how long a question may take before a sign of life is wanted, when
	// nothing else was heard of the member since.
	doubtAfter = 2 * time.Second
	// signTimeout bounds the wait for a sign of life, which is a health check.
	signTimeout = 2 * time.Second
	// quiet is how long signs of life are enough: a question takes no longer.
	quiet = check.VerifyTimeout + answerMargin
	// trialTarget is how long a trial may check, trialTimeout what that may take in all.
	trialTarget  = time.Second
	trialTimeout = 5 * time.Second
	// Pauses between two signs of life, or two trials.
	minPause = 250 * time.Millisecond
	maxPause = 3 * time.Second
)

// silence is what is known of a member's answering.
type silence struct {
	// deaf says that it is not asked.
	deaf bool
	// listening ends when that begins.
	listening context.Context
	stop      context.CancelFunc
	// doubted says that a sign of life is wanted, doubtedSince since when, at first,
	// nothing was heard.
	doubted      bool
	doubtedSince time.Time
	strikes      int // how often in a row it did not answer
	// since is when the first of them began, why what came of it, struck when the last ended.
	since, struck time.Time
	why           string
	heard         time.Time // when it last answered a question
	// target is what it was doubted for, for its trial.
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

// listening returns a context that ends when the member is found to be silent, or why
// it is not asked.
func (m *member) listening() (ctx context.Context, silent string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silence.deaf {
		return nil, m.silence.reason()
	}
	return m.silence.listening, ""
}

// whySilent is empty when the member is asked.
func (m *member) whySilent() string {
	_, silent := m.listening()
	return silent
}

// heard notes that the member answered a question, whatever it said.
func (m *member) heard() {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &m.silence
	if s.deaf {
		m.log.Info("a veriflier answers again", "veriflier", m.Name, "after", time.Since(s.since).Round(time.Second))
		*s = newSilence()
	}
	s.heard = time.Now()
	s.strikes, s.doubted, s.doubtedSince = 0, false, time.Time{}
}

// unanswered notes that a question, sign or trial of began was not answered. Of those
// that were open at the same time only one counts, and none when anything was heard since.
func (m *member) unanswered(began time.Time, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &m.silence
	if s.deaf || !began.After(s.heard) || !began.After(s.struck) {
		return
	}
	if s.strikes == 0 {
		s.since, s.why = began, why
	}
	s.strikes++
	s.struck = time.Now()
	if s.strikes >= patience {
		s.deaf = true
		s.stop()
		m.st.State, m.st.Detail = Unreachable, s.reason()
		m.log.Warn("a veriflier does not answer, it is not asked", "veriflier", m.Name, "since", s.since, "why", s.why)
	}
}

// doubt wants a sign of life, unless something was heard since began.
func (m *member) doubt(began time.Time, t check.Target) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &m.silence
	if s.deaf || !began.After(s.heard) {
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
	case m.worry <- struct{}{}:
	default:
	}
}

// watch looks after the member whenever it is in doubt, until ctx ends.
func (m *member) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.worry:
		}
		for pause := minPause; m.inDoubt(); pause = min(2*pause, maxPause) {
			m.see(ctx)
			if !sleep(ctx, pause) {
				return
			}
		}
	}
}

func (m *member) inDoubt() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.silence.doubted
}

// see asks for a sign of life. A process whose checks hang gives one as well, so that a
// member that is silent, or was quiet for long, is put to trial.
func (m *member) see(ctx context.Context) {
	m.mu.Lock()
	deaf, long := m.silence.deaf, time.Since(m.silence.doubtedSince) > quiet
	m.mu.Unlock()
	if !deaf && !m.lives(ctx) {
		return
	}
	if deaf || long {
		m.try(ctx)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silence.doubted = m.silence.deaf
}

// lives says whether the member gives a sign of life.
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

// try asks a question whose answer is no vote.
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
		_, state, detail := m.take(id, resp)
		m.find(state, detail)
	case codes.Canceled:
	case codes.DeadlineExceeded, codes.Unavailable:
		m.unanswered(began, explain(err))
	default:
		m.heard()
		m.find(Unreachable, explain(err))
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

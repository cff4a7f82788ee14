package panel

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/pause"
	"github.com/Automattic/jetmon/internal/rpc"
)

// A member is greeted at the start and each minute, so that one that is dead, wants another
// token or has another name is known before the first outage. A greeting is a question about
// an address that no veriflier ever dials: the answer has its name and its self-check, and
// nothing was probed. It is no sign that checks work: silence and trials do not count it.
const (
	nowhere = "http://0.0.0.0/"
	// greetAgain is the time between two greetings of a member that is not well.
	greetAgain = 10 * time.Second
	// greetTimeout bounds a greeting.
	greetTimeout = 5 * time.Second
)

// greetings greets the member until ctx ends.
func (m *member) greetings(ctx context.Context, every time.Duration) {
	for {
		m.greet(ctx)
		wait := every
		if m.status().State != OK {
			wait = min(every, greetAgain)
		}
		if !pause.Or(ctx, wait, m.greetNow) {
			return
		}
	}
}

// wakeGreeting makes the next greeting be now.
func (m *member) wakeGreeting() {
	select {
	case m.greetNow <- struct{}{}:
	default:
	}
}

// greet greets once and notes the state. A member that is silent is left to its trials.
func (m *member) greet(ctx context.Context) {
	if m.whySilent() != "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	id := fmt.Sprintf("%s-greeting-%d", m.instance, time.Now().UnixNano())
	resp, err := m.client.Verify(ctx, &veriflierv1.VerifyRequest{RequestId: id, Target: &checkv1.Target{Url: nowhere}})
	found := finding{state: Unreachable}
	switch status.Code(err) {
	case codes.OK:
		_, found = m.take(id, resp)
	case codes.Canceled:
		return
	default:
		found.detail = explain(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.silence.silent {
		m.turn(found)
	}
}

// Greet greets each member once over a connection of its own, all at the same time, and
// returns their states. It needs no Panel: it serves people who want to know whether a
// configuration works.
func Greet(ctx context.Context, members []Member, o rpc.ClientOptions) []MemberStatus {
	out := make([]MemberStatus, len(members))
	var wg sync.WaitGroup
	for i, one := range members {
		wg.Go(func() { out[i] = greetOnce(ctx, one, o) })
	}
	wg.Wait()
	return out
}

func greetOnce(ctx context.Context, one Member, o rpc.ClientOptions) MemberStatus {
	m := newMember(one, Options{Client: o, Instance: "greeting", MaxPerMember: 1})
	defer m.silence.stop()
	client := o
	client.Identity = m.identity
	conn, err := rpc.Dial(one.Address, client)
	if err != nil {
		return MemberStatus{Member: one, State: Unreachable, Detail: err.Error()}
	}
	defer conn.Close()
	m.hangOn(conn)
	m.greet(ctx)
	st := m.status()
	if st.State == Untried {
		st.State, st.Detail = Unreachable, cmp.Or(st.Detail, "the question was cut off")
	}
	return st
}

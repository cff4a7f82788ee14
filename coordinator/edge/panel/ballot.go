package panel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
)

// hold holds one ballot, asking all members at once. It returns false when the ballot was
// abandoned or the panel ends.
func (p *Panel) hold(ctx context.Context, q engine.Question) (engine.Answer, bool) {
	l := p.lineup.Load()
	ballot := quorum.Open(l.rule, l.roster)
	answer := engine.Answer{Question: q, Rule: l.rule, Opened: time.Now()}
	votes := make(chan vote, len(l.members)) // room for all: no sender blocks after we return
	id := fmt.Sprintf("%s-%d-%d", p.o.Instance, q.Site, q.Ballot)
	asking, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	for i, m := range l.members {
		wg.Go(func() { votes <- vote{i, m.ask(asking, id, q.Target)} })
	}
	got := make([]*record.Vote, len(l.members))
	var late <-chan time.Time // fires when a decided ballot waits no longer
	for n := 0; n < len(l.members); n++ {
		select {
		case v := <-votes:
			got[v.member] = &v.Vote
			// Cast cannot fail, since the roster consists of the members.
			if err := ballot.Cast(v.Veriflier, v.Value); err != nil {
				p.o.Log.Error("vote refused", "veriflier", v.Veriflier, "error", err)
			}
			if answer.Verdict = ballot.Verdict(); answer.Verdict != quorum.Pending && late == nil {
				answer.Decided = time.Now()
				straggle := time.NewTimer(p.o.Straggle)
				defer straggle.Stop()
				late = straggle.C
			}
			continue
		case <-late:
			l.doubt(got, q, answer.Opened)
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return engine.Answer{}, false
			}
		}
		break
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return engine.Answer{}, false // the votes were cut off by the end of this process
	}
	if answer.Decided.IsZero() {
		answer.Verdict, answer.Decided = ballot.Close(), time.Now()
	}
	answer.Votes = l.complete(got)
	l.learn(answer)
	return answer, true
}

// doubt starts the watch of the members that kept waiting a ballot opened at that time.
func (l *lineup) doubt(got []*record.Vote, q engine.Question, opened time.Time) {
	for i, m := range l.members {
		if got[i] == nil {
			m.doubt(opened, q.Target)
		}
	}
}

// complete adds an UNKNOWN vote for each member that has not voted.
func (l *lineup) complete(got []*record.Vote) []record.Vote {
	out := make([]record.Vote, len(l.members))
	for i, m := range l.members {
		if got[i] == nil {
			got[i] = m.unknown("had not answered when the ballot ended")
		}
		out[i] = *got[i]
	}
	return out
}

type vote struct {
	member int
	record.Vote
}

// look asks the members in turn for a second look until one can tell.
func (p *Panel) look(ctx context.Context, q engine.Question) {
	ctx, cancel := context.WithTimeout(ctx, q.Target.Timeout+2*answerMargin)
	defer cancel()
	ctx, traced := p.traceLook(ctx, q)
	defer traced()
	members := p.lineup.Load().members
	first := int(uint64(q.Site) % uint64(len(members))) // spreads the load
	for i := range members {
		m := members[(first+i)%len(members)]
		id := fmt.Sprintf("%s-%d-look-%d", p.o.Instance, q.Site, time.Now().UnixNano())
		v := m.ask(ctx, id, q.Target)
		if ctx.Err() != nil {
			return
		}
		if v.Value != quorum.Unknown {
			p.to.Looked(engine.Look{Question: q, Veriflier: m.Name, At: v.At, Observation: v.Observation})
			return
		}
	}
}

package panel

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// Members returns the members and the rule of the present; none before Run, and after it.
func (p *Panel) Members() ([]Member, quorum.Rule) {
	p.life.Lock()
	defer p.life.Unlock()
	l := p.lineup.Load()
	if p.running == nil {
		return nil, l.rule
	}
	all := make([]Member, len(l.members))
	for i, m := range l.members {
		all[i] = m.Member
	}
	return all, l.rule
}

// Peek asks all members at once about a target that need be no site, hands each vote to voted as it
// comes, one at a time, and returns what they mean together. It waits for the last vote: people want
// to see them all. No ballot is counted, and nobody else learns of it. Run must be running.
func (p *Panel) Peek(ctx context.Context, id string, t check.Target, voted func(record.Vote)) record.Ballot {
	l := p.lineup.Load()
	ctx, cancel := context.WithTimeout(ctx, t.Timeout+answerMargin)
	defer cancel()
	b := record.Ballot{Round: 1, Rule: l.rule, Opened: time.Now()}
	count := quorum.Open(l.rule, l.roster)
	votes := make(chan record.Vote)
	for _, m := range l.members {
		go func() { votes <- m.ask(ctx, id, t) }()
	}
	for range l.members {
		v := <-votes
		b.Votes = append(b.Votes, v)
		// Cast cannot fail, since the roster consists of the members.
		_ = count.Cast(v.Veriflier, v.Value)
		if b.Verdict = count.Verdict(); b.Verdict != quorum.Pending && b.Decided.IsZero() {
			b.Decided = time.Now()
		}
		voted(v)
	}
	if b.Decided.IsZero() {
		b.Verdict, b.Decided = count.Close(), time.Now()
	}
	return b
}

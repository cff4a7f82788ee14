package panel

import (
	"cmp"
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// consultMargin is the time that a consultation gets on top of the target's timeout: the
// margin of a member, and a second to connect.
const consultMargin = answerMargin + time.Second

// Consult asks the members once, all at the same time, and decides by the rule that a
// coordinator with these members would have. A member without a name takes the one in its
// answer. A member that does not answer votes UNKNOWN; an error means that the members
// make no valid panel.
//
// Consult keeps nothing and needs no Panel: it serves people who want to know what the
// verifliers see at this moment.
func Consult(ctx context.Context, members []Member, o rpc.ClientOptions, t check.Target) (*record.Ballot, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout+consultMargin)
	defer cancel()
	b := &record.Ballot{Round: 1, Opened: time.Now(), Votes: make([]record.Vote, len(members))}
	var asking sync.WaitGroup
	for i, m := range members {
		asking.Go(func() { b.Votes[i] = m.consult(ctx, o, t) })
	}
	asking.Wait()
	b.Decided = time.Now()
	opinions := engine.Opinions(b.Votes)
	roster := make([]quorum.Voter, len(opinions))
	for i, o := range opinions {
		roster[i] = o.Voter
	}
	var err error
	if b.Rule, err = quorum.NewRule(roster, 0); err != nil {
		return nil, fault.New(fault.Invalid, "%w", err)
	}
	b.Verdict = quorum.Judge(b.Rule, opinions)
	return b, nil
}

// consult asks one member over a connection of its own.
func (m Member) consult(ctx context.Context, o rpc.ClientOptions, t check.Target) record.Vote {
	silent := func(why string) record.Vote {
		m.Name = cmp.Or(m.Name, m.Address)
		return *m.unknown(why)
	}
	o.Token = cmp.Or(m.Token, o.Token)
	conn, err := rpc.Dial(m.Address, o)
	if err != nil {
		return silent(err.Error())
	}
	defer conn.Close()
	id := "consult-" + rand.Text()
	resp, err := veriflierv1.NewVeriflierServiceClient(conn).Verify(ctx, &veriflierv1.VerifyRequest{
		RequestId: id, Target: checkpb.TargetToProto(t),
	})
	if err != nil {
		return silent(explain(err))
	}
	if m.Name == "" {
		m.Name, m.Region = cmp.Or(resp.GetVeriflier(), m.Address), resp.GetRegion()
	}
	return m.judge(id, resp)
}

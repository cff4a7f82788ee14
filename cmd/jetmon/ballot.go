package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/coordinator/panel"
	"github.com/Automattic/jetmon/coordinator/quorum"
	"github.com/Automattic/jetmon/coordinator/store"
	monitorv1 "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	veriflierv1 "github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/rpc"
)

// ballot asks all of them at once and decides by the rule that a coordinator would have.
func (f viaFlags) ballot(ctx context.Context, t check.Target) (*monitorv1.Ballot, error) {
	members, err := f.witnesses()
	if err != nil {
		return nil, err
	}
	dial, err := f.VeriflierDial.options("veriflier")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout+viaMargin)
	defer cancel()
	opened := time.Now()
	votes := make([]store.Vote, len(members))
	answers := make([]*veriflierv1.VerifyResponse, len(members))
	var asking sync.WaitGroup
	for i, m := range members {
		asking.Go(func() { votes[i], answers[i] = consult(ctx, m, dial, t) })
	}
	asking.Wait()
	var roster []quorum.Voter
	var opinions []quorum.Opinion
	for _, v := range votes {
		roster = append(roster, quorum.Voter{Name: v.Veriflier, Region: v.Region})
		opinions = append(opinions, quorum.Opinion{Voter: roster[len(roster)-1], Value: v.Value})
	}
	rule, err := quorum.NewRule(roster, 0)
	if err != nil {
		return nil, usagef("--via: %w", err)
	}
	b := &monitorv1.Ballot{
		Verdict: monitorv1.Verdict(quorum.Judge(rule, opinions)), Round: 1,
		Rule:     &monitorv1.QuorumRule{Verifliers: uint32(rule.Voters), Need: uint32(rule.Need), Regions: uint32(rule.Regions)},
		OpenTime: timestamppb.New(opened), DecideTime: timestamppb.Now(),
	}
	for i, v := range votes {
		b.Votes = append(b.Votes, &monitorv1.Vote{
			Veriflier: v.Veriflier, Region: v.Region, Value: monitorv1.VoteValue(v.Value), UnknownReason: v.UnknownReason,
			Observation: answers[i].GetObservation(), SelfCheck: answers[i].GetSelfCheck(), VoteTime: timestamppb.New(v.At),
		})
	}
	return b, nil
}

// consult asks one veriflier and says what its answer counts as.
func consult(ctx context.Context, m panel.Member, o rpc.ClientOptions, t check.Target) (store.Vote, *veriflierv1.VerifyResponse) {
	silent := func(why string) store.Vote {
		name := m.Name
		if name == "" {
			name = m.Address
		}
		return store.Vote{Veriflier: name, Region: m.Region, Value: quorum.Unknown, UnknownReason: why, At: time.Now()}
	}
	conn, err := rpc.Dial(m.Address, o)
	if err != nil {
		return silent(err.Error()), nil
	}
	defer conn.Close()
	id := "probe-" + rand.Text()
	resp, err := veriflierv1.NewVeriflierServiceClient(conn).Verify(ctx, &veriflierv1.VerifyRequest{RequestId: id, Target: checkpb.TargetToProto(t)})
	if err != nil {
		return silent(fmt.Sprintf("%s: %s", status.Code(err), status.Convert(err).Message())), nil
	}
	if m.Name == "" {
		m.Name, m.Region = resp.GetVeriflier(), resp.GetRegion()
	}
	return m.Judge(id, resp), resp
}

// showBallot prints what the verifliers say; the exit code is that of a probe.
func showBallot(p *program, url string, b *monitorv1.Ballot, asJSON bool) error {
	var err error
	if asJSON {
		err = writeJSON(p.Out, b)
	} else {
		err = writePage(p.Out, func(out *page) {
			out.line("%s", url)
			out.ballot("Verdict", b)
		})
	}
	if err != nil {
		return err
	}
	switch b.GetVerdict() {
	case monitorv1.Verdict_VERDICT_REJECTED:
		return nil
	case monitorv1.Verdict_VERDICT_CONFIRMED:
		return exitDown
	}
	return exitUnknown
}

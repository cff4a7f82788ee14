package api

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/edge/explain"
	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/fault"
)

// maxHistory bounds how far back an explanation looks, in ballots and in outages.
const maxHistory = 1000

func (s *sites) ExplainSite(ctx context.Context, req *monitorv1.ExplainSiteRequest) (*monitorv1.ExplainSiteResponse, error) {
	row, err := s.o.Store.Site(ctx, check.SiteID(req.GetSiteId()))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if req.GetAt() != nil {
		at := req.GetAt().AsTime()
		if err := req.GetAt().CheckValid(); err != nil || at.After(now) {
			return nil, fault.InvalidField("at", "must be a time that is not in the future")
		}
		x := &monitorv1.Explanation{Site: s.o.live(ctx, []record.Site{row})[0], Rule: ruleToProto(s.o.Panel.Rule())}
		return &monitorv1.ExplainSiteResponse{Explanation: x}, s.explainPast(ctx, x, row.ID, at)
	}
	if owner, ok := s.o.elsewhere(ctx).of(row.Bucket); ok && !row.Paused {
		return s.explainThere(ctx, owner, req)
	}
	site := s.o.describe(row)
	s.o.markMaintenance(ctx, []*monitorv1.Site{site})
	x := &monitorv1.Explanation{Site: site, ExplainTime: timestamp(now), Rule: ruleToProto(s.o.Panel.Rule())}
	return &monitorv1.ExplainSiteResponse{Explanation: x}, s.explainNow(ctx, x, row, now)
}

// explainThere asks the owner of a site to explain it: no other coordinator knows why.
func (s *sites) explainThere(ctx context.Context, owner peers.Peer, req *monitorv1.ExplainSiteRequest) (resp *monitorv1.ExplainSiteResponse, err error) {
	ctx, cancel := within(ctx, maxHand)
	defer cancel()
	err = s.o.Peers.Ask(ctx, owner, func(ctx context.Context, conn grpc.ClientConnInterface) (err error) {
		resp, err = monitorv1.NewSiteServiceClient(conn).ExplainSite(ctx, req)
		return err
	})
	if peers.Unanswered(err) {
		return nil, fault.New(fault.Unavailable, "coordinator %s, which watches the site, cannot be asked: %s", owner.Node, fault.Status(err).Message())
	}
	return resp, err
}

func (s *sites) explainNow(ctx context.Context, x *monitorv1.Explanation, row record.Site, now time.Time) error {
	v, watched := s.o.Engine.View(now, row.ID)
	if !watched {
		x.Summary = "No coordinator that could be asked watches it at this moment."
		if row.Paused {
			x.Summary = "Paused: it is not checked."
		}
		return s.explainOutage(ctx, x, row.OutageID)
	}
	f := explain.Facts{Now: now, View: v, Policy: s.o.Policy(), Rule: s.o.Panel.Rule()}
	x.Summary, x.Withheld, x.WouldChange = f.Summary(), f.Withheld(), f.WouldChange()
	if m := x.GetSite(); m.GetMaintenanceId() != 0 {
		x.Summary += fmt.Sprintf(" In maintenance %d until %s: nobody is told of a failure before that.", m.GetMaintenanceId(),
			m.GetMaintenanceEndTime().AsTime().Format(time.RFC3339))
	}
	x.Checks = checksToProto(lastChecks(v))
	if err := s.explainOutage(ctx, x, v.OutageID); err != nil {
		return err
	}
	ballot := v.Ballot
	if ballot == nil {
		kept, err := s.o.Store.ListBallots(ctx, row.ID, 1)
		if err != nil {
			return err
		}
		if len(kept) == 1 {
			ballot = &kept[0]
		}
	}
	x.Ballot = BallotToProto(ballot)
	return nil
}

// explainOutage adds the open outage, if there is one that exists for the caller: it stays
// with the blog that the site had when it went down.
func (s *sites) explainOutage(ctx context.Context, x *monitorv1.Explanation, id int64) error {
	if id == 0 {
		return nil
	}
	o, err := s.o.Store.Outage(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil
	case err != nil:
		return err
	}
	x.Outage = outageToProto(o)
	if text := explain.Suspended(o); text != "" {
		x.Summary += " " + text
	}
	return nil
}

// lastChecks returns the checks on which the present state rests.
func lastChecks(v engine.View) []record.LocalCheck {
	if len(v.Checks) > 0 || v.Last == nil {
		return v.Checks
	}
	return []record.LocalCheck{{Node: v.LastNode, At: v.LastCheck, Observation: *v.Last}}
}

// explainPast explains a site at an earlier time, from its stored history.
func (s *sites) explainPast(ctx context.Context, x *monitorv1.Explanation, id check.SiteID, at time.Time) error {
	x.ExplainTime = timestamp(at)
	ballots, err := s.o.Store.ListBallots(ctx, id, maxHistory)
	if err != nil {
		return err
	}
	var ballot *record.Ballot
	for i := range ballots { // the newest first
		if !ballots[i].Decided.After(at) {
			ballot = &ballots[i]
			break
		}
	}
	outage, err := s.outageAt(ctx, id, at)
	if err != nil {
		return err
	}
	x.Summary = explain.Past(at, ballot, outage)
	x.Ballot = BallotToProto(ballot)
	if ballot != nil {
		x.Checks, x.Rule = checksToProto(ballot.Checks), ruleToProto(ballot.Rule)
		if ballot.Verdict != quorum.Confirmed && (outage == nil || outage.End.Before(ballot.Decided)) {
			x.Withheld = "a possible outage: the verifliers did not confirm it (" + ballot.Verdict.String() + ")"
		}
	}
	if outage != nil {
		x.Outage = outageToProto(*outage)
	}
	return nil
}

// outageAt returns the newest outage confirmed by then; nil when there is none.
func (s *sites) outageAt(ctx context.Context, id check.SiteID, at time.Time) (*record.Outage, error) {
	rows, err := s.o.Store.ListOutages(ctx, store.OutageQuery{SiteID: id, Limit: maxHistory})
	if err != nil {
		return nil, err
	}
	for _, row := range rows { // the newest first
		if !row.Confirmed.After(at) {
			o, err := s.o.Store.Outage(ctx, row.ID)
			return &o, err
		}
	}
	return nil, nil
}

func (s *outages) ReplayOutage(ctx context.Context, req *monitorv1.ReplayOutageRequest) (*monitorv1.ReplayOutageResponse, error) {
	row, err := s.o.Store.Outage(ctx, req.GetOutageId())
	if err != nil {
		return nil, err
	}
	if row.Ballot == nil {
		return nil, fault.New(fault.Fenced, "outage %d was opened without a ballot", row.ID)
	}
	b := *row.Ballot
	other := b.Rule
	if req.GetNeed() > 0 {
		other.Need = int(req.GetNeed())
	}
	if req.GetRegions() > 0 {
		other.Regions = int(req.GetRegions())
	}
	if other.Need > other.Voters {
		return nil, fault.InvalidField("need", "must be at most %d, the number of verifliers", other.Voters)
	}
	votes := engine.Opinions(b.Votes)
	return &monitorv1.ReplayOutageResponse{
		Ballot:          BallotToProto(&b),
		ReplayedVerdict: monitorv1.Verdict(quorum.Judge(b.Rule, votes)),
		OtherRule:       ruleToProto(other),
		OtherVerdict:    monitorv1.Verdict(quorum.Judge(other, votes)),
	}, nil
}

// BallotToProto converts a ballot to its form in the API; nil stays nil.
func BallotToProto(b *record.Ballot) *monitorv1.Ballot {
	if b == nil {
		return nil
	}
	out := &monitorv1.Ballot{
		BallotId: b.ID, Verdict: monitorv1.Verdict(b.Verdict), Rule: ruleToProto(b.Rule), Round: uint32(b.Round),
		OpenTime: timestamp(b.Opened), DecideTime: timestamp(b.Decided), OutageId: b.OutageID, Checks: checksToProto(b.Checks),
	}
	for _, v := range b.Votes {
		out.Votes = append(out.Votes, voteToProto(v))
	}
	return out
}

func checksToProto(checks []record.LocalCheck) []*monitorv1.LocalCheck {
	var out []*monitorv1.LocalCheck
	for _, c := range checks {
		out = append(out, &monitorv1.LocalCheck{
			Checker: c.Node, Region: c.Region, EndTime: timestamp(c.At), Observation: checkpb.ObservationToProto(c.Observation),
		})
	}
	return out
}

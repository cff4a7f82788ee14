package api

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check/checkpb"
)

// outages is the OutageService.
type outages struct {
	monitorv1.UnimplementedOutageServiceServer
	o Options
	// searching bounds the reads that look for what no index leads to.
	searching chan struct{}
}

func newOutages(o Options) *outages {
	return &outages{o: o, searching: make(chan struct{}, outageSearches)}
}

// markToken returns the page token for the outages after a mark.
func markToken(m record.OutageMark) string { return newMarkToken(m.Confirmed, m.ID) }

func parseMark(t string) (record.OutageMark, error) {
	if t == "" {
		return record.OutageMark{}, nil
	}
	confirmed, id, err := parseMarkToken(t)
	return record.OutageMark{Confirmed: confirmed, ID: id}, err
}

func (s *outages) GetOutage(ctx context.Context, req *monitorv1.GetOutageRequest) (*monitorv1.GetOutageResponse, error) {
	row, err := s.o.Store.Outage(ctx, req.GetOutageId())
	if err != nil {
		return nil, err
	}
	return &monitorv1.GetOutageResponse{Outage: outageToProto(row)}, nil
}

func outageToProto(row record.Outage) *monitorv1.Outage {
	o := &monitorv1.Outage{
		OutageId: row.ID, SiteId: int64(row.SiteID), BlogId: int64(row.BlogID), Url: row.URL,
		StartTime: timestamp(row.Start), ConfirmTime: timestamp(row.Confirmed), EndTime: timestamp(row.End), EndReason: monitorv1.EndReason(row.EndReason),
		StatusId: int32(row.Status), Failure: checkv1.FailureKind(row.Failure), Reason: row.Reason,
		HttpStatus: int32(row.HTTPStatus), Rule: ruleToProto(row.Rule), Round: uint32(row.Round), Relapses: uint32(row.Relapses),
		SuspendTime: timestamp(row.Suspended), Regions: row.Regions,
	}
	if row.PausedFor > 0 {
		o.PausedDuration = durationpb.New(row.PausedFor)
	}
	if o.MaintenanceId = row.MaintenanceID; len(row.Maintenance) > 0 {
		var sum time.Duration
		for _, s := range row.Maintenance {
			sum += s.End.Sub(s.Start)
		}
		o.MaintenanceDuration = durationpb.New(sum)
	}
	if row.Ballot != nil {
		for _, v := range row.Ballot.Votes {
			o.Votes = append(o.Votes, voteToProto(v))
		}
	}
	o.Checks = checksToProto(row.Checks)
	return o
}

func ruleToProto(r quorum.Rule) *monitorv1.QuorumRule {
	return &monitorv1.QuorumRule{Verifliers: uint32(r.Voters), Need: uint32(r.Need), Regions: uint32(r.Regions)}
}

func voteToProto(v record.Vote) *monitorv1.Vote {
	out := &monitorv1.Vote{
		Veriflier: v.Veriflier, Region: v.Region, Value: monitorv1.VoteValue(v.Value),
		UnknownReason: v.UnknownReason, VoteTime: timestamp(v.At),
		SecondOpinion: checkpb.SecondOpinionToProto(v.SecondOpinion),
	}
	if v.Observation != nil {
		out.Observation = checkpb.ObservationToProto(*v.Observation)
	}
	if v.SelfCheck != nil {
		out.SelfCheck = checkpb.SelfCheckToProto(*v.SelfCheck)
	}
	return out
}

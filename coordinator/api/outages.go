package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/quorum"
	"github.com/Automattic/jetmon/coordinator/store"
	checkpb1 "github.com/Automattic/jetmon/gen/jetmon/check/v1"
	monitorpb "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/fault"
)

// outages is the OutageService.
type outages struct {
	monitorpb.UnimplementedOutageServiceServer
	o Options
}

func (s *outages) ListOutages(ctx context.Context, req *monitorpb.ListOutagesRequest) (*monitorpb.ListOutagesResponse, error) {
	before, err := parseMark(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := pageSize(req.GetPageSize())
	rows, err := s.o.Store.ListOutages(ctx, store.OutageQuery{
		Before: before, Limit: size + 1, SiteID: check.SiteID(req.GetSiteId()), OpenOnly: req.GetOpen(),
	})
	if err != nil {
		return nil, err
	}
	resp := &monitorpb.ListOutagesResponse{}
	if len(rows) > size {
		rows = rows[:size]
		resp.NextPageToken = markToken(rows[size-1].Mark())
	}
	for _, row := range rows {
		resp.Outages = append(resp.Outages, outageToProto(row))
	}
	return resp, nil
}

// markToken is the page token after an outage.
func markToken(m store.OutageMark) string {
	return strconv.FormatInt(m.Confirmed.UnixMilli(), 36) + "." + token(m.ID)
}

func parseMark(t string) (store.OutageMark, error) {
	if t == "" {
		return store.OutageMark{}, nil
	}
	confirmed, id, _ := strings.Cut(t, ".")
	ms, err := strconv.ParseInt(confirmed, 36, 64)
	if err != nil || id == "" {
		return store.OutageMark{}, fault.InvalidField("page_token", "is not a token of this service")
	}
	n, err := parseToken(id)
	return store.OutageMark{Confirmed: time.UnixMilli(ms), ID: n}, err
}

func (s *outages) GetOutage(ctx context.Context, req *monitorpb.GetOutageRequest) (*monitorpb.GetOutageResponse, error) {
	row, err := s.o.Store.Outage(ctx, req.GetOutageId())
	if err != nil {
		return nil, err
	}
	return &monitorpb.GetOutageResponse{Outage: outageToProto(row)}, nil
}

func outageToProto(row store.Outage) *monitorpb.Outage {
	o := &monitorpb.Outage{
		OutageId: row.ID, SiteId: int64(row.SiteID), BlogId: int64(row.BlogID), Url: row.URL,
		StartTime: timestamp(row.Start), ConfirmTime: timestamp(row.Confirmed), EndTime: timestamp(row.End), EndReason: monitorpb.EndReason(row.EndReason),
		StatusId: int32(row.Status), Failure: checkpb1.FailureKind(row.Failure), Reason: row.Reason,
		HttpStatus: int32(row.HTTPStatus), Rule: ruleToProto(row.Rule), Round: uint32(row.Round), Relapses: uint32(row.Relapses),
	}
	if row.Ballot != nil {
		for _, v := range row.Ballot.Votes {
			o.Votes = append(o.Votes, voteToProto(v))
		}
	}
	o.Checks = checksToProto(row.Checks)
	return o
}

func ruleToProto(r quorum.Rule) *monitorpb.QuorumRule {
	return &monitorpb.QuorumRule{Verifliers: uint32(r.Voters), Need: uint32(r.Need), Regions: uint32(r.Regions)}
}

func voteToProto(v store.Vote) *monitorpb.Vote {
	out := &monitorpb.Vote{
		Veriflier: v.Veriflier, Region: v.Region, Value: monitorpb.VoteValue(v.Value),
		UnknownReason: v.UnknownReason, VoteTime: timestamp(v.At),
	}
	if v.Observation != nil {
		out.Observation = checkpb.ObservationToProto(*v.Observation)
	}
	if v.SelfCheck != nil {
		out.SelfCheck = checkpb.SelfCheckToProto(*v.SelfCheck)
	}
	return out
}

package api

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// maxCheck is the longest wait for a check on demand; checkAnswer of it is for the answer.
	maxCheck    = 30 * time.Second
	checkAnswer = 500 * time.Millisecond
	// renewEvery is how often the caller of a check sees whether it can still be made.
	renewEvery = 500 * time.Millisecond
)

func (s *sites) CheckSite(ctx context.Context, req *monitorv1.CheckSiteRequest) (*monitorv1.CheckSiteResponse, error) {
	row, err := s.o.Store.Site(ctx, check.SiteID(req.GetSiteId()))
	if err != nil {
		return nil, err
	}
	if row.Paused {
		return nil, notChecked(row.ID, engine.ErrPaused)
	}
	ctx, cancel := soonerBy(ctx, checkAnswer)
	defer cancel()
	owner, ok := s.o.elsewhere(ctx).of(row.Bucket)
	if !ok {
		return s.check(ctx, row.ID)
	}
	var resp *monitorv1.CheckSiteResponse
	err = s.o.Peers.AskReady(ctx, owner, func(ctx context.Context, conn grpc.ClientConnInterface) (err error) {
		resp, err = monitorv1.NewSiteServiceClient(conn).CheckSite(ctx, req)
		return err
	})
	if peers.Unanswered(err) && fault.Status(err).Code() != codes.ResourceExhausted {
		return nil, fault.New(fault.Unavailable, "coordinator %s, which watches site %d, has not checked it: %s", owner.Node, row.ID, fault.Status(err).Message())
	}
	return resp, err
}

// soonerBy bounds the wait for a check, and leaves some time for the answer.
func soonerBy(ctx context.Context, reserve time.Duration) (context.Context, context.CancelFunc) {
	wait := maxCheck
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	return context.WithTimeout(ctx, wait-min(reserve, wait/10))
}

// check has the engine check a site that it watches, and waits for that.
func (s *sites) check(ctx context.Context, id check.SiteID) (*monitorv1.CheckSiteResponse, error) {
	d, err := s.o.Engine.Demand(time.Now(), id)
	if err != nil {
		return nil, notChecked(id, err)
	}
	defer s.o.Engine.Waive(d)
	again := time.NewTicker(renewEvery)
	defer again.Stop()
	for {
		select {
		case <-d.Done():
			return &monitorv1.CheckSiteResponse{Observation: checkpb.ObservationToProto(d.Seen())}, nil
		case <-again.C:
			if err := s.o.Engine.Renew(time.Now(), d); err != nil {
				return nil, notChecked(id, err)
			}
		case <-ctx.Done():
			return nil, fault.New(fault.Unavailable, "no check of site %d has ended in time; GetSite has what it sees later", id)
		}
	}
}

// notChecked is why a site is not checked, for its caller.
func notChecked(id check.SiteID, err error) error {
	switch {
	case errors.Is(err, engine.ErrPaused):
		return fault.New(fault.Fenced, "site %d is paused: resume it first", id)
	case errors.Is(err, engine.ErrDemands):
		return fault.New(fault.Exhausted, "%w: try again in some seconds", err)
	case errors.Is(err, engine.ErrNoCheckers):
		return fault.New(fault.Unavailable, "site %d cannot be checked: no checker is connected", id)
	default:
		return fault.New(fault.Unavailable, "site %d is watched by no coordinator yet: try again in some seconds", id)
	}
}

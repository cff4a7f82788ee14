package api

import (
	"context"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/jetpackpb"
)

// Diagnoser finds out why Jetpack cannot talk to a site; internal/jetpack implements it. Its
// error concerns only the URL.
type Diagnoser interface {
	Diagnose(ctx context.Context, t jetpack.Target) (*jetpack.Report, error)
}

// A diagnosis makes a dozen requests to one site, so only few run at once.
const (
	maxDiagnoses   = 8
	diagnosisRetry = 10 * time.Second
)

// diagnosis is the DiagnosisService.
type diagnosis struct {
	monitorv1.UnimplementedDiagnosisServiceServer
	o Options
	// running has an entry for each diagnosis under way.
	running chan struct{}
}

func newDiagnosis(o Options) *diagnosis {
	return &diagnosis{o: o, running: make(chan struct{}, maxDiagnoses)}
}

func (s *diagnosis) DiagnoseSite(ctx context.Context, req *monitorv1.DiagnoseSiteRequest) (*monitorv1.DiagnoseSiteResponse, error) {
	report, err := s.diagnose(ctx, check.SiteID(req.GetSiteId()), nil)
	if err != nil {
		return nil, err
	}
	return &monitorv1.DiagnoseSiteResponse{Diagnosis: jetpackpb.DiagnosisToProto(report)}, nil
}

func (s *diagnosis) WatchDiagnosis(req *monitorv1.WatchDiagnosisRequest, stream grpc.ServerStreamingServer[monitorv1.WatchDiagnosisResponse]) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	report, err := s.diagnose(ctx, check.SiteID(req.GetSiteId()), func(f jetpack.Finding) {
		step := &monitorv1.WatchDiagnosisResponse_Finding{Finding: jetpackpb.FindingToProto(f)}
		if err := stream.Send(&monitorv1.WatchDiagnosisResponse{Step: step}); err != nil {
			cancel(err) // nobody listens: the rest is skipped
		}
	})
	switch {
	case err != nil:
		return err
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	}
	last := &monitorv1.WatchDiagnosisResponse_Diagnosis{Diagnosis: jetpackpb.DiagnosisToProto(report)}
	return stream.Send(&monitorv1.WatchDiagnosisResponse{Step: last})
}

// diagnose diagnoses a site, when not too many are being diagnosed. found, when not nil, gets each
// finding as it is made.
func (s *diagnosis) diagnose(ctx context.Context, id check.SiteID, found func(jetpack.Finding)) (*jetpack.Report, error) {
	if s.o.Diagnoser == nil {
		return nil, fault.New(fault.Unavailable, "this coordinator makes no diagnoses")
	}
	row, err := s.o.Store.Site(ctx, id)
	if err != nil {
		return nil, err
	}
	select {
	case s.running <- struct{}{}:
		defer func() { <-s.running }()
	default:
		return nil, fault.New(fault.Exhausted, "%d diagnoses are running already", maxDiagnoses).
			With(&errdetails.RetryInfo{RetryDelay: durationpb.New(diagnosisRetry)})
	}
	report, err := s.o.Diagnoser.Diagnose(ctx, jetpack.Target{URL: check.CompleteURL(row.URL), Found: found})
	if err != nil {
		// The row's URL comes from WordPress.com's table; the caller cannot mend it.
		return nil, fault.New(fault.Fenced, "site %d cannot be diagnosed: %w", row.ID, err)
	}
	return report, nil
}

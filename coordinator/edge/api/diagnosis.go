package api

import (
	"context"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/jetpackpb"
	"github.com/Automattic/jetmon/internal/jetpack/symptom"
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
	if s.o.Diagnoser == nil {
		return nil, fault.New(fault.Unavailable, "this coordinator makes no diagnoses")
	}
	seen, err := symptomOf(req)
	if err != nil {
		return nil, err
	}
	row, err := s.o.Store.Site(ctx, check.SiteID(req.GetSiteId()))
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
	report, err := s.o.Diagnoser.Diagnose(ctx, jetpack.Target{URL: check.CompleteURL(row.URL)})
	if err != nil {
		// The row's URL comes from WordPress.com's table; the caller cannot mend it.
		return nil, fault.New(fault.Fenced, "site %d cannot be diagnosed: %w", row.ID, err)
	}
	var answer *jetpack.Answered
	if seen != nil {
		answer = report.Answer(*seen)
	}
	message := jetpackpb.DiagnosisToProto(report)
	message.Symptom = jetpackpb.AnsweredToProto(answer)
	return &monitorv1.DiagnoseSiteResponse{Diagnosis: message}, nil
}

// symptomOf finds the symptom that a request names, nil when it names none.
func symptomOf(req *monitorv1.DiagnoseSiteRequest) (*symptom.Symptom, error) {
	if req.GetSymptom() == "" {
		return nil, nil
	}
	found, ok := symptom.Find(req.GetSymptom())
	if !ok {
		return nil, fault.New(fault.Invalid, "symptom: no symptom is like %q; try \"powering_up\" or \"settings_error\"", req.GetSymptom())
	}
	return &found, nil
}

package api

import (
	"context"
	"errors"
	"maps"
	"testing"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/rules/incident"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// laggard is a store that notes which of its reads may lag.
type laggard struct {
	store.Store
	lags map[string]bool
	// away is the error of a list of sites.
	away error
}

func (s *laggard) ListOutages(ctx context.Context, _ store.OutageQuery) ([]record.Outage, error) {
	s.lags["outages"] = store.Lags(ctx)
	return nil, nil
}

func (s *laggard) ListIncidents(ctx context.Context, _ int64, _ int, _ bool) ([]incident.Incident, error) {
	s.lags["incidents"] = store.Lags(ctx)
	return nil, nil
}

func (s *laggard) Incident(_ context.Context, id int64) (incident.Incident, error) {
	return incident.Incident{ID: id}, nil
}

func (s *laggard) IncidentMembers(ctx context.Context, _ int64, _ check.SiteID, _ int) ([]incident.Member, error) {
	s.lags["members"] = store.Lags(ctx)
	return []incident.Member{{}}, nil
}

func (s *laggard) ListSites(ctx context.Context, _ store.SiteQuery) ([]record.Site, error) {
	s.lags["sites"] = store.Lags(ctx)
	return nil, s.away
}

func (s *laggard) SitesByID(ctx context.Context, _ []check.SiteID) ([]record.Site, error) {
	s.lags["sites by id"] = store.Lags(ctx)
	return nil, nil
}

// exporting is a stream of an export.
type exporting struct {
	grpc.ServerStreamingServer[monitorv1.ExportSitesResponse]
	ctx context.Context
}

func (e exporting) Context() context.Context { return e.ctx }

func TestListsThatNobodyDecidesByMayLag(t *testing.T) {
	t.Parallel()
	s := &laggard{lags: map[string]bool{}}
	o := Options{Store: s}
	_, outagesErr := (&outages{o: o}).ListOutages(t.Context(), &monitorv1.ListOutagesRequest{})
	_, incidentsErr := (&incidents{o: o}).ListIncidents(t.Context(), &monitorv1.ListIncidentsRequest{})
	_, membersErr := (&incidents{o: o}).ListIncidentMembers(t.Context(), &monitorv1.ListIncidentMembersRequest{IncidentId: 1})
	for _, err := range []error{outagesErr, incidentsErr, membersErr, (&sites{o: o}).ExportSites(&monitorv1.ExportSitesRequest{}, exporting{ctx: t.Context()})} {
		if err != nil {
			t.Error(err)
		}
	}
	if want := map[string]bool{"outages": true, "incidents": true, "members": true, "sites": true}; !maps.Equal(s.lags, want) {
		t.Errorf("which may lag: %v, want %v", s.lags, want)
	}
	// A caller looks for what it has just added.
	s.away = errors.New("enough is seen")
	if _, err := (&sites{o: o}).ListSites(t.Context(), &monitorv1.ListSitesRequest{}); !errors.Is(err, s.away) {
		t.Error(err)
	}
	if s.lags["sites"] {
		t.Error("a list of sites may lag")
	}
}

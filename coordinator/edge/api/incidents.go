package api

import (
	"context"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/incident"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// incidents is the IncidentService.
type incidents struct {
	monitorv1.UnimplementedIncidentServiceServer
	o Options
}

func (s *incidents) ListIncidents(ctx context.Context, req *monitorv1.ListIncidentsRequest) (*monitorv1.ListIncidentsResponse, error) {
	before, err := parseToken(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := pageSize(req.GetPageSize())
	rows, err := s.o.Store.ListIncidents(store.MayLag(ctx), before, size+1, req.GetOpen())
	if err != nil {
		return nil, err
	}
	resp := &monitorv1.ListIncidentsResponse{}
	if len(rows) > size {
		rows = rows[:size]
		resp.NextPageToken = token(rows[size-1].ID)
	}
	for i := range rows {
		resp.Incidents = append(resp.Incidents, incidentToProto(&rows[i]))
	}
	return resp, nil
}

func (s *incidents) GetIncident(ctx context.Context, req *monitorv1.GetIncidentRequest) (*monitorv1.GetIncidentResponse, error) {
	row, err := s.o.Store.Incident(ctx, req.GetIncidentId())
	if err != nil {
		return nil, err
	}
	return &monitorv1.GetIncidentResponse{Incident: incidentToProto(&row)}, nil
}

func (s *incidents) ListIncidentMembers(ctx context.Context, req *monitorv1.ListIncidentMembersRequest) (*monitorv1.ListIncidentMembersResponse, error) {
	after, err := parseToken(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	if _, err := s.o.Store.Incident(ctx, req.GetIncidentId()); err != nil {
		return nil, err
	}
	size := pageSize(req.GetPageSize())
	rows, err := s.o.Store.IncidentMembers(store.MayLag(ctx), req.GetIncidentId(), check.SiteID(after), size+1)
	if err != nil {
		return nil, err
	}
	resp := &monitorv1.ListIncidentMembersResponse{}
	if len(rows) > size {
		rows = rows[:size]
		resp.NextPageToken = token(int64(rows[size-1].Site))
	}
	for _, m := range rows {
		resp.Members = append(resp.Members, &monitorv1.IncidentMember{SiteId: int64(m.Site), Down: m.Down, ChangeTime: timestamp(m.At)})
	}
	return resp, nil
}

func incidentToProto(i *incident.Incident) *monitorv1.Incident {
	p := &monitorv1.Incident{
		IncidentId: i.ID, Cause: monitorv1.SharedCause(i.Cause), CauseValue: i.Value, Members: i.Members, MembersDown: i.Down,
		StartTime: timestamp(i.Start), EndTime: timestamp(i.End),
	}
	for _, e := range i.Examples {
		p.Examples = append(p.Examples, eventSiteToProto(e))
	}
	return p
}

func eventSiteToProto(s event.Site) *monitorv1.EventSite {
	return &monitorv1.EventSite{SiteId: int64(s.ID), BlogId: int64(s.BlogID), Url: s.URL, Tags: s.Tags}
}

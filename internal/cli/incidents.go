package cli

import (
	"context"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// ListIncidents prints incidents in a table, the newest first: only those that go on if open is
// set. limit is the maximum number; 0 means all.
func (c Client) ListIncidents(ctx context.Context, open bool, limit int) error {
	incidents := monitorv1.NewIncidentServiceClient(c.Conn)
	return list(ctx, c, listing[*monitorv1.Incident]{
		name: "incidents", titles: format.IncidentTitles(), cells: format.IncidentCells, limit: limit,
		page: func(ctx context.Context, size int32, token string) ([]*monitorv1.Incident, string, error) {
			resp, err := call(ctx, &monitorv1.ListIncidentsRequest{PageSize: size, PageToken: token, Open: open}, incidents.ListIncidents)
			return resp.GetIncidents(), resp.GetNextPageToken(), err
		},
	})
}

// ListIncidentMembers prints the sites of an incident in a table; limit is as in ListIncidents.
func (c Client) ListIncidentMembers(ctx context.Context, id int64, limit int) error {
	incidents := monitorv1.NewIncidentServiceClient(c.Conn)
	return list(ctx, c, listing[*monitorv1.IncidentMember]{
		name: "members", titles: format.MemberTitles(), cells: format.MemberCells, limit: limit,
		page: func(ctx context.Context, size int32, token string) ([]*monitorv1.IncidentMember, string, error) {
			resp, err := call(ctx, &monitorv1.ListIncidentMembersRequest{IncidentId: id, PageSize: size, PageToken: token}, incidents.ListIncidentMembers)
			return resp.GetMembers(), resp.GetNextPageToken(), err
		},
	})
}

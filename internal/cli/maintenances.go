package cli

import (
	"context"
	"crypto/rand"
	"io"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// MaintenanceList selects the maintenances to list.
type MaintenanceList struct {
	// Active means those with an open window; Site, Tag and Host, when set, are what they cover.
	Active    bool
	Site      int64
	Tag, Host string
	// Limit is the maximum number of maintenances; 0 means all.
	Limit int
}

func (c Client) maintenances() monitorv1.MaintenanceServiceClient {
	return monitorv1.NewMaintenanceServiceClient(c.Conn)
}

// ListMaintenances prints maintenances in a table.
func (c Client) ListMaintenances(ctx context.Context, l MaintenanceList) error {
	return list(ctx, c, listing[*monitorv1.Maintenance]{
		name: "maintenances", titles: format.MaintenanceTitles(), cells: format.MaintenanceCells, limit: l.Limit,
		page: func(ctx context.Context, size int32, token string) ([]*monitorv1.Maintenance, string, error) {
			resp, err := call(ctx, &monitorv1.ListMaintenancesRequest{
				PageSize: size, PageToken: token, Active: l.Active, SiteId: l.Site, Tag: l.Tag, Host: l.Host,
			}, c.maintenances().ListMaintenances)
			return resp.GetMaintenances(), resp.GetNextPageToken(), err
		},
	})
}

// AddMaintenance plans a maintenance and prints it.
func (c Client) AddMaintenance(ctx context.Context, m *monitorv1.Maintenance) error {
	resp, err := call(ctx, &monitorv1.CreateMaintenanceRequest{Maintenance: m, IdempotencyKey: rand.Text()}, c.maintenances().CreateMaintenance)
	return c.showMaintenance(resp.GetMaintenance(), err)
}

// EditMaintenance changes some fields of a maintenance and prints it.
func (c Client) EditMaintenance(ctx context.Context, m *monitorv1.Maintenance, fields []string) error {
	req := &monitorv1.UpdateMaintenanceRequest{Maintenance: m, UpdateMask: &fieldmaskpb.FieldMask{Paths: fields}}
	resp, err := call(ctx, req, c.maintenances().UpdateMaintenance)
	return c.showMaintenance(resp.GetMaintenance(), err)
}

// EndMaintenance ends the open window of a maintenance and prints what is left. It is asked for
// once: a second attempt might find none open.
func (c Client) EndMaintenance(ctx context.Context, id int64) error {
	resp, err := once(ctx, askTimeout, &monitorv1.EndMaintenanceRequest{MaintenanceId: id}, c.maintenances().EndMaintenance)
	return c.showMaintenance(resp.GetMaintenance(), err)
}

// DeleteMaintenance deletes a maintenance.
func (c Client) DeleteMaintenance(ctx context.Context, id int64) error {
	if _, err := once(ctx, askTimeout, &monitorv1.DeleteMaintenanceRequest{MaintenanceId: id}, c.maintenances().DeleteMaintenance); err != nil {
		return c.explain(err)
	}
	out := format.NewIDs(c.Out, c.Output == JSON, c.Output == NDJSON)
	if err := out.Add(id); err != nil {
		return err
	}
	return out.Close()
}

// MaintenanceCalendar prints the calendar, whatever the output is to be.
func (c Client) MaintenanceCalendar(ctx context.Context) error {
	resp, err := call(ctx, &monitorv1.GetMaintenanceCalendarRequest{}, c.maintenances().GetMaintenanceCalendar)
	if err != nil {
		return c.explain(err)
	}
	_, err = io.WriteString(c.Out, resp.GetCalendar())
	return err
}

func (c Client) showMaintenance(m *monitorv1.Maintenance, err error) error {
	if err != nil {
		return c.explain(err)
	}
	return c.show(m, func(w io.Writer) error { return format.Maintenance(w, m) })
}

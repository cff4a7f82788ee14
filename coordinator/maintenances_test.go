package coordinator_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// maintenanceOf is a maintenance that is open for an hour.
func maintenanceOf(change func(*monitorv1.Maintenance)) *monitorv1.Maintenance {
	m := &monitorv1.Maintenance{Name: "m", StartTime: timestamppb.Now(), Duration: durationpb.New(time.Hour)}
	change(m)
	return m
}

// maintainsOwnBlogs has a caller that is limited to blogs plan maintenance, of its own site only.
func (r *rig) maintainsOwnBlogs(t *testing.T, own, theirs int64, ctx context.Context) {
	t.Helper()
	c := monitorv1.NewMaintenanceServiceClient(r.conn)
	admin := as(t, r.token(t, nil, "admin"))
	make := func(ctx context.Context, change func(*monitorv1.Maintenance)) (int64, error) {
		resp, err := c.CreateMaintenance(ctx, &monitorv1.CreateMaintenanceRequest{Maintenance: maintenanceOf(change)})
		return resp.GetMaintenance().GetMaintenanceId(), err
	}
	mine, err := make(ctx, func(m *monitorv1.Maintenance) { m.SiteId = own })
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*monitorv1.Maintenance)
		want   codes.Code
	}{
		"another blog's site": {func(m *monitorv1.Maintenance) { m.SiteId = theirs }, codes.NotFound},
		"a tag":               {func(m *monitorv1.Maintenance) { m.Tag = "shop" }, codes.PermissionDenied},
		"a host":              {func(m *monitorv1.Maintenance) { m.Host = "x.example" }, codes.PermissionDenied},
	} {
		if _, err := make(ctx, tt.change); status.Code(err) != tt.want {
			t.Errorf("maintenance of %s: %v", name, err)
		}
		other, err := make(admin, tt.change)
		if err != nil {
			t.Fatal(err)
		}
		for what, call := range map[string]func(int64) error{
			"read": func(id int64) error {
				_, err := c.GetMaintenance(ctx, &monitorv1.GetMaintenanceRequest{MaintenanceId: id})
				return err
			},
			"ended": func(id int64) error {
				_, err := c.EndMaintenance(ctx, &monitorv1.EndMaintenanceRequest{MaintenanceId: id})
				return err
			},
			"deleted": func(id int64) error {
				_, err := c.DeleteMaintenance(ctx, &monitorv1.DeleteMaintenanceRequest{MaintenanceId: id})
				return err
			},
			"changed": func(id int64) error {
				_, err := c.UpdateMaintenance(ctx, &monitorv1.UpdateMaintenanceRequest{Maintenance: &monitorv1.Maintenance{MaintenanceId: id, Name: "x"}})
				return err
			},
		} {
			if err := call(other); status.Code(err) != codes.NotFound {
				t.Errorf("that of %s is %s: %v", name, what, err)
			}
		}
	}
	mask := &fieldmaskpb.FieldMask{Paths: []string{"site_id"}}
	move := &monitorv1.UpdateMaintenanceRequest{Maintenance: &monitorv1.Maintenance{MaintenanceId: mine, SiteId: theirs}, UpdateMask: mask}
	if _, err := c.UpdateMaintenance(ctx, move); status.Code(err) != codes.NotFound {
		t.Errorf("its own for another blog's site: %v", err)
	}
	for _, req := range []*monitorv1.ListMaintenancesRequest{{}, {Active: true}, {SiteId: own}} {
		all, err := c.ListMaintenances(ctx, req)
		if err != nil || len(all.GetMaintenances()) != 1 || all.GetMaintenances()[0].GetMaintenanceId() != mine {
			t.Errorf("lists %v: %v, %v", req, all, err)
		}
	}
	calendar, err := c.GetMaintenanceCalendar(ctx, &monitorv1.GetMaintenanceCalendarRequest{})
	if err != nil || strings.Count(calendar.GetCalendar(), "BEGIN:VEVENT") != 1 {
		t.Errorf("the calendar has %v, %v", calendar, err)
	}
	if _, err := c.DeleteMaintenance(ctx, &monitorv1.DeleteMaintenanceRequest{MaintenanceId: mine}); err != nil {
		t.Error(err)
	}
}

func TestMaintenancesAreListedInPagesByWhatTheyCover(t *testing.T) {
	t.Parallel()
	r := guarded(t)
	ctx := as(t, r.token(t, nil, "admin"))
	c := monitorv1.NewMaintenanceServiceClient(r.conn)
	var ids []int64
	for i := range 7 {
		resp, err := c.CreateMaintenance(ctx, &monitorv1.CreateMaintenanceRequest{Maintenance: maintenanceOf(func(m *monitorv1.Maintenance) {
			m.Host = []string{"a.example", "A.example:8443"}[i%2]
			if i == 3 {
				m.StartTime = timestamppb.New(time.Now().Add(time.Hour))
			}
		})})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, resp.GetMaintenance().GetMaintenanceId())
	}
	for _, tt := range []struct {
		req  *monitorv1.ListMaintenancesRequest
		want []int
	}{
		{&monitorv1.ListMaintenancesRequest{PageSize: 2}, []int{0, 1, 2, 3, 4, 5, 6}},
		{&monitorv1.ListMaintenancesRequest{PageSize: 2, Active: true}, []int{0, 1, 2, 4, 5, 6}},
		{&monitorv1.ListMaintenancesRequest{PageSize: 3, Host: "a.EXAMPLE:8443"}, []int{1, 3, 5}},
		{&monitorv1.ListMaintenancesRequest{Host: "a.example"}, []int{0, 1, 2, 3, 4, 5, 6}},
		{&monitorv1.ListMaintenancesRequest{Tag: "x"}, nil},
	} {
		var got []int64
		for {
			page, err := c.ListMaintenances(ctx, tt.req)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range page.GetMaintenances() {
				got = append(got, m.GetMaintenanceId())
			}
			if tt.req.PageToken = page.GetNextPageToken(); tt.req.GetPageToken() == "" {
				break
			}
		}
		if len(got) != len(tt.want) {
			t.Errorf("%v: %v", tt.req, got)
			continue
		}
		for i, n := range tt.want {
			if got[i] != ids[n] {
				t.Errorf("%v: %v of %v", tt.req, got, ids)
			}
		}
	}
}

// maintenancesOnRecord makes each edit of a maintenance.
func (r *rig) maintenancesOnRecord(t *testing.T, ctx context.Context) {
	t.Helper()
	c := monitorv1.NewMaintenanceServiceClient(r.conn)
	made, err := c.CreateMaintenance(ctx, &monitorv1.CreateMaintenanceRequest{Maintenance: maintenanceOf(func(m *monitorv1.Maintenance) { m.Host = "a.example" })})
	if err != nil {
		t.Fatal(err)
	}
	id := made.GetMaintenance().GetMaintenanceId()
	if _, err := c.UpdateMaintenance(ctx, &monitorv1.UpdateMaintenanceRequest{Maintenance: &monitorv1.Maintenance{MaintenanceId: id, Reason: "late"}}); err != nil {
		t.Error(err)
	}
	if _, err := c.EndMaintenance(ctx, &monitorv1.EndMaintenanceRequest{MaintenanceId: id}); err != nil {
		t.Error(err)
	}
	if _, err := c.DeleteMaintenance(ctx, &monitorv1.DeleteMaintenanceRequest{MaintenanceId: id}); err != nil {
		t.Error(err)
	}
}

package api

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator/rules/maintenance"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// editableOfMaintenance lists the fields of a maintenance that a client may set.
var editableOfMaintenance = []string{"duration", "host", "name", "reason", "recurrence", "site_id", "start_time", "tag", "time_zone"}

// applyMaintenance copies the named fields of a maintenance.
func applyMaintenance(m record.Maintenance, in *monitorv1.Maintenance, paths []string) (record.Maintenance, error) {
	for _, path := range paths {
		switch path {
		case "name":
			m.Name = in.GetName()
		case "reason":
			m.Reason = in.GetReason()
		case "site_id":
			m.Covers.SiteID = check.SiteID(in.GetSiteId())
		case "tag":
			m.Covers.Tag = in.GetTag()
		case "host":
			m.Covers.Host = record.Location{}
			if in.GetHost() == "" {
				continue
			}
			at, err := record.LocateHost(in.GetHost())
			if err != nil {
				return m, fault.InvalidField("maintenance.host", "%w", err)
			}
			m.Covers.Host = at
		case "start_time":
			if err := in.GetStartTime().CheckValid(); err != nil {
				return m, fault.InvalidField("maintenance.start_time", "must be a time")
			}
			m.Start = in.GetStartTime().AsTime()
		case "duration":
			m.Duration = in.GetDuration().AsDuration()
		case "recurrence":
			m.Rule = in.GetRecurrence()
		case "time_zone":
			m.Zone = in.GetTimeZone()
		default:
			return m, fault.New(fault.Internal, "no code applies %s, which a client may set", path)
		}
	}
	return m, nil
}

// maintenanceToProto converts a maintenance as it is at a time.
func maintenanceToProto(m record.Maintenance, now time.Time) *monitorv1.Maintenance {
	out := &monitorv1.Maintenance{
		MaintenanceId: m.ID, Name: m.Name, Reason: m.Reason, SiteId: int64(m.Covers.SiteID), Tag: m.Covers.Tag, Host: hostText(m.Covers.Host),
		StartTime: timestamp(m.Start), Duration: durationpb.New(m.Duration), Recurrence: m.Rule, TimeZone: m.Zone,
		Creator: m.Creator, CreateTime: timestamp(m.Created), UpdateTime: timestamp(m.Updated), Etag: maintenanceETag(m),
	}
	p, err := maintenance.NewPlan(m)
	if err != nil {
		return out // the store has said so in its log
	}
	if w, ok := p.Next(now); ok {
		out.Window = &monitorv1.MaintenanceWindow{StartTime: timestamp(w.Start), EndTime: timestamp(w.End)}
		out.Active = w.Has(now)
	}
	return out
}

// markMaintenance says of sites in which maintenance they are. Without a calendar it says nothing.
func (o Options) markMaintenance(ctx context.Context, sites []*monitorv1.Site) {
	now := time.Now()
	c, err := o.Store.Calendar(ctx, now)
	if err != nil || c.Empty() {
		return
	}
	for _, site := range sites {
		w, ok := c.At(maintenance.Subject{ID: check.SiteID(site.GetSiteId()), URL: site.GetUrl(), Tags: site.GetTags()}, now)
		if ok {
			site.MaintenanceId, site.MaintenanceEndTime = w.MaintenanceID, timestamp(w.End)
		}
	}
}

// GetMaintenanceCalendar leaves out the oldest where there are too many for one answer.
func (s *maintenances) GetMaintenanceCalendar(ctx context.Context, _ *monitorv1.GetMaintenanceCalendarRequest) (*monitorv1.GetMaintenanceCalendarResponse, error) {
	var plans []*maintenance.Plan
	horizon := time.Now().Add(-pastInCalendar)
	for after := int64(0); ; {
		rows, err := s.o.Store.ListMaintenances(ctx, store.MaintenanceQuery{After: after, Limit: lookedAtOnce})
		if err != nil {
			return nil, err
		}
		for _, m := range rows {
			after = m.ID
			p, err := maintenance.NewPlan(m)
			if err != nil {
				continue
			}
			if _, ok := p.Next(horizon); ok {
				plans = append(plans, p)
			}
		}
		if len(rows) < lookedAtOnce {
			break
		}
	}
	plans = plans[max(0, len(plans)-mostInCalendar):]
	return &monitorv1.GetMaintenanceCalendarResponse{Calendar: maintenance.Feed(plans, time.Now())}, nil
}

const (
	// pastInCalendar is how long the calendar has a maintenance that is over, mostInCalendar how
	// many it has.
	pastInCalendar = 31 * 24 * time.Hour
	mostInCalendar = 2000
)

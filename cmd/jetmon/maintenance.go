package main

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli"
	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/fault"
)

// maintenanceCommand is `jetmon maintenance`.
type maintenanceCommand struct {
	List     listMaintenanceCommand     `cmd:"" help:"List maintenances, with the window that is open or next."`
	Add      addMaintenanceCommand      `cmd:"" help:"Plan a maintenance: nobody is told that its sites fail meanwhile."`
	Edit     editMaintenanceCommand     `cmd:"" help:"Change a maintenance."`
	End      endMaintenanceCommand      `cmd:"" help:"End the window of a maintenance that is open; later windows stay."`
	Delete   deleteMaintenanceCommand   `cmd:"" help:"Delete a maintenance with all its windows."`
	Calendar calendarMaintenanceCommand `cmd:"" help:"Print the maintenances as a calendar (iCalendar)."`
}

// listMaintenanceCommand is `jetmon maintenance list`.
type listMaintenanceCommand struct {
	Active bool   `help:"Only those with a window that is open now."`
	Site   int64  `placeholder:"ID" help:"Only those that cover this site, by its id, host or tags."`
	Tag    string `placeholder:"TAG" help:"Only those of this tag."`
	Host   string `placeholder:"HOST" help:"Only those of this host."`
	Limit  int    `default:"100" help:"Maximum number of maintenances to list; 0: all."`

	clientFlags `embed:""`
}

// Run lists the maintenances.
func (c *listMaintenanceCommand) Run(ctx context.Context, p *program) error {
	if c.Limit < 0 || c.Site < 0 {
		return usagef("--limit and --site must not be negative")
	}
	return c.ask(p, func(client cli.Client) error {
		return client.ListMaintenances(ctx, cli.MaintenanceList{Active: c.Active, Site: c.Site, Tag: c.Tag, Host: c.Host, Limit: c.Limit})
	})
}

// maintenanceFlags describe a maintenance; what is nil is not said.
type maintenanceFlags struct {
	Site   *int64  `noenv:"" placeholder:"ID" help:"The site that it covers."`
	Tag    *string `noenv:"" placeholder:"TAG" help:"The tag of the sites that it covers."`
	Host   *string `noenv:"" placeholder:"HOST" help:"The host of the sites that it covers, as example.com or example.com:8443."`
	Start  *string `noenv:"" placeholder:"TIME" help:"When it begins, as 2026-12-24T22:00 on the clock of --zone, or else of this host, or as 2026-12-24T22:00:00Z."`
	For    *age    `noenv:"" placeholder:"TIME" help:"How long it takes, as 90m, 2h or 3d, 31d at most."`
	Every  *string `noenv:"" placeholder:"RULE" help:"When it happens again, by a rule of iCalendar (RFC 5545): FREQ=WEEKLY;BYDAY=SU, or FREQ=MONTHLY;BYDAY=-1SU."`
	Zone   *string `noenv:"" placeholder:"ZONE" help:"The time zone whose clock it follows, as Europe/Berlin; UTC by default."`
	Reason *string `noenv:"" placeholder:"TEXT" help:"Why, for people."`
}

// maintenance returns what is said, and the names of the fields.
func (f maintenanceFlags) maintenance() (m *monitorv1.Maintenance, fields []string, err error) {
	m = &monitorv1.Maintenance{}
	take := func(field string, said bool, set func()) {
		if said {
			fields = append(fields, field)
			set()
		}
	}
	take("site_id", f.Site != nil, func() { m.SiteId = *f.Site })
	take("tag", f.Tag != nil, func() { m.Tag = *f.Tag })
	take("host", f.Host != nil, func() { m.Host = *f.Host })
	take("duration", f.For != nil, func() { m.Duration = durationpb.New(time.Duration(*f.For)) })
	take("recurrence", f.Every != nil, func() { m.Recurrence = *f.Every })
	take("time_zone", f.Zone != nil, func() { m.TimeZone = *f.Zone })
	take("reason", f.Reason != nil, func() { m.Reason = *f.Reason })
	if f.Start == nil {
		return m, fields, nil
	}
	at, err := f.start()
	m.StartTime = timestamppb.New(at)
	return m, append(fields, "start_time"), err
}

// start reads --start.
func (f maintenanceFlags) start() (time.Time, error) {
	if at, err := format.ParseMoment(*f.Start); err == nil {
		return at, nil
	}
	zone := time.Local
	if f.Zone != nil && *f.Zone != "" {
		var err error
		if zone, err = time.LoadLocation(*f.Zone); err != nil {
			return time.Time{}, usagef("--zone: %q is no time zone, as Europe/Berlin is", fault.Clip(*f.Zone, maxQuoted))
		}
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		if at, err := time.ParseInLocation(layout, *f.Start, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, usagef("--start: %q is no time like 2026-12-24T22:00", fault.Clip(*f.Start, maxQuoted))
}

// addMaintenanceCommand is `jetmon maintenance add NAME`.
type addMaintenanceCommand struct {
	Name string `arg:"" name:"name" help:"What it is, for people and calendars."`

	maintenanceFlags `embed:""`
	clientFlags      `embed:""`
}

// Run plans the maintenance. Without --start it begins now.
func (c *addMaintenanceCommand) Run(ctx context.Context, p *program) error {
	if c.For == nil {
		return usagef("--for: say how long it takes, as 2h")
	}
	covers := 0
	for _, said := range []bool{c.Site != nil, c.Tag != nil, c.Host != nil} {
		if said {
			covers++
		}
	}
	if covers != 1 {
		return usagef("give one of --site, --tag and --host: which sites it covers")
	}
	m, _, err := c.maintenance()
	if err != nil {
		return err
	}
	m.Name = c.Name
	if m.GetStartTime() == nil {
		m.StartTime = timestamppb.Now()
	}
	return c.ask(p, func(client cli.Client) error { return client.AddMaintenance(ctx, m) })
}

// editMaintenanceCommand is `jetmon maintenance edit ID`.
type editMaintenanceCommand struct {
	ID      int64   `arg:"" name:"id" help:"Id of the maintenance, as jetmon maintenance list shows it."`
	Name    *string `noenv:"" placeholder:"TEXT" help:"What it is, for people and calendars."`
	IfMatch string  `noenv:"" placeholder:"ETAG" help:"Change nothing if it has another etag by now."`

	maintenanceFlags `embed:""`
	clientFlags      `embed:""`
}

// Run changes the maintenance. Another site, tag or host takes the place of what it covered.
func (c *editMaintenanceCommand) Run(ctx context.Context, p *program) error {
	m, fields, err := c.maintenance()
	if err != nil {
		return err
	}
	if c.Name != nil {
		m.Name, fields = *c.Name, append(fields, "name")
	}
	if len(fields) == 0 {
		return usagef("say what to change, as --for 3h")
	}
	if c.Site != nil || c.Tag != nil || c.Host != nil {
		fields = append(fields, "site_id", "tag", "host")
	}
	m.MaintenanceId, m.Etag = c.ID, c.IfMatch
	return c.ask(p, func(client cli.Client) error { return client.EditMaintenance(ctx, m, fields) })
}

// endMaintenanceCommand is `jetmon maintenance end ID`.
type endMaintenanceCommand struct {
	ID int64 `arg:"" name:"id" help:"Id of the maintenance."`

	clientFlags `embed:""`
}

// Run ends the open window.
func (c *endMaintenanceCommand) Run(ctx context.Context, p *program) error {
	return c.ask(p, func(client cli.Client) error { return client.EndMaintenance(ctx, c.ID) })
}

// deleteMaintenanceCommand is `jetmon maintenance delete ID`.
type deleteMaintenanceCommand struct {
	ID int64 `arg:"" name:"id" help:"Id of the maintenance."`

	clientFlags `embed:""`
}

// Run deletes the maintenance.
func (c *deleteMaintenanceCommand) Run(ctx context.Context, p *program) error {
	return c.ask(p, func(client cli.Client) error { return client.DeleteMaintenance(ctx, c.ID) })
}

// calendarMaintenanceCommand is `jetmon maintenance calendar`.
type calendarMaintenanceCommand struct {
	clientFlags `embed:""`
}

// Run prints the calendar.
func (c *calendarMaintenanceCommand) Run(ctx context.Context, p *program) error {
	return c.ask(p, func(client cli.Client) error { return client.MaintenanceCalendar(ctx) })
}

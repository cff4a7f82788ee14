package format

import (
	"io"
	"strconv"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// MaintenanceTitles are the titles of MaintenanceCells.
func MaintenanceTitles() []string {
	return []string{"ID", "COVERS", "BEGINS", "ENDS", "OPEN", "AGAIN", "NAME"}
}

// MaintenanceCells returns the row of a maintenance, with the window that is open or next.
func MaintenanceCells(m *monitorv1.Maintenance) []string {
	open, again := "no", "-"
	switch {
	case m.GetActive():
		open = "yes"
	case m.GetWindow() == nil:
		open = "over"
	}
	if m.GetRecurrence() != "" {
		again = m.GetRecurrence()
		if zone := m.GetTimeZone(); zone != "" {
			again += " (" + zone + ")"
		}
	}
	return []string{
		strconv.FormatInt(m.GetMaintenanceId(), 10), covers(m), moment(m.GetWindow().GetStartTime()), moment(m.GetWindow().GetEndTime()),
		open, again, m.GetName(),
	}
}

// covers names the sites of a maintenance.
func covers(m *monitorv1.Maintenance) string {
	switch {
	case m.GetTag() != "":
		return "tag " + m.GetTag()
	case m.GetHost() != "":
		return "host " + m.GetHost()
	}
	return "site " + strconv.FormatInt(m.GetSiteId(), 10)
}

// Maintenance writes a maintenance.
func Maintenance(w io.Writer, m *monitorv1.Maintenance) error {
	return write(w, func(p *page) { p.maintenance(m) })
}

func (p *page) maintenance(m *monitorv1.Maintenance) {
	p.line("Maintenance %d of %s: %s", m.GetMaintenanceId(), covers(m), m.GetName())
	switch window := m.GetWindow(); {
	case window == nil:
		p.line("It is over.")
	case m.GetActive():
		p.line("Open since %s, until %s.", moment(window.GetStartTime()), moment(window.GetEndTime()))
	default:
		p.line("From %s to %s.", moment(window.GetStartTime()), moment(window.GetEndTime()))
	}
	if m.GetRecurrence() != "" {
		zone := m.GetTimeZone()
		if zone == "" {
			zone = "UTC"
		}
		p.line("Again: %s, by the clock of %s.", m.GetRecurrence(), zone)
	}
	if m.GetReason() != "" {
		p.line("%s", m.GetReason())
	}
	p.line("Made by %s at %s; etag %s.", m.GetCreator(), moment(m.GetCreateTime()), m.GetEtag())
}

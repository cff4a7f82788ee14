package format

import (
	"fmt"
	"io"
	"strings"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// Event writes an event in one line, cut to width cells; 0 means never.
func Event(w io.Writer, e *monitorv1.Event, width int) error {
	line := fmt.Sprintf("%s  %-19s  %s", moment(e.GetEventTime()), word(e.GetType(), "EVENT_TYPE_"), about(e))
	if e.GetMuted() {
		line += "  (nobody is told)"
	}
	_, err := io.WriteString(w, Cut(printable(line), width)+"\n")
	return err
}

// about says what an event is about.
func about(e *monitorv1.Event) string {
	var parts []string
	if s := e.GetSite(); s != nil {
		parts = append(parts, fmt.Sprintf("site %d", s.GetSiteId()), s.GetUrl())
	}
	if s := e.GetStatusChange(); s != nil {
		if why := failure(s.GetFailure(), s.GetReason(), s.GetHttpStatus()); s.GetFailure() != 0 {
			parts = append(parts, why)
		}
		if s.GetOutageId() != 0 {
			parts = append(parts, fmt.Sprintf("outage %d", s.GetOutageId()))
		}
	}
	if a := e.GetAdvisory(); a != nil {
		parts = append(parts, word(a.GetAdvisory(), "ADVISORY_"), a.GetDetail())
	}
	if i := e.GetIncident(); i != nil {
		parts = append(parts, fmt.Sprintf("incident %d", i.GetIncidentId()),
			fmt.Sprintf("%s %s", word(i.GetCause(), "SHARED_CAUSE_"), i.GetCauseValue()),
			fmt.Sprintf("%d of %d sites are down", i.GetMembersDown(), i.GetMembers()))
	}
	return strings.Join(parts, "  ")
}

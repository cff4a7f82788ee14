package gateway

import (
	"context"
	"io"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// calendarType is the media type of a calendar.
const calendarType = "text/calendar; charset=utf-8"

// calendar writes the maintenances as a calendar. Programs that subscribe to calendars know HTTP
// Basic authentication, and few know bearer tokens: here the password may be the token. The answer
// only reads, and pages of other origins cannot read it.
func (h *handler) calendar(w http.ResponseWriter, req *http.Request) error {
	if err := checkNoBody(w, req); err != nil {
		return err
	}
	plain := req.Clone(req.Context())
	if _, password, ok := req.BasicAuth(); ok && len(req.Header.Values("Authorization")) == 1 {
		plain.Header.Set("Authorization", "Bearer "+password)
	}
	asked, err := h.stream(plain, monitorv1.MaintenanceService_GetMaintenanceCalendar_FullMethodName)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(asked.Context(), callTimeout)
	defer cancel()
	resp, err := monitorv1.NewMaintenanceServiceClient(h.conn).GetMaintenanceCalendar(ctx, &monitorv1.GetMaintenanceCalendarRequest{})
	if err != nil {
		if status.Code(err) == codes.Unauthenticated {
			w.Header().Add("WWW-Authenticate", `Basic realm="jetmon", charset="UTF-8"`)
		}
		h.failCall(asked.Context(), w, err)
		return nil
	}
	out := &taggingWriter{ResponseWriter: w, x: reading(req)}
	out.Header().Set("Content-Type", calendarType)
	out.Header().Set("Content-Disposition", `inline; filename="maintenances.ics"`)
	_, err = io.Copy(out, strings.NewReader(resp.GetCalendar()))
	return err
}

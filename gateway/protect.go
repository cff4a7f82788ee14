package gateway

import (
	"net/http"

	"google.golang.org/grpc/codes"
)

// protectRoute is the path of what Jetpack's Protect dashboard reads. Its errors have the
// statuses and codes that the plugin itself has for it in a site.
const protectRoute = "/wpcom/v2/sites/{site}/protect-dashboard/uptime"

// protectStatus returns the status of an error.
func protectStatus(status int, code codes.Code) int {
	switch {
	case status == http.StatusUnauthorized:
		return http.StatusForbidden
	case status == http.StatusBadRequest && code == codes.FailedPrecondition:
		return http.StatusConflict
	case status >= http.StatusInternalServerError:
		return http.StatusBadGateway
	}
	return status
}

// protectCode returns the code of an error with a status; "" where it is that of every path.
func protectCode(status int) string {
	switch status {
	case http.StatusForbidden:
		return "not_connected"
	case http.StatusConflict:
		return "monitor_inactive"
	case http.StatusBadGateway:
		return "uptime_unavailable"
	}
	return ""
}

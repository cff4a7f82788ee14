package gateway_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

const protectPath = "/wpcom/v2/sites/7/protect-dashboard/uptime"

// Jetpack's dashboard reads names of its own, and tells three errors apart.
func TestTheProtectDashboardIsAnsweredInItsOwnWords(t *testing.T) {
	t.Parallel()
	want := `{"days":[{"date":"2026-11-29","status":"down","downtimeInMinutes":12},{"date":"2026-11-30","status":"up","downtimeInMinutes":0}],"isUp":false}`
	if a := open(t, newFake()).get(protectPath); a.status != 200 || strings.TrimSpace(a.body) != want {
		t.Errorf("%d %s\nwant %s", a.status, a.body, want)
	}
	for name, c := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"all are paused":  {fault.New(fault.Fenced, "m"), 409, "monitor_inactive"},
		"not permitted":   {fault.New(fault.Denied, "m"), 403, "not_connected"},
		"unauthenticated": {fault.New(fault.Unauthenticated, "m"), 403, "not_connected"},
		"unavailable":     {fault.New(fault.Unavailable, "m"), 502, "uptime_unavailable"},
		"too late":        {context.DeadlineExceeded, 502, "uptime_unavailable"},
		"of no one":       {errors.New("m"), 502, "uptime_unavailable"},
		"not found":       {fault.New(fault.NotFound, "m"), 404, "unknown_blog"},
		"a field":         {fault.InvalidField("site", "m"), 400, "rest_invalid_param"},
		"exhausted":       {fault.New(fault.Exhausted, "m").With(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)}), 429, "rest_too_many_requests"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.fail = func(context.Context) error { return c.err }
			a := open(t, f).get(protectPath)
			data, _ := a.json["data"].(map[string]any)
			if a.status != c.status || a.json["code"] != c.code || data["status"] != float64(c.status) {
				t.Errorf("%d %s, want %d %s", a.status, a.body, c.status, c.code)
			}
		})
	}
	if a := openAlone(t, rpc.NewMemory()).get(protectPath); a.status != 502 || a.json["code"] != "uptime_unavailable" {
		t.Errorf("without a coordinator: %d %s", a.status, a.body)
	}
	denied := open(t, &fake{access: rpc.NewAuthorizer(rpc.AuthorizerOptions{})}).get(protectPath)
	if denied.status != 403 || denied.json["code"] != "not_connected" {
		t.Errorf("without a token: %d %s", denied.status, denied.body)
	}
}

// An agency's dashboard compares numbers and truths, which no text is.
func TestAnAgencysSitesAreNumbersAndTruths(t *testing.T) {
	t.Parallel()
	want := `{"sites":[{"blog_id":9000000001,"url":"","url_with_scheme":"","monitor_active":false,"monitor_site_status":false,"monitor_last_status_change":"",` +
		`"monitor_settings":{"monitor_active":false,"monitor_site_status":false,"last_down_time":"","check_interval":0,"monitor_deferment_time":0,` +
		`"monitor_user_email_notifications":false,"monitor_user_wp_note_notifications":false,"monitor_user_sms_notifications":false,` +
		`"monitor_notify_additional_user_emails":[],"monitor_notify_additional_user_sms":[]}}],"total":0,"per_page":0}`
	h := open(t, newFake())
	if a := h.get("/wpcom/v2/jetpack-agency/sites?blog_ids=9000000001&blog_ids=7"); a.status != 200 || strings.TrimSpace(a.body) != want {
		t.Errorf("%d %s\nwant %s", a.status, a.body, want)
	}
	for query, wrong := range map[string]string{"": "blog_ids", "?blog_ids=0": "blog_ids", "?blog_ids=7&blog_ids=7": "blog_ids", "?blog_ids=x": "blog_ids", "?page=2": "page"} {
		a := h.get("/wpcom/v2/jetpack-agency/sites" + query)
		data, _ := a.json["data"].(map[string]any)
		params, _ := data["params"].(map[string]any)
		if a.status != 400 || a.json["code"] != "rest_invalid_param" || params[wrong] == nil {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The parts of the REST answers that stories check.
type (
	site struct {
		SiteID               string    `json:"site_id"`
		URL                  string    `json:"url"`
		State                string    `json:"state"`
		StatusID             int       `json:"status_id"`
		OutageID             string    `json:"outage_id"`
		Flapping             bool      `json:"flapping"`
		HoldReason           string    `json:"hold_reason"`
		Paused               bool      `json:"paused"`
		CheckInterval        string    `json:"check_interval"`
		LastCheckTime        time.Time `json:"last_check_time"`
		LastStatusChangeTime time.Time `json:"last_status_change_time"`
		MaintenanceID        string    `json:"maintenance_id"`
		MaintenanceEndTime   time.Time `json:"maintenance_end_time"`
	}
	outage struct {
		OutageID    string    `json:"outage_id"`
		SiteID      string    `json:"site_id"`
		StatusID    int       `json:"status_id"`
		Failure     string    `json:"failure"`
		HTTPStatus  int       `json:"http_status"`
		StartTime   time.Time `json:"start_time"`
		ConfirmTime time.Time `json:"confirm_time"`
		EndTime     time.Time `json:"end_time"`
		EndReason   string    `json:"end_reason"`
		SuspendTime time.Time `json:"suspend_time"`

		MaintenanceID       string `json:"maintenance_id"`
		MaintenanceDuration string `json:"maintenance_duration"`

		Votes []struct {
			Veriflier, Region, Value string
		}
		Checks []struct{ Checker string }
	}
	fleetView struct {
		Coordinator struct {
			Sites              string
			UndeliveredNotices string `json:"undelivered_notices"`
			UntoldSites        string `json:"untold_sites"`
			Muted              bool
		}
		Checkers []struct {
			Node       string `json:"node"`
			OpenChecks int    `json:"open_checks"`
		}
		Verifliers []struct{ Name, State, Detail, Asked, Unknown, Dissented string }
		Alarms     []struct {
			Kind    string
			SiteID  string `json:"site_id"`
			Message string
		}
	}
)

// rest calls the gateway at base. It uses a new connection per call, which leaves nothing
// behind.
type rest struct{ base string }

func (r rest) do(t *testing.T, method, path, contentType, body string) (int, string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Close = true
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// call expects 200 and decodes the answer.
func (r rest) call(t *testing.T, method, path, body string, into any) {
	t.Helper()
	contentType := ""
	if body != "" {
		contentType = "application/json"
	}
	code, text, err := r.do(t, method, path, contentType, body)
	if err != nil || code != http.StatusOK {
		t.Fatalf("%s %s: status %d, error %v: %s", method, path, code, err, text)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, text)
	}
}

// create adds a site.
func (r rest) create(t *testing.T, url string, blog int) site {
	t.Helper()
	var s site
	r.call(t, http.MethodPost, "/v1/sites", fmt.Sprintf(`{"url":%q,"blog_id":%d,"check_interval":"60s"}`, url, blog), &s)
	return s
}

func (r rest) site(t *testing.T, id string) site {
	t.Helper()
	var s site
	r.call(t, http.MethodGet, "/v1/sites/"+id, "", &s)
	return s
}

func (r rest) patch(t *testing.T, id, body string) site {
	t.Helper()
	var s site
	r.call(t, http.MethodPatch, "/v1/sites/"+id, body, &s)
	return s
}

// outages lists the outages of a site, without votes.
func (r rest) outages(t *testing.T, id string) []outage {
	t.Helper()
	var page struct{ Outages []outage }
	r.call(t, http.MethodGet, "/v1/outages?site_id="+id, "", &page)
	return page.Outages
}

func (r rest) outage(t *testing.T, id string) outage {
	t.Helper()
	var o outage
	r.call(t, http.MethodGet, "/v1/outages/"+id, "", &o)
	return o
}

func (r rest) fleet(t *testing.T) fleetView {
	t.Helper()
	var f fleetView
	r.call(t, http.MethodGet, "/v1/fleet", "", &f)
	return f
}

// awaitState waits until a site is in one of these states, given without SITE_STATE_.
func (r rest) awaitState(t *testing.T, id string, states ...string) site {
	t.Helper()
	var s site
	await(t, "site "+id+" is "+strings.Join(states, " or "), patience, func() bool {
		s = r.site(t, id)
		for _, want := range states {
			if s.State == "SITE_STATE_"+want {
				return true
			}
		}
		return false
	})
	return s
}

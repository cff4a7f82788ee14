package openapi

import (
	"maps"
	"net/url"
	"strconv"
	"strings"
)

// Example is a request that can be made of a system that has just been started with a site 1.
type Example struct {
	// Values are those of the path and the query, by name.
	Values [][2]string
	// Body is that of the request; empty for none. Kind is its type, JSON by default.
	Body, Kind string
}

// examples are those of all RPCs, by their names without the service's.
func examples() map[string]Example {
	all := siteExamples()
	maps.Copy(all, listenerExamples())
	return all
}

// siteExamples are those of the RPCs about sites, the fleet and access.
func siteExamples() map[string]Example {
	site := [2]string{"site_id", "1"}
	blog := [2]string{"site", "7"}
	return map[string]Example{
		"ListSites":     {Values: [][2]string{{"page_size", "100"}, {"host", "example.com"}}},
		"GetSite":       {Values: [][2]string{site}},
		"BatchGetSites": {Values: [][2]string{{"site_ids", "1"}}},
		"CreateSite": {Body: `{"url": "https://example.com/", "blog_id": "7", "check_interval": "300s", "tags": ["shop"],` +
			` "settings": {"required_texts": ["Welcome"]}}`},
		"UpdateSite":  {Values: [][2]string{site}, Body: `{"check_interval": "60s"}`},
		"DeleteSite":  {Values: [][2]string{site}},
		"ExplainSite": {Values: [][2]string{site}},
		"CheckSite":   {Values: [][2]string{site}},
		"PauseSite":   {Values: [][2]string{site}},
		"ResumeSite":  {Values: [][2]string{site}},
		"ImportSites": {Body: `{"url":"https://example.net/","blog_id":"7"}` + "\n" + `{"url":"https://example.org/","blog_id":"7","tags":["shop"]}` + "\n", Kind: ndjson},
		"ExportSites": {Values: [][2]string{{"blog_id", "7"}}},

		"DiagnoseSite": {Values: [][2]string{site}},

		"ListAdvisories": {Values: [][2]string{{"advisory", "ADVISORY_TLS_EXPIRING"}, {"page_size", "100"}}},

		"GetBadge": {Values: [][2]string{site, {"badge", "uptime-30d.svg"}}},

		"GetSiteHistory":      {Values: [][2]string{site, {"resolution", "HISTORY_RESOLUTION_HOUR"}, {"page_size", "100"}}},
		"ExportSiteHistory":   {Values: [][2]string{site, {"resolution", "HISTORY_RESOLUTION_RAW"}}},
		"GetSiteUptime":       {Values: [][2]string{site, {"by_day", "true"}}},
		"BatchGetSiteUptimes": {Values: [][2]string{{"site_ids", "1"}}},
		"GetFleetHistory":     {},

		"ListIncidents":       {Values: [][2]string{{"open", "true"}}},
		"GetIncident":         {Values: [][2]string{{"incident_id", "1"}}},
		"ListIncidentMembers": {Values: [][2]string{{"incident_id", "1"}, {"page_size", "100"}}},

		"ListOutages":  {Values: [][2]string{site, {"page_size", "100"}}},
		"GetOutage":    {Values: [][2]string{{"outage_id", "1"}}},
		"ReplayOutage": {Values: [][2]string{{"outage_id", "1"}}},

		"ListOutageNotices": {Values: [][2]string{{"outage_id", "1"}, {"page_size", "100"}}},

		"WatchChanges": {Values: [][2]string{{"from_start", "true"}, {"heartbeat", "5s"}}},
		"GetFleet":     {},

		"GetCaller":        {},
		"ListTokens":       {},
		"GetToken":         {Values: [][2]string{{"token_id", "1"}}},
		"CreateToken":      {Body: `{"name": "status-page", "scopes": ["sites:read", "outages:read"]}`},
		"RevokeToken":      {Values: [][2]string{{"token_id", "1"}}},
		"ListAuditRecords": {Values: [][2]string{{"resource", "sites/1"}}},

		"GetJetpackMonitorStatus":   {Values: [][2]string{blog}},
		"GetJetpackMonitorSettings": {Values: [][2]string{blog}},
		"UpdateJetpackMonitorSettings": {Values: [][2]string{blog},
			Body: `{"email_notifications": true, "jetmon_defer_status_down_minutes": 5}`},
		"ListJetpackMonitorIncidents": {Values: [][2]string{blog}},
		"GetJetpackMonitorUptime":     {Values: [][2]string{blog, {"period", "30 days"}}},
		"GetProtectUptime":            {Values: [][2]string{blog}},
		"ListAgencySites":             {Values: [][2]string{{"blog_ids", "7"}}},
	}
}

// listenerExamples are those of the RPCs about maintenance, and about who is told.
func listenerExamples() map[string]Example {
	site := [2]string{"site_id", "1"}
	maintenance := [2]string{"maintenance_id", "1"}
	subscription := [2]string{"subscription_id", "1"}
	return map[string]Example{
		"ListMaintenances": {Values: [][2]string{{"active", "true"}, site}},
		"GetMaintenance":   {Values: [][2]string{maintenance}},
		"CreateMaintenance": {Body: `{"name": "Move of the shops", "tag": "shop", "start_time": "2026-11-30T00:00:00Z", "duration": "86400s",` +
			` "recurrence": "FREQ=DAILY", "time_zone": "Europe/Berlin"}`},
		"UpdateMaintenance":      {Values: [][2]string{maintenance}, Body: `{"reason": "The old cluster is too small"}`},
		"EndMaintenance":         {Values: [][2]string{maintenance}},
		"DeleteMaintenance":      {Values: [][2]string{maintenance}},
		"GetMaintenanceCalendar": {},

		"CreateSubscription": {Body: `{"name": "pager", "kind": "SUBSCRIPTION_KIND_WEBHOOK", "url": "https://pager.example/hooks/jetmon",` +
			` "filter": {"types": ["EVENT_TYPE_SITE_DOWN", "EVENT_TYPE_SITE_UP"], "tags": ["shop"]}, "delay": "120s"}`},
		"ListSubscriptions":        {},
		"GetSubscription":          {Values: [][2]string{subscription}},
		"UpdateSubscription":       {Values: [][2]string{subscription}, Body: `{"delay": "60s"}`},
		"EnableSubscription":       {Values: [][2]string{subscription}},
		"DisableSubscription":      {Values: [][2]string{subscription}},
		"TestSubscription":         {Values: [][2]string{subscription}},
		"RotateSubscriptionSecret": {Values: [][2]string{subscription}},
		"DeleteSubscription":       {Values: [][2]string{subscription}},

		"ListNotifications":   {Values: [][2]string{{"subscription_id", "0"}, {"page_size", "100"}}},
		"GetNotification":     {Values: [][2]string{{"notification_id", "1"}}},
		"ReplayNotification":  {Values: [][2]string{{"notification_id", "1"}}},
		"ReplayNotifications": {Values: [][2]string{{"subscription_id", "0"}, {"since_time", "2026-05-13T00:00:00Z"}}},
	}
}

// value is the example of a parameter, of the type of its schema; nil for none.
func (e Example) value(name string, of *Schema) any {
	for _, v := range e.Values {
		if v[0] != name {
			continue
		}
		n, err := strconv.Atoi(v[1])
		switch {
		case of.Type == "integer" && err == nil:
			return n
		case of.Type == "boolean":
			return v[1] == "true"
		case of.Type == "array":
			return []string{v[1]}
		}
		return v[1]
	}
	return nil
}

// target is the path of the example with its query.
func (e Example) target(template string) string {
	var query []string
	for _, v := range e.Values {
		if path := strings.Replace(template, "{"+v[0]+"}", url.PathEscape(v[1]), 1); path != template {
			template = path
			continue
		}
		query = append(query, v[0]+"="+url.QueryEscape(v[1]))
	}
	if len(query) > 0 {
		template += "?" + strings.Join(query, "&")
	}
	return template
}

// curl is the request as a command line.
func (e Example) curl(method, template string) string {
	line := `curl -s -H "Authorization: Bearer $TOKEN"`
	if strings.HasSuffix(template, ":watch") { // what has come must be shown, and there is no end
		line = strings.Replace(line, "-s", "-sN", 1)
	}
	if method != "GET" && !(method == "POST" && e.Body != "") {
		line += " -X " + method
	}
	if e.Body != "" {
		kind := e.Kind
		if kind == "" {
			kind = jsonType
		}
		line += " -H 'Content-Type: " + kind + "' --data-binary '" + strings.TrimSpace(e.Body) + "'"
	}
	return line + ` "$JETMON` + e.target(template) + `"`
}

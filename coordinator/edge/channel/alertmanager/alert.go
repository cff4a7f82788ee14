package alertmanager

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel/words"
	"github.com/Automattic/jetmon/coordinator/rules/event"
)

// Alert is a postableAlert of the API v2.
type Alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// alert returns the alert of an event at a time. Events about the same have the same labels,
// for by them Alertmanager knows that an alert ends.
func (c *Channel) alert(e *event.Event, now time.Time) Alert {
	a := Alert{Labels: map[string]string{}, Annotations: map[string]string{"summary": words.Title(e)}}
	for name, value := range c.labels {
		a.Labels[name] = value
	}
	a.Labels["source"] = "jetmon"
	if s := e.Site; s != nil {
		site(a.Labels, s)
		if u, err := url.Parse(s.URL); err == nil && u.Host != "" {
			a.GeneratorURL = u.String()
		}
	}
	var start time.Time
	switch {
	case e.Status != nil:
		a.Labels["alertname"], a.Labels["severity"] = "SiteDown", "critical"
		start = e.Status.Start.Time
	case e.Advisory != nil:
		a.Labels["alertname"], a.Labels["severity"] = "SiteAdvisory", "warning"
		a.Labels["advisory"] = strings.ToLower(strings.TrimPrefix(e.Advisory.Advisory, "ADVISORY_"))
		start = e.Advisory.Open.Time
	case e.Incident != nil:
		a.Labels["alertname"], a.Labels["severity"] = "Incident", "critical"
		a.Labels["incident_id"] = strconv.FormatInt(e.Incident.ID, 10)
		start = e.Incident.Start.Time
	default:
		a.Labels["alertname"], a.Labels["severity"] = "JetmonTest", "none"
	}
	a.StartsAt = cmp.Or(start, e.Time.Time, now).UTC()
	switch {
	case fires(e.Type):
		a.EndsAt = now.Add(lasts).UTC()
	case e.Type == event.Test:
		a.EndsAt = now.Add(testLasts).UTC()
	default:
		a.EndsAt = e.Time.UTC()
	}
	if a.EndsAt.Before(a.StartsAt) {
		a.StartsAt = a.EndsAt // it refuses others
	}
	a.Annotations["description"] = description(e)
	return a
}

// site adds the labels of a site. Each tag is a label, so that alerts can be routed by it:
// "host:acme" as tag_host="acme", "shop" as tag_shop="true".
func site(labels map[string]string, s *event.Site) {
	labels["site_id"] = strconv.FormatInt(int64(s.ID), 10)
	labels["url"] = s.URL
	if u, err := url.Parse(s.URL); err == nil && u.Hostname() != "" {
		labels["instance"] = u.Hostname()
	}
	if s.BlogID != 0 {
		labels["blog_id"] = strconv.FormatInt(int64(s.BlogID), 10)
	}
	for _, tag := range s.Tags {
		name, value, ok := strings.Cut(tag, ":")
		if !ok || value == "" {
			value = "true"
		}
		labels["tag_"+strings.NewReplacer(".", "_", "-", "_", ":", "_").Replace(name)] = value
	}
}

// description lists the facts of an event.
func description(e *event.Event) string {
	var lines []string
	for _, f := range words.Facts(e) {
		lines = append(lines, f.Name+": "+f.Value)
	}
	return strings.Join(lines, "\n")
}

// Package alertmanager tells Prometheus's Alertmanager of events, by its API v2: what is down or
// remarked is an alert that fires, and ends when that ends. An alert that is not told again ends
// by itself, so Tell asks to be repeated.
package alertmanager

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/channel/post"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

const (
	// renew is when an alert that fires is told again.
	renew = 2 * time.Minute
	// lasts is how long an alert fires that is not told again: two repeats may be lost.
	lasts = 3 * renew
	// testLasts is how long a test fires.
	testLasts = time.Minute

	path = "/api/v2/alerts"
)

// Channel is an Alertmanager.
type Channel struct {
	client  *post.Client
	url     string
	bearer  string
	labels  map[string]string
	secrets []string
}

// New makes the channel of a subscription. Its URL is that of the Alertmanager, with or without
// the path of the API.
func New(s subscription.Subscription, o post.Options) (*Channel, error) {
	if err := o.Check(s.URL, s.Secrets.Bearer != ""); err != nil {
		return nil, &subscription.EndpointError{Field: "url", Err: err}
	}
	base, query, hasQuery := strings.Cut(s.URL, "?")
	base = strings.TrimSuffix(strings.TrimRight(base, "/"), path) + path
	if hasQuery {
		base += "?" + query
	}
	return &Channel{
		client: post.New(o), url: base, bearer: s.Secrets.Bearer, labels: s.Labels,
		secrets: append(post.SecretsOf(s.URL, false), s.Secrets.Bearer),
	}, nil
}

// Close implements channel.Channel.
func (c *Channel) Close() { c.client.Close() }

// Tell implements channel.Channel.
func (c *Channel) Tell(ctx context.Context, d channel.Delivery) channel.Answer {
	one := c.alert(&d.Event, time.Now())
	body, err := json.Marshal([]Alert{one})
	if err != nil {
		return channel.Answer{Verdict: channel.Hopeless, Text: channel.Text(fmt.Sprintf("encode an alert: %v", err))}
	}
	header := http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {d.Key}}
	if c.bearer != "" {
		header.Set("Authorization", "Bearer "+c.bearer)
	}
	answer := channel.Judge(c.client.Do(ctx, post.Request{URL: c.url, Header: header, Body: body}), c.secrets...)
	if answer.Verdict == channel.Accepted && fires(d.Event.Type) {
		answer.Renew = renew
	}
	return answer
}

// fires reports whether an event begins or continues an alert.
func fires(t event.Type) bool {
	switch t {
	case event.SiteDown, event.SiteConfirmedDown, event.AdvisoryOpened, event.IncidentOpened, event.IncidentUpdated:
		return true
	}
	return false
}

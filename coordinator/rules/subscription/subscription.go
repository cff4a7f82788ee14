// Package subscription defines who is told of which events, by which way. A subscription is a
// value: package channel makes its endpoint, state/store keeps it.
package subscription

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
)

// WordPressCom is the id of the subscription that the command line describes: WordPress.com,
// told as v1 told it. It is not in the store.
const WordPressCom = 0

// Kind is the way by which a subscription is told.
type Kind uint8

// The kinds, numbered as in subscription.proto. The numbers never change: they are stored.
const (
	KindNone Kind = iota
	// Webhook is a POST of the event, signed as Standard Webhooks say.
	Webhook
	// Slack is an incoming webhook of Slack, or of what understands the same.
	Slack
	// Email is a mail by SMTP.
	Email
	// Alertmanager is Prometheus's Alertmanager, API v2.
	Alertmanager
	// WPCOM is v1's notification as a POST with a bearer token.
	WPCOM
	// WPCOMLegacy is v1's notification as v1 sent it: a GET with a client certificate.
	WPCOMLegacy
)

// State says whether a subscription is told.
type State uint8

// The states, numbered as in subscription.proto. The numbers never change: they are stored.
const (
	StateNone State = iota
	// Active is told.
	Active
	// Disabled gets no new deliveries, and those that wait stay: its owner wants that.
	Disabled
	// Paused gets new deliveries, which wait: its endpoint refuses us (401, 403).
	Paused
)

// Subscription is who is told of which events.
type Subscription struct {
	ID   int64
	Name string
	Kind Kind
	// Filter admits the events that it is told of.
	Filter event.Filter
	// Delay is how long the news that a site is down waits. If the site is up before that,
	// neither is told.
	Delay time.Duration
	// Rate bounds its deliveries a second, Burst those at once; 0 is the default.
	Rate  float64
	Burst int
	Endpoint
	Secrets Secrets
	State   State
	// Why is the reason for the state, Since when it began.
	Why   string
	Since time.Time
	// Revision rises with each change.
	Revision         int64
	Created, Updated time.Time
}

// Endpoint is where a subscription is told; each kind uses some of the fields. The names in
// JSON are stored, and never change.
type Endpoint struct {
	// URL is that of the kinds over HTTP. It may hold a secret, as Slack's do.
	URL string `json:"url,omitempty"`
	// Headers are added to requests.
	Headers map[string]string `json:"headers,omitempty"`
	// To are the receivers of mails.
	To []string `json:"to,omitempty"`
	// Labels are added to alerts.
	Labels map[string]string `json:"labels,omitempty"`
}

// Secrets are what is written and never shown. The names in JSON are stored, and never change.
type Secrets struct {
	// Signing are the secrets that sign webhooks, the newest first: two while they rotate.
	Signing []string `json:"signing,omitempty"`
	// Bearer is the token of the kinds that send one.
	Bearer string `json:"bearer,omitempty"`
}

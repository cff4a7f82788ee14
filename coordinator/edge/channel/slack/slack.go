// Package slack tells an incoming webhook of Slack, or of what understands the same as
// Mattermost and Rocket.Chat do. Its messages can be read on their own, by people.
package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/channel/post"
	"github.com/Automattic/jetmon/coordinator/edge/channel/words"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

// Channel is an incoming webhook.
type Channel struct {
	client  *post.Client
	url     string
	secrets []string
}

// New makes the channel of a subscription. The path of its URL is a secret.
func New(s subscription.Subscription, o post.Options) (*Channel, error) {
	if err := o.Check(s.URL, true); err != nil {
		return nil, &subscription.EndpointError{Field: "url", Err: err}
	}
	return &Channel{client: post.New(o), url: s.URL, secrets: append(post.SecretsOf(s.URL, true), s.Secrets.Bearer)}, nil
}

// Close implements channel.Channel.
func (c *Channel) Close() { c.client.Close() }

// Tell implements channel.Channel. Success is what Slack and its likes answer, not any 200: a
// page of a proxy is none.
func (c *Channel) Tell(ctx context.Context, d channel.Delivery) channel.Answer {
	body, err := Message(&d.Event)
	if err != nil {
		return channel.Answer{Verdict: channel.Hopeless, Text: channel.Text(err.Error())}
	}
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Idempotency-Key": {d.Key}}
	reply := c.client.Do(ctx, post.Request{URL: c.url, Header: header, Body: body})
	answer := channel.Judge(reply, c.secrets...)
	switch {
	case answer.Verdict == channel.Accepted && !isOK(reply):
		answer.Verdict, answer.Text = channel.Failed, channel.Text("the answer is not ok: "+answer.Text, c.secrets...)
	case reply.Status == http.StatusNotFound || refuses(reply):
		answer.Verdict, answer.RetryAfter = channel.Refused, 0
	}
	return answer
}

// isOK reports whether an answer says, to its end, that the message was taken: "ok" of Slack, an
// object with ok or success of its likes.
func isOK(r post.Reply) bool {
	if r.Broken != nil {
		return false
	}
	if bytes.Equal(bytes.TrimSpace(r.Body), []byte("ok")) {
		return true
	}
	var said map[string]json.RawMessage
	return json.Unmarshal(r.Body, &said) == nil && (string(said["ok"]) == "true" || string(said["success"]) == "true")
}

// refuses reports whether an answer means the webhook, not the message.
func refuses(r post.Reply) bool {
	if r.Status < 400 || r.Status >= 500 {
		return false
	}
	switch strings.TrimSpace(string(r.Body)) {
	case "invalid_token", "no_service", "no_service_id", "no_team", "no_active_hooks", "team_disabled", "channel_is_archived",
		"channel_not_found", "posting_to_general_channel_denied", "action_prohibited", "user_not_found":
		return true
	}
	return false
}

// message is the body of an incoming webhook.
type message struct {
	Text        string       `json:"text"`
	Attachments []attachment `json:"attachments,omitempty"`
}

type attachment struct {
	Fallback  string   `json:"fallback"`
	Color     string   `json:"color,omitempty"`
	Fields    []field  `json:"fields,omitempty"`
	Timestamp int64    `json:"ts,omitempty"`
	Footer    string   `json:"footer,omitempty"`
	Markdown  []string `json:"mrkdwn_in"`
}

type field struct {
	Title string `json:"title"`
	Value string `json:"value"`
	Short bool   `json:"short"`
}

// shortField is the length up to which a value may stand beside another.
const shortField = 40

// Message returns an event as a message.
func Message(e *event.Event) ([]byte, error) {
	a := attachment{Fallback: escape(words.Title(e)), Color: color(words.MoodOf(e)), Footer: "Jetmon", Markdown: []string{}}
	if !e.Time.IsZero() {
		a.Timestamp = e.Time.UTC().Truncate(time.Second).Unix()
	}
	for _, f := range words.Facts(e) {
		a.Fields = append(a.Fields, field{Title: f.Name, Value: escape(f.Value), Short: len(f.Value) <= shortField})
	}
	text, err := json.Marshal(message{Text: icon(words.MoodOf(e)) + escape(words.Title(e)), Attachments: []attachment{a}})
	if err != nil {
		return nil, fmt.Errorf("encode a message: %w", err)
	}
	return text, nil
}

// escape makes a text one that mentions nobody and links nothing of its own.
func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

func color(m words.Mood) string {
	switch m {
	case words.Good:
		return "good"
	case words.Warning:
		return "warning"
	case words.Bad:
		return "danger"
	}
	return ""
}

func icon(m words.Mood) string {
	switch m {
	case words.Good:
		return ":large_green_circle: "
	case words.Warning:
		return ":warning: "
	case words.Bad:
		return ":red_circle: "
	}
	return ""
}

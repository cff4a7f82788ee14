package wpcom

import (
	"context"
	"net/http"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/channel/post"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

// Post is an endpoint that takes v1's notifications as the body of a POST, with a bearer token in
// place of the one in the JSON.
type Post struct {
	client      *post.Client
	url, bearer string
	hosts       map[string]string
	secrets     []string
}

// NewPost makes the channel of a subscription. hosts has the hosts of the verifliers by name.
func NewPost(s subscription.Subscription, o post.Options, hosts map[string]string) (*Post, error) {
	if err := o.Check(s.URL, s.Secrets.Bearer != ""); err != nil {
		return nil, &subscription.EndpointError{Field: "url", Err: err}
	}
	return &Post{
		client: post.New(o), url: s.URL, bearer: s.Secrets.Bearer, hosts: hosts,
		secrets: append(post.SecretsOf(s.URL, false), s.Secrets.Bearer),
	}, nil
}

// Close implements channel.Channel.
func (p *Post) Close() { p.client.Close() }

// Tell implements channel.Channel. Success is v1's: HTTP 200 and a JSON object whose success is
// true.
func (p *Post) Tell(ctx context.Context, d channel.Delivery) channel.Answer {
	if d.Change == nil {
		return channel.Answer{Verdict: channel.Hopeless, Text: "version 1 has a form for changes of status only"}
	}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}, "Idempotency-Key": {d.Key}}
	if p.bearer != "" {
		header.Set("Authorization", "Bearer "+p.bearer)
	}
	reply := p.client.Do(ctx, post.Request{URL: p.url, Header: header, Body: V1(*d.Change, p.hosts)})
	answer := channel.Judge(reply, p.secrets...)
	if answer.Verdict != channel.Accepted {
		return answer
	}
	why := reply.Broken
	switch {
	case reply.Status != http.StatusOK:
		answer.Verdict = channel.Failed
	case why == nil:
		why = Judge(reply.Body)
	}
	if why != nil {
		answer.Verdict, answer.Text = channel.Failed, channel.Text("HTTP 200, but "+why.Error(), p.secrets...)
	}
	return answer
}

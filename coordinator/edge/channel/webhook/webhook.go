// Package webhook tells an endpoint of events as Standard Webhooks say: a POST of the event's
// JSON, exactly as it is stored, signed with each live secret.
package webhook

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/channel/post"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

// Channel is the endpoint of a webhook.
type Channel struct {
	client  *post.Client
	url     string
	bearer  string
	signers []*standardwebhooks.Webhook
	secrets []string
}

// New makes the channel of a subscription.
func New(s subscription.Subscription, o post.Options) (*Channel, error) {
	if err := o.Check(s.URL, s.Secrets.Bearer != ""); err != nil {
		return nil, &subscription.EndpointError{Field: "url", Err: err}
	}
	c := &Channel{client: post.New(o), url: s.URL, bearer: s.Secrets.Bearer}
	c.secrets = append(post.SecretsOf(s.URL, false), s.Secrets.Bearer)
	for _, secret := range s.Secrets.Signing {
		signer, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return nil, fmt.Errorf("the signing secret of subscription %d is damaged", s.ID)
		}
		c.signers, c.secrets = append(c.signers, signer), append(c.secrets, secret)
	}
	return c, nil
}

// Close implements channel.Channel.
func (c *Channel) Close() { c.client.Close() }

// Tell implements channel.Channel. Any 2xx is success, whatever the body.
func (c *Channel) Tell(ctx context.Context, d channel.Delivery) channel.Answer {
	header, err := c.header(d, time.Now())
	if err != nil {
		return channel.Answer{Verdict: channel.Failed, Text: channel.Text(err.Error(), c.secrets...)}
	}
	return channel.Judge(c.client.Do(ctx, post.Request{URL: c.url, Header: header, Body: []byte(d.Body)}), c.secrets...)
}

// header signs a delivery.
func (c *Channel) header(d channel.Delivery, now time.Time) (http.Header, error) {
	signatures := make([]string, len(c.signers))
	for i, signer := range c.signers {
		one, err := signer.Sign(d.Key, now, []byte(d.Body))
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		signatures[i] = one
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("Idempotency-Key", d.Key)
	h.Set(standardwebhooks.HeaderWebhookID, d.Key)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	if len(signatures) > 0 {
		h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	}
	if c.bearer != "" {
		h.Set("Authorization", "Bearer "+c.bearer)
	}
	return h, nil
}

// Package channels makes the channel of a subscription, of whatever kind. It is the only package
// that knows them all.
package channels

import (
	"errors"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/channel/alertmanager"
	"github.com/Automattic/jetmon/coordinator/edge/channel/email"
	"github.com/Automattic/jetmon/coordinator/edge/channel/post"
	"github.com/Automattic/jetmon/coordinator/edge/channel/slack"
	"github.com/Automattic/jetmon/coordinator/edge/channel/webhook"
	"github.com/Automattic/jetmon/coordinator/edge/channel/wpcom"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

// Options are what the operator decides about the channels.
type Options struct {
	// Post is about the kinds over HTTP.
	Post post.Options
	// Mail is the server of mails; its zero value is none.
	Mail email.Server
	// VeriflierHosts has the hosts of the verifliers by name, for v1's form.
	VeriflierHosts map[string]string
}

// Open makes the channel of a subscription. An *subscription.EndpointError says what is wrong
// with it. Nothing is connected before the first delivery.
func (o Options) Open(s subscription.Subscription) (channel.Channel, error) {
	switch s.Kind {
	case subscription.Webhook:
		return opened(webhook.New(s, o.Post))
	case subscription.Slack:
		return opened(slack.New(s, o.Post))
	case subscription.Email:
		return opened(email.New(s, o.Mail))
	case subscription.Alertmanager:
		return opened(alertmanager.New(s, o.Post))
	case subscription.WPCOM:
		return opened(wpcom.NewPost(s, o.Post, o.VeriflierHosts))
	}
	return nil, &subscription.EndpointError{Field: "kind", Err: errors.New("is none that this coordinator knows")}
}

// opened keeps a nil pointer from becoming a channel.
func opened[C channel.Channel](c C, err error) (channel.Channel, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

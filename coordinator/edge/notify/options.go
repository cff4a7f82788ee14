package notify

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/channel/wpcom"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/internal/tracing"
)

const maxParallel = 1024

// Options are where and how to deliver notifications. The zero value of a field means its
// default, unless the field is required.
type Options struct {
	// Disabled sends WordPress.com nothing (v1's WPCOM_NOTIFY_ENABLE = false) and mutes the owned
	// shards, which withdraws its pending notifications.
	Disabled bool
	// URL, Token, VeriflierHosts, TLS and Client say how WordPress.com is told; see wpcom.Options.
	// URL is required unless Disabled.
	URL            string
	Token          string
	VeriflierHosts map[string]string
	TLS            *tls.Config
	Client         *http.Client
	// Channels makes the channel of any other subscription; without it none of them is told.
	Channels func(subscription.Subscription) (channel.Channel, error)
	// Base and Max bound the wait before another attempt: a random part ("full
	// jitter") of Base doubled with each attempt, up to Max. Defaults: 2 s, 10 min.
	Base, Max time.Duration
	// Timeout bounds one attempt, from connect to the end of the answer. Default: 20 s.
	Timeout time.Duration
	// Parallel bounds the deliveries at once to one endpoint, from 1 to 1024. Default: 16.
	Parallel int
	// Rate bounds the notifications to WordPress.com a second, Burst those at once; recoveries
	// are never held back. Defaults: 500, 500. A negative Rate is no bound.
	Rate  float64
	Burst int
	// Poll is how often Run reads what is to be told when nothing wakes it. Default: 5 s.
	Poll time.Duration
	// Shards is required. It names the shards whose notifications to deliver, those that
	// are ours and are not being given up, and says right before each attempt whether its
	// shard is certainly ours. All other notifications wait in the store.
	Shards shard.Holder
	// Random returns a number in [0, 1); the default is math/rand's.
	Random func() float64
	// Traces, optional, takes the spans of attempts to tell what is traced.
	Traces  *tracing.Recorder
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// withDefaults returns o with a value for each field that has a default.
func (o Options) withDefaults() Options {
	o.Base = cmp.Or(o.Base, 2*time.Second)
	o.Max = cmp.Or(o.Max, max(o.Base, 10*time.Minute))
	o.Timeout = cmp.Or(o.Timeout, 20*time.Second)
	o.Poll = cmp.Or(o.Poll, 5*time.Second)
	o.Parallel = cmp.Or(o.Parallel, 16)
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Channels == nil {
		o.Channels = func(s subscription.Subscription) (channel.Channel, error) {
			return nil, fmt.Errorf("there is no way to tell subscriptions of kind %d", s.Kind)
		}
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return o
}

// validate refuses values out of range.
func (o *Options) validate() error {
	switch {
	case o.Base < 0 || o.Max < o.Base:
		return errors.New("waits must be 0 < Base <= Max")
	case o.Timeout < 0 || o.Poll < 0:
		return errors.New("timeout and poll must be positive")
	case o.Parallel < 1 || o.Parallel > maxParallel:
		return fmt.Errorf("parallel deliveries must be from 1 to %d, are %d", maxParallel, o.Parallel)
	case o.Burst < 0:
		return errors.New("burst must be positive")
	}
	return nil
}

// wpcom makes the channel to WordPress.com, nil when that is disabled.
func (o *Options) wpcom() (*wpcom.Channel, error) {
	if o.Disabled {
		return nil, nil
	}
	return wpcom.New(wpcom.Options{
		URL: o.URL, Token: o.Token, VeriflierHosts: o.VeriflierHosts, TLS: o.TLS, Client: o.Client,
		Connect: o.Timeout, Connections: o.Parallel,
	})
}

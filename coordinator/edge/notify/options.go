package notify

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// Limits of the configuration. They keep the request line bounded.
const (
	maxURLBytes   = 1024
	maxTokenBytes = 256
	maxParallel   = 1024
)

// Options are where and how to deliver notifications. The zero value of a field means its
// default, unless the field is required.
type Options struct {
	// Disabled sends nothing (v1's WPCOM_NOTIFY_ENABLE = false) and mutes the owned shards,
	// which withdraws their pending notifications.
	Disabled bool
	// URL is WordPress.com's endpoint, http or https; required unless Disabled. Its query
	// is kept; it must not have a data parameter of its own.
	URL string
	// Token is v1's AUTH_TOKEN: printable ASCII, at most 256 bytes.
	Token string
	// VeriflierHosts has the hosts of the verifliers by name: v1 knew a veriflier by its host.
	VeriflierHosts map[string]string
	// TLS is the client's configuration, made by rpc.LoadClientTLS; the default trusts
	// the system's roots. The server's certificate is always verified.
	TLS *tls.Config
	// Client sends the requests instead of one made from TLS; set at most one of the two.
	// Its redirect policy, timeout and cookies are not used.
	Client *http.Client
	// Base and Max bound the wait before another attempt: a random part ("full
	// jitter") of Base doubled with each attempt, up to Max. Defaults: 1 s, 5 min.
	Base, Max time.Duration
	// Timeout bounds one attempt, from connect to the end of the answer. Default: 20 s.
	Timeout time.Duration
	// Parallel bounds the deliveries at once, from 1 to 1024. Default: 16.
	Parallel int
	// Poll is how often Run reads the outbox when nothing wakes it. Default: 5 s.
	Poll time.Duration
	// Shards is required. It names the shards whose notifications to deliver, those that
	// are ours and are not being given up, and says right before each attempt whether its
	// shard is certainly ours. All other notifications wait in the outbox.
	Shards shard.Holder
	// Random returns a number in [0, 1); the default is math/rand's.
	Random  func() float64
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// endpoint parses and checks URL.
func (o *Options) endpoint() (*url.URL, error) {
	if o.Disabled {
		return nil, nil
	}
	if o.URL == "" {
		return nil, errors.New("URL is required; to send nothing, set Disabled")
	}
	if len(o.URL) > maxURLBytes {
		return nil, fmt.Errorf("URL must be at most %d bytes, has %d", maxURLBytes, len(o.URL))
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		// Only the cause is shown: the URL itself may hold a secret.
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return nil, fmt.Errorf("URL cannot be parsed: %w", err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("URL must begin with http:// or https://")
	case u.Hostname() == "":
		return nil, errors.New("URL must have a host")
	case u.User != nil:
		return nil, errors.New("URL must not contain user information")
	case u.Query().Has("data"):
		return nil, errors.New("URL must not have a data parameter: it carries the notification")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// withDefaults returns o with a value for each field that has a default.
func (o Options) withDefaults() Options {
	o.Base = cmp.Or(o.Base, time.Second)
	o.Max = cmp.Or(o.Max, 5*time.Minute)
	o.Timeout = cmp.Or(o.Timeout, 20*time.Second)
	o.Poll = cmp.Or(o.Poll, 5*time.Second)
	o.Parallel = cmp.Or(o.Parallel, 16)
	if o.Random == nil {
		o.Random = rand.Float64
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
	case len(o.Token) > maxTokenBytes:
		return fmt.Errorf("token must be at most %d bytes, has %d", maxTokenBytes, len(o.Token))
	case o.TLS != nil && o.Client != nil:
		return errors.New("TLS and Client exclude each other")
	case o.TLS != nil && o.TLS.InsecureSkipVerify:
		return errors.New("TLS must verify the server's certificate")
	}
	for _, b := range []byte(o.Token) {
		if b <= ' ' || b > '~' {
			return errors.New("token must be printable ASCII without spaces")
		}
	}
	return nil
}

// client returns the caller's client or our own. It follows no redirect, since that would
// send the token to the host that the answer names.
func (o *Options) client() *http.Client {
	c := http.Client{}
	if o.Client != nil {
		c.Transport = o.Client.Transport
	}
	if c.Transport == nil {
		c.Transport = o.transport()
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// transport uses no proxy from the environment, and keeps a connection for each delivery
// that may be under way.
func (o *Options) transport() *http.Transport {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		conf = o.TLS.Clone()
	}
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: o.Timeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    o.Timeout,
		MaxConnsPerHost:        o.Parallel,
		MaxIdleConns:           o.Parallel,
		MaxIdleConnsPerHost:    o.Parallel,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxAnswerBytes,
		// So the bound on the answer also bounds the decoded text.
		DisableCompression: true,
	}
}

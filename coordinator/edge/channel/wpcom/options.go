package wpcom

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Limits of the configuration. They keep the request line bounded.
const (
	maxURLBytes   = 1024
	maxTokenBytes = 256
)

// Options are where and how WordPress.com is told.
type Options struct {
	// URL is WordPress.com's endpoint, http or https; required. Its query is kept; it must not
	// have a data parameter of its own.
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
	// Connect bounds the time to connect; Connections is how many are kept.
	Connect     time.Duration
	Connections int
}

// endpoint parses and checks URL.
func (o *Options) endpoint() (*url.URL, error) {
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

// validate refuses values out of range.
func (o *Options) validate() error {
	switch {
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
		DialContext:            (&net.Dialer{Timeout: o.Connect, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    o.Connect,
		MaxConnsPerHost:        o.Connections,
		MaxIdleConns:           o.Connections,
		MaxIdleConnsPerHost:    o.Connections,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxAnswerBytes,
		// So the bound on the answer also bounds the decoded text.
		DisableCompression: true,
	}
}

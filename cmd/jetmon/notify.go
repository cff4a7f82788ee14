package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/internal/config"
	"github.com/Automattic/jetmon/internal/rpc"
)

// notifyFlags configure the delivery of notifications.
type notifyFlags struct {
	WPCOMURL       string `name:"wpcom-url" default:"https://jetpack.wordpress.com/jetmon/" help:"WordPress.com's endpoint for notifications of status changes."`
	WPCOMCA        string `name:"wpcom-ca" placeholder:"FILE" help:"Trust only this CA (PEM) for WordPress.com's certificate; by default the system's."`
	WPCOMCert      string `name:"wpcom-cert" placeholder:"FILE" help:"Client certificate (PEM) for WordPress.com."`
	WPCOMKey       string `name:"wpcom-key" placeholder:"FILE" help:"Key of --wpcom-cert (PEM)."`
	WPCOMTokenFile string `name:"wpcom-token-file" placeholder:"FILE" help:"File with WordPress.com's token (AUTH_TOKEN)."`
	Trial          bool   `help:"Watch beside v1: decide and record, but notify nobody and leave jetpack_monitor_sites as it is, except for buckets that jetmon handover has taken over."`
	OnlySample     sample `default:"1/1" placeholder:"1/N" help:"With --trial: watch one site in N, for a first look."`
	NoNotify       bool   `help:"Decide and record, but notify nobody (WPCOM_NOTIFY_ENABLE false). Later, without this flag, Jetmon notifies WordPress.com only of statuses that are true then and that it does not know."`
}

// sample is the n of one site in n.
type sample int

// UnmarshalText parses 1/N.
func (s *sample) UnmarshalText(text []byte) error {
	one, n, _ := strings.Cut(string(text), "/")
	of, err := strconv.ParseUint(n, 10, 20)
	if one != "1" || err != nil || of == 0 {
		return fmt.Errorf("%q is not a sample like 1/100", text)
	}
	*s = sample(of)
	return nil
}

// apply completes the options. insecure allows sending the token in clear.
func (f notifyFlags) apply(o *coordinator.Options, file *config.File, insecure bool) error {
	o.Notify = notify.Options{Disabled: f.NoNotify, URL: f.WPCOMURL}
	switch {
	case f.Trial && f.NoNotify:
		return usagef("--trial and --no-notify (WPCOM_NOTIFY_ENABLE false) exclude each other: a trial notifies nobody but of what was handed over")
	case f.Trial:
		o.Trial = int(f.OnlySample)
	case f.OnlySample != 1:
		return usagef("--only-sample needs --trial: without it every site is watched")
	}
	if file != nil {
		o.Notify.Token = file.Token
	}
	if f.WPCOMTokenFile != "" {
		token, err := readToken(f.WPCOMTokenFile)
		if err != nil {
			return usagef("--wpcom-token-file: %w", err)
		}
		o.Notify.Token = token
	}
	if u, err := url.Parse(f.WPCOMURL); err == nil && u.Scheme == "http" && o.Notify.Token != "" && !f.NoNotify && !insecure && !rpc.Loopback(u.Hostname()) {
		return usagef("--wpcom-url: %s is beyond loopback, and http sends the token in clear: use https, or allow it with --insecure", u.Hostname())
	}
	if f.WPCOMCert == "" && f.WPCOMKey == "" && f.WPCOMCA == "" {
		return nil
	}
	config, err := rpc.LoadClientTLS(f.WPCOMCA, f.WPCOMCert, f.WPCOMKey)
	if err != nil {
		return usagef("--wpcom-ca, --wpcom-cert, --wpcom-key: %w", err)
	}
	o.Notify.TLS = config
	return nil
}

package main

import (
	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/internal/rpc"
)

// notifyFlags configure the delivery of notifications.
type notifyFlags struct {
	WPCOMURL       string `name:"wpcom-url" default:"https://jetpack.wordpress.com/jetmon/" help:"WordPress.com's endpoint for notifications of status changes."`
	WPCOMCert      string `name:"wpcom-cert" placeholder:"FILE" help:"Client certificate (PEM) for WordPress.com."`
	WPCOMKey       string `name:"wpcom-key" placeholder:"FILE" help:"Key of --wpcom-cert (PEM)."`
	WPCOMTokenFile string `name:"wpcom-token-file" placeholder:"FILE" help:"File with WordPress.com's token (AUTH_TOKEN)."`
	NoNotify       bool   `help:"Decide and record, but notify nobody (WPCOM_NOTIFY_ENABLE false). Later, without this flag, Jetmon notifies WordPress.com only of statuses that are true then and that it does not know."`
}

func (f notifyFlags) apply(o *coordinator.Options, legacy *legacyConfig) error {
	o.Notify = notify.Options{Disabled: f.NoNotify, URL: f.WPCOMURL}
	if legacy != nil {
		o.Notify.Token = legacy.authToken
	}
	if f.WPCOMTokenFile != "" {
		token, err := readToken(f.WPCOMTokenFile)
		if err != nil {
			return usagef("--wpcom-token-file: %w", err)
		}
		o.Notify.Token = token
	}
	if f.WPCOMCert == "" && f.WPCOMKey == "" {
		return nil
	}
	config, err := rpc.LoadClientTLS("", f.WPCOMCert, f.WPCOMKey)
	if err != nil {
		return usagef("--wpcom-cert, --wpcom-key: %w", err)
	}
	o.Notify.TLS = config
	return nil
}

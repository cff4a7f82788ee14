package main

import (
	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/internal/rpc"
)

// peerFlags configure how a coordinator dials its peers.
type peerFlags struct {
	PeerDial dialFlags `embed:"" prefix:"peer-"`
}

// apply completes the options, whose Server must already be set. Coordinators are usually
// configured alike, so the defaults are this one's own token and TLS, and insecure ones
// dial one another without TLS.
func (f peerFlags) apply(o *coordinator.Options, insecure bool) (err error) {
	f.PeerDial.Insecure = f.PeerDial.Insecure || insecure
	if o.PeerClient, err = f.PeerDial.options("peer"); err != nil {
		return err
	}
	if o.PeerClient.Token == "" && len(o.Server.Tokens) > 0 {
		o.PeerClient.Token = o.Server.Tokens[0]
	}
	if o.PeerClient.TLS == nil && o.Server.TLS != nil {
		if o.PeerClient.TLS, err = rpc.LoadClientTLS("", "", ""); err != nil {
			return usagef("--peer-tls: %w", err)
		}
	}
	return nil
}

package main

import (
	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/rpc"
)

// peerFlags configure how a coordinator dials its peers.
type peerFlags struct {
	PeerDial dialFlags `embed:"" prefix:"peer-"`
}

// apply completes the options, whose Server must already be set. Coordinators are usually
// configured alike, so by default one proves itself to others as they would to it: by its own
// certificate, or by the first token of the role coordinator that it accepts. Insecure ones
// dial one another without TLS.
func (f peerFlags) apply(o *coordinator.Options, own serveFlags) (err error) {
	f.PeerDial.Insecure = f.PeerDial.Insecure || own.Insecure
	if o.PeerClient, err = f.PeerDial.options("peer"); err != nil {
		return err
	}
	if o.PeerClient.TLS == nil && o.Server.TLS != nil {
		cert, key := "", ""
		if own.TLSClientCA != "" {
			cert, key = own.TLSCert, own.TLSKey
		}
		if o.PeerClient.TLS, err = rpc.LoadClientTLS(own.TLSClientCA, cert, key); err != nil {
			return usagef("--peer-tls: %w", err)
		}
	}
	if f.PeerDial.proves() || own.TokenFile == "" {
		return nil
	}
	roles, err := own.roles(nil)
	if err != nil {
		return err
	}
	for _, t := range roles {
		if t.Role == access.Coordinator && o.PeerClient.Token == "" {
			o.PeerClient.Token = t.Token
		}
	}
	return nil
}

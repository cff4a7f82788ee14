package main

import (
	"crypto/tls"
	"testing"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/internal/rpc"
)

// Tokens of 128 bits.
const (
	oursToken   = "00112233445566778899aabbccddeeff"
	theirsToken = "ffeeddccbbaa99887766554433221100"
)

func TestPeersAreDialledAsThisCoordinatorIsUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	theirs := write(t, "token", "coordinator "+theirsToken+"\n")
	ours := serveFlags{TokenFile: write(t, "tokens", "checker 0123456789abcdef0123456789abcdef\ncoordinator "+oursToken+"\ncoordinator "+theirsToken+"\n")}
	for name, tt := range map[string]struct {
		flags  peerFlags
		own    serveFlags
		tls    *tls.Config
		token  string
		secure bool
	}{
		"open and plain": {own: serveFlags{Insecure: true}},
		"by the first token of the role that we accept": {own: ours, token: oursToken},
		"with TLS, as we serve":                         {own: ours, tls: &tls.Config{MinVersion: tls.VersionTLS12}, token: oursToken, secure: true},
		"as told":                                       {flags: peerFlags{dialFlags{TLS: true, TokenFile: theirs}}, own: ours, token: theirsToken, secure: true},
	} {
		o := coordinator.Options{Server: rpc.ServerOptions{TLS: tt.tls}}
		if err := tt.flags.apply(&o, tt.own); err != nil || o.PeerClient.Token != tt.token || (o.PeerClient.TLS != nil) != tt.secure {
			t.Errorf("%s: %+v, %v", name, o.PeerClient, err)
		}
	}
}

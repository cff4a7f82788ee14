package main

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestPeersAreDialledAsThisCoordinatorIsUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("theirs\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		flags  peerFlags
		server rpc.ServerOptions
		token  string
		secure bool
	}{
		"open and plain":             {peerFlags{}, rpc.ServerOptions{}, "", false},
		"by the first of our tokens": {peerFlags{}, rpc.ServerOptions{Tokens: []string{"ours", "old"}}, "ours", false},
		"with TLS, as we serve":      {peerFlags{}, rpc.ServerOptions{TLS: &tls.Config{MinVersion: tls.VersionTLS12}}, "", true},
		"as told":                    {peerFlags{dialFlags{TLS: true, TokenFile: file}}, rpc.ServerOptions{Tokens: []string{"ours"}}, "theirs", true},
	} {
		o := coordinator.Options{Server: tt.server}
		if err := tt.flags.apply(&o, false); err != nil || o.PeerClient.Token != tt.token || (o.PeerClient.TLS != nil) != tt.secure {
			t.Errorf("%s: %+v, %v", name, o.PeerClient, err)
		}
	}
}

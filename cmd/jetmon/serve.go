package main

import (
	"crypto/tls"
	"sync/atomic"

	"github.com/Automattic/jetmon/internal/config"
	"github.com/Automattic/jetmon/internal/rpc"
)

// serveFlags configure the protection of a role's server.
type serveFlags struct {
	TLSCert     string `name:"tls-cert" placeholder:"FILE" help:"Certificate chain (PEM) of the server; without it the server speaks plaintext."`
	TLSKey      string `name:"tls-key" placeholder:"FILE" help:"Key of --tls-cert (PEM)."`
	TLSClientCA string `name:"tls-client-ca" placeholder:"FILE" help:"CA (PEM) that must have signed callers' certificates; without it callers need none."`
	TokenFile   string `placeholder:"FILE" help:"Accepted bearer tokens, one per line; without it every caller is accepted."`
	Insecure    bool   `help:"Allow listening beyond loopback without authentication."`
}

// options reads the files and refuses to expose an open server at addr by accident.
func (f serveFlags) options(addr string, file *config.File) (rpc.ServerOptions, error) {
	var o rpc.ServerOptions
	if file != nil {
		o.Tokens = file.Accepted
	}
	if f.TokenFile != "" {
		tokens, err := readTokens(f.TokenFile)
		if err != nil {
			return o, usagef("--token-file: %w", err)
		}
		o.Tokens = tokens
	}
	if (f.TLSCert == "") != (f.TLSKey == "") {
		return o, usagef("--tls-cert and --tls-key go together")
	}
	if f.TLSClientCA != "" && f.TLSCert == "" {
		return o, usagef("--tls-client-ca needs --tls-cert and --tls-key")
	}
	if f.TLSCert != "" {
		config, err := rpc.LoadServerTLS(f.TLSCert, f.TLSKey, f.TLSClientCA)
		if err != nil {
			return o, usagef("--tls-cert: %w", err)
		}
		o.TLS = config
	}
	if err := checkAddr(addr, 0); err != nil {
		return o, usagef("--listen: %w", err)
	}
	if err := rpc.CheckExposure(addr, o, f.Insecure); err != nil {
		return o, usagef("--listen: %w (--token-file, --tls-client-ca or --insecure)", err)
	}
	return o, nil
}

// liveServer is what a reload replaces of a server's protection: its certificates and the
// accepted tokens. Connections that exist go on.
type liveServer struct {
	tls    atomic.Pointer[tls.Config]
	accept *rpc.Tokens
}

// newLiveServer makes a server's options follow later calls of prepare.
func newLiveServer(o *rpc.ServerOptions) (*liveServer, error) {
	l := &liveServer{}
	var err error
	if l.accept, err = rpc.NewTokens(o.Tokens); err != nil {
		return nil, usagef("--token-file: %w", err)
	}
	o.Accept = l.accept
	if o.TLS != nil {
		l.tls.Store(o.TLS)
		o.TLS = o.TLS.Clone()
		o.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return l.tls.Load(), nil }
	}
	return l, nil
}

// prepare checks new options and returns what applies them.
func (l *liveServer) prepare(o rpc.ServerOptions) (apply func(), err error) {
	if (o.TLS == nil) != (l.tls.Load() == nil) {
		return nil, usagef("--tls-cert: TLS begins or ends only with a restart")
	}
	if _, err := rpc.NewTokens(o.Tokens); err != nil {
		return nil, usagef("--token-file: %w", err)
	}
	return func() {
		_ = l.accept.Set(o.Tokens) // NewTokens took them
		if o.TLS != nil {
			l.tls.Store(o.TLS)
		}
	}, nil
}

// serveLive and dialLive list the flags that a reload applies.
func serveLive() []string {
	return []string{"tls-cert", "tls-key", "tls-client-ca", "token-file", "insecure"}
}

func dialLive(peer string) []string {
	var all []string
	for _, name := range []string{"tls", "insecure", "tls-ca", "tls-cert", "tls-key", "token-file"} {
		all = append(all, peer+"-"+name)
	}
	return all
}

// dialFlags configure how a role dials a server. Each use gives them the server's name as
// their prefix.
type dialFlags struct {
	TLS       bool   `name:"tls" help:"Dial with TLS even on loopback, trusting the system's CAs. Beyond loopback that is the default."`
	Insecure  bool   `help:"Dial without TLS even beyond loopback: tokens are sent in clear."`
	TLSCA     string `name:"tls-ca" placeholder:"FILE" help:"Dial with TLS, trusting only this CA (PEM)."`
	TLSCert   string `name:"tls-cert" placeholder:"FILE" help:"Dial with TLS, presenting this certificate (PEM)."`
	TLSKey    string `name:"tls-key" placeholder:"FILE" help:"Key of that certificate (PEM)."`
	TokenFile string `placeholder:"FILE" help:"File with the bearer token to send."`
}

// options reads the files. peer is the prefix of the flags' names.
func (f dialFlags) options(peer string) (rpc.ClientOptions, error) {
	o := rpc.ClientOptions{Plaintext: f.Insecure}
	var err error
	if f.TLS || f.TLSCA != "" || f.TLSCert != "" || f.TLSKey != "" {
		if o.TLS, err = rpc.LoadClientTLS(f.TLSCA, f.TLSCert, f.TLSKey); err != nil {
			return o, usagef("--%s-tls: %w", peer, err)
		}
	}
	if f.TokenFile != "" {
		if o.Token, err = readToken(f.TokenFile); err != nil {
			return o, usagef("--%s-token-file: %w", peer, err)
		}
	}
	return o, nil
}

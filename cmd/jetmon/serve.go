package main

import (
	"crypto/tls"
	"sync/atomic"

	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/config"
	"github.com/Automattic/jetmon/internal/rpc"
)

// tlsFlags configure the certificates of a listener.
type tlsFlags struct {
	TLSCert     string `name:"tls-cert" placeholder:"FILE" help:"Certificate chain (PEM) of the server; without it the server speaks plaintext."`
	TLSKey      string `name:"tls-key" placeholder:"FILE" help:"Key of --tls-cert (PEM)."`
	TLSClientCA string `name:"tls-client-ca" placeholder:"FILE" help:"CA (PEM) whose certificates prove callers; see jetmon certs."`
}

// config reads the files; nil for plaintext.
func (f tlsFlags) config() (*tls.Config, error) {
	switch {
	case (f.TLSCert == "") != (f.TLSKey == ""):
		return nil, usagef("--tls-cert and --tls-key go together")
	case f.TLSClientCA != "" && f.TLSCert == "":
		return nil, usagef("--tls-client-ca needs --tls-cert and --tls-key")
	case f.TLSCert == "":
		return nil, nil
	}
	config, err := rpc.LoadServerTLS(f.TLSCert, f.TLSKey, f.TLSClientCA)
	if err != nil {
		return nil, usagef("--tls-cert: %w", err)
	}
	return config, nil
}

// serveFlags configure the protection of a role's server.
type serveFlags struct {
	tlsFlags  `embed:""`
	TokenFile string `placeholder:"FILE" help:"Tokens of roles that are accepted, one per line: ROLE TOKEN, or ROLE/NAME TOKEN for one node only; see jetmon tokens role."`
	Insecure  bool   `help:"Ask nobody who they are: whoever reaches this role may call everything, checkers included."`
}

// options reads the files, and refuses a server that nobody could call, or everybody by
// accident.
func (f serveFlags) options(addr string, file *config.File, rate rpc.Rate) (rpc.ServerOptions, error) {
	var o rpc.ServerOptions
	if err := checkAddr(addr, 0); err != nil {
		return o, usagef("--listen: %w", err)
	}
	roles, err := f.roles(file)
	if err != nil {
		return o, err
	}
	if o.TLS, err = f.tlsFlags.config(); err != nil {
		return o, err
	}
	proves := len(roles) > 0 || f.TLSClientCA != ""
	switch {
	case f.Insecure && proves:
		return o, usagef("--insecure asks nobody who they are, and --token-file and --tls-client-ca ask: give one or the other")
	case f.Insecure:
		o.Access = rpc.Open()
	case proves:
		o.Access = rpc.NewAuthorizer(rpc.AuthorizerOptions{Roles: roles, Rate: rate})
	default:
		return o, usagef("nobody could prove who they are: give --token-file (jetmon tokens role makes tokens), " +
			"or --tls-client-ca (jetmon certs makes certificates), or --insecure to ask nobody")
	}
	return o, nil
}

// rateFlags bound the calls of each caller of the API.
type rateFlags struct {
	RateLimit float64 `default:"100" placeholder:"N" help:"How many calls of the API a second one token may make for long, and one address without a token; 0: any number."`
	RateBurst int     `default:"500" placeholder:"N" help:"How many calls of the API one caller may make at once after a pause."`
}

func (f rateFlags) rate() (rpc.Rate, error) {
	if f.RateLimit < 0 || f.RateLimit > 0 && f.RateBurst < 1 {
		return rpc.Rate{}, usagef("--rate-limit must not be negative, and --rate-burst must be at least 1")
	}
	return rpc.Rate{PerSecond: f.RateLimit, Burst: f.RateBurst}, nil
}

// roles are the tokens of roles that are accepted. v1's file has one of a veriflier's callers.
func (f serveFlags) roles(file *config.File) ([]access.RoleToken, error) {
	if f.TokenFile != "" {
		tokens, err := readRoleTokens(f.TokenFile)
		if err != nil {
			return nil, usagef("--token-file: %w", err)
		}
		return tokens, nil
	}
	var tokens []access.RoleToken
	if file != nil {
		for _, token := range file.Accepted {
			tokens = append(tokens, access.RoleToken{Role: access.Coordinator, Token: token})
		}
	}
	return tokens, nil
}

// liveServer is what a reload replaces of a server's protection: its certificates and the
// accepted tokens. Connections that exist go on; streams whose token is gone do not.
type liveServer struct {
	tls    atomic.Pointer[tls.Config]
	access *rpc.Authorizer
}

// newLiveServer makes a server's options follow later calls of prepare.
func newLiveServer(o *rpc.ServerOptions) *liveServer {
	l := &liveServer{access: o.Access}
	if o.TLS != nil {
		l.tls.Store(o.TLS)
		o.TLS = o.TLS.Clone()
		o.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return l.tls.Load(), nil }
	}
	return l
}

// prepare checks new options and returns what applies them.
func (l *liveServer) prepare(o rpc.ServerOptions) (apply func(), err error) {
	if (o.TLS == nil) != (l.tls.Load() == nil) {
		return nil, usagef("--tls-cert: TLS begins or ends only with a restart")
	}
	if l.access != nil && l.access.IsOpen() != o.Access.IsOpen() {
		return nil, usagef("--insecure: it begins or ends only with a restart")
	}
	return func() {
		if l.access != nil {
			l.access.Follow(o.Access)
		}
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
		if o.Token, err = readRoleToken(f.TokenFile); err != nil {
			return o, usagef("--%s-token-file: %w", peer, err)
		}
	}
	return o, nil
}

// proves reports whether the client proves who it is.
func (f dialFlags) proves() bool { return f.TokenFile != "" || f.TLSCert != "" }

// mustProve refuses a role that could not prove who it is to a coordinator, unless that is
// what the operator wants.
func (f dialFlags) mustProve(role access.Role, insecure bool) error {
	if f.proves() || insecure {
		return nil
	}
	return usagef("this %s could not prove who it is: give --coordinator-token-file (jetmon tokens role %s makes a token), "+
		"or --coordinator-tls-cert (jetmon certs makes certificates), or --insecure for coordinators that ask nobody", role, role)
}

package rpc

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Identity is how a client proves who it is, and whom it trusts. It may change while
// connections exist: the next handshake and the next call use the new one, and connections
// that were made before stay.
type Identity struct{ now atomic.Pointer[secrets] }

type secrets struct {
	// tls is nil for plaintext to loopback and TLS elsewhere; plaintext makes it plaintext
	// everywhere.
	tls       *tls.Config
	plaintext bool
	token     string
}

// NewIdentity returns the identity of a client's options.
func NewIdentity(o ClientOptions) *Identity {
	id := &Identity{}
	id.Set(o)
	return id
}

// Set takes TLS, Plaintext and Token of a client's options.
func (i *Identity) Set(o ClientOptions) {
	i.now.Store(&secrets{tls: o.TLS, plaintext: o.Plaintext, token: o.Token})
}

// transport protects the connections of a client as its identity says at that moment.
type transport struct {
	id *Identity
	// host is the host for which certificates must be; empty for that of the address.
	host string
}

// ClientHandshake implements credentials.TransportCredentials.
func (t transport) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	s := t.id.now.Load()
	if s.tls == nil && (s.plaintext || near(conn.RemoteAddr())) {
		return insecure.NewCredentials().ClientHandshake(ctx, authority, conn)
	}
	config := s.tls
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if t.host != "" && config.ServerName == "" {
		authority = t.host
	}
	return credentials.NewTLS(config).ClientHandshake(ctx, authority, conn)
}

// near reports whether what is sent to an address stays on this machine.
func near(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

// ServerHandshake implements credentials.TransportCredentials. A client never calls it.
func (t transport) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return insecure.NewCredentials().ServerHandshake(conn)
}

// Info implements credentials.TransportCredentials.
func (t transport) Info() credentials.ProtocolInfo {
	if s := t.id.now.Load(); s.tls != nil {
		return credentials.NewTLS(s.tls).Info()
	}
	return insecure.NewCredentials().Info()
}

// Clone implements credentials.TransportCredentials.
func (t transport) Clone() credentials.TransportCredentials { return t }

// OverrideServerName implements credentials.TransportCredentials. Names come with addresses.
func (t transport) OverrideServerName(string) error { return nil }

// bearer sends the identity's token with every call, if it has one.
type bearer struct {
	id *Identity
	// key is the metadata key of the token.
	key string
}

func newBearer(id *Identity, forwards bool) bearer {
	if forwards {
		return bearer{id, nodeAuthorization}
	}
	return bearer{id, authorization}
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token := b.id.now.Load().token
	if token == "" {
		return nil, nil
	}
	return map[string]string{b.key: bearerScheme + " " + token}, nil
}

// RequireTransportSecurity returns false: transport decides, address by address.
func (bearer) RequireTransportSecurity() bool { return false }

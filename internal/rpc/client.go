package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/stats"
)

// ClientOptions configure a client. The zero value means TCP, with TLS beyond loopback.
type ClientOptions struct {
	// Network is the network to dial over; nil means TCP.
	Network Network
	// TLS configures the connection. nil means plaintext to an address of loopback and in
	// memory, and TLS that trusts the system's CAs to every other address.
	TLS *tls.Config
	// Plaintext, without TLS, means plaintext to every address: tokens are sent in clear.
	Plaintext bool
	// Token is the bearer token sent with every call; empty sends none.
	Token string
	// Forwards means that calls carry the tokens of others, and Token goes beside them.
	Forwards bool
	// ServerName is the host for which the server's certificate must be, where TLS names none;
	// empty stands for the host of the address.
	ServerName string
	// Identity, if not nil, replaces TLS, Plaintext and Token, and may change later.
	Identity *Identity
	// Metrics counts the calls; nil counts nothing.
	Metrics prometheus.Registerer
	// Stats, optional, is told of each call, as what records traces is.
	Stats stats.Handler
}

// Dial makes a client of the server at addr. It does not connect: the first call
// does, and fails with UNAVAILABLE while the server is unreachable. A unary call without
// a deadline gets defaultDeadline.
func Dial(addr string, o ClientOptions) (*grpc.ClientConn, error) {
	if addr == "" {
		return nil, errors.New("dial: the address of the server is empty")
	}
	// With passthrough the Network resolves the address, at every connect anew.
	return dial("passthrough:///"+addr, o)
}

func dialOptions(o ClientOptions) []grpc.DialOption {
	network := o.Network
	if network == nil {
		network = TCP()
	}
	id := o.Identity
	if id == nil {
		id = NewIdentity(o)
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(transport{id: id, host: o.ServerName}),
		grpc.WithPerRPCCredentials(newBearer(id, o.Forwards)),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			return network.DialContext(ctx, addr)
		}),
		// Jetmon's peers come from its configuration, never from the environment.
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		// Calls are repeated by whoever made them; gRPC would keep a copy of each.
		grpc.WithDisableRetry(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: maxBackoff},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: clientPing, Timeout: pingTimeout, PermitWithoutStream: true,
		}),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxResponseBytes), grpc.MaxCallSendMsgSize(maxRequestBytes),
		),
		grpc.WithChainUnaryInterceptor(boundCall, nameCall),
		grpc.WithChainStreamInterceptor(nameStream),
	}
	if o.Metrics != nil {
		m := newClientMetrics(o.Metrics)
		opts = append(opts, grpc.WithChainUnaryInterceptor(m.unary), grpc.WithChainStreamInterceptor(m.stream))
	}
	if o.Stats != nil {
		opts = append(opts, grpc.WithStatsHandler(o.Stats))
	}
	return opts
}

// boundCall gives a unary call without a deadline the default one.
func boundCall(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultDeadline)
		defer cancel()
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// The service configurations for a client of several servers. Calls go round the connected
// servers, or round those that gRPC's health service reports as serving. All servers of
// NewServer have that service.
const (
	roundConnected = `{"loadBalancingConfig": [{"round_robin": {}}]}`
	roundServing   = `{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}`
)

// namePrefix begins a name that stands for many servers.
const namePrefix = "dns:///"

// Pool is a client of several servers, any of which can answer any call. DialAny makes one.
type Pool struct {
	// serving is the client of the serving servers, or of a lone server.
	serving *grpc.ClientConn
	// connected is the client of all servers, for use while none serves; nil for a lone
	// server. It connects at its first use.
	connected *grpc.ClientConn
}

// DialAny makes a client of several servers, any of which can answer any call. Calls go
// round the servers that are serving, by their health. While none is, calls go round all:
// their answers, such as the reason, are worth more than our own UNAVAILABLE.
// Addresses are as for Dial. A single dns:///HOST:PORT stands for every address of HOST,
// and is resolved again when a connection breaks. A lone HOST:PORT gets calls whatever its
// health.
func DialAny(addrs []string, o ClientOptions) (*Pool, error) {
	switch {
	case len(addrs) == 0 || slices.Contains(addrs, ""):
		return nil, errors.New("dial: the address of a server is empty")
	case len(addrs) > 1 && slices.ContainsFunc(addrs, isName):
		return nil, fmt.Errorf("dial %s: a name for many servers must be the only address", strings.Join(addrs, ","))
	case len(addrs) == 1 && !isName(addrs[0]):
		conn, err := Dial(addrs[0], o)
		return &Pool{serving: conn}, err
	}
	serving, err := dialRound(addrs, o, roundServing)
	if err != nil {
		return nil, err
	}
	connected, err := dialRound(addrs, o, roundConnected)
	if err != nil {
		return nil, errors.Join(err, serving.Close())
	}
	return &Pool{serving: serving, connected: connected}, nil
}

// DialServing is like Dial, but calls fail at once with UNAVAILABLE while the server's health
// is not serving.
func DialServing(addr string, o ClientOptions) (*grpc.ClientConn, error) {
	if addr == "" {
		return nil, errors.New("dial: the address of the server is empty")
	}
	return dialRound([]string{addr}, o, roundServing)
}

// Invoke makes a unary call.
func (p *Pool) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return p.choose().Invoke(ctx, method, args, reply, opts...)
}

// NewStream opens a stream.
func (p *Pool) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return p.choose().NewStream(ctx, desc, method, opts...)
}

// Connected reports whether a server that would get the next call is connected.
func (p *Pool) Connected() bool { return p.choose().GetState() == connectivity.Ready }

// Close closes all connections, which ends the running calls.
func (p *Pool) Close() error {
	err := p.serving.Close()
	if p.connected != nil {
		err = errors.Join(err, p.connected.Close())
	}
	return err
}

// choose returns the client of all servers when none of the reachable ones is serving.
func (p *Pool) choose() *grpc.ClientConn {
	if p.connected != nil && p.serving.GetState() == connectivity.TransientFailure {
		return p.connected
	}
	return p.serving
}

func isName(addr string) bool { return strings.HasPrefix(addr, namePrefix) }

// dialRound makes a client of several servers, given as a list of addresses or as a name.
func dialRound(addrs []string, o ClientOptions, config string) (*grpc.ClientConn, error) {
	if isName(addrs[0]) {
		return dial(addrs[0], o, grpc.WithDefaultServiceConfig(config))
	}
	servers := manual.NewBuilderWithScheme("list")
	servers.InitialState(stateOf(addrs))
	return dial("list:///"+addrs[0], o, grpc.WithResolvers(servers), grpc.WithDefaultServiceConfig(config))
}

// stateOf lists the addresses unchanged: the Network resolves each, at every connect anew.
func stateOf(addrs []string) resolver.State {
	var s resolver.State
	for _, addr := range addrs {
		s.Endpoints = append(s.Endpoints, resolver.Endpoint{
			// A server's certificate must be for its own name.
			Addresses: []resolver.Address{{Addr: addr, ServerName: addr}},
		})
	}
	return s
}

func dial(target string, o ClientOptions, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(target, append(dialOptions(o), more...)...)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", target, err)
	}
	return conn, nil
}

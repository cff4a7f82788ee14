package rpc

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// roundRobin sends calls to one server after the other, of those that say by gRPC's
// health service that they serve. NewServer's all have it.
const roundRobin = `{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}`

// DialAny makes a client of servers any of which can answer any call. Calls go round
// those that are healthy; while none is, they fail with UNAVAILABLE. A lone host name
// may stand for many servers: all its addresses are used, and it is looked up again
// when a connection breaks. A lone server is what Dial says, whatever its health.
func DialAny(addrs []string, o ClientOptions) (*grpc.ClientConn, error) {
	switch {
	case len(addrs) == 0 || slices.Contains(addrs, ""):
		return nil, errors.New("dial: the address of a server is empty")
	case len(addrs) > 1:
		servers := manual.NewBuilderWithScheme("list")
		servers.InitialState(stateOf(addrs))
		return dial("list:///"+addrs[0], o, grpc.WithResolvers(servers), grpc.WithDefaultServiceConfig(roundRobin))
	case o.Network == nil && hasHostName(addrs[0]):
		return dial("dns:///"+addrs[0], o, grpc.WithDefaultServiceConfig(roundRobin))
	default:
		return Dial(addrs[0], o)
	}
}

// stateOf lists addresses as they are: the Network resolves each, at every connect anew.
func stateOf(addrs []string) resolver.State {
	var s resolver.State
	for _, addr := range addrs {
		s.Endpoints = append(s.Endpoints, resolver.Endpoint{
			// Its certificate must be for its own name.
			Addresses: []resolver.Address{{Addr: addr, ServerName: addr}},
		})
	}
	return s
}

// hasHostName is false for an IP address.
func hasHostName(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return false
	}
	_, err = netip.ParseAddr(host)
	return err != nil
}

func dial(target string, o ClientOptions, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(target, append(dialOptions(o), more...)...)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", target, err)
	}
	return conn, nil
}

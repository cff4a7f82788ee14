package rpc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// roundRobin sends calls to one server after the other, of those that say by gRPC's
// health service that they serve. NewServer's all have it.
const roundRobin = `{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}`

// namePrefix begins a name that stands for many servers.
const namePrefix = "dns:///"

// DialAny makes a client of servers any of which can answer any call. Calls go round
// those that are healthy; while none is, they fail with UNAVAILABLE. An address is as
// for Dial; dns:///HOST:PORT, alone, is every address that HOST resolves to, and is
// looked up again when a connection breaks. A lone HOST:PORT is what Dial makes of it:
// it is asked whatever its health.
func DialAny(addrs []string, o ClientOptions) (*grpc.ClientConn, error) {
	switch {
	case len(addrs) == 0 || slices.Contains(addrs, ""):
		return nil, errors.New("dial: the address of a server is empty")
	case len(addrs) > 1 && slices.ContainsFunc(addrs, isName):
		return nil, fmt.Errorf("dial %s: a name for many servers must be the only address", strings.Join(addrs, ","))
	case len(addrs) > 1:
		servers := manual.NewBuilderWithScheme("list")
		servers.InitialState(stateOf(addrs))
		return dial("list:///"+addrs[0], o, grpc.WithResolvers(servers), grpc.WithDefaultServiceConfig(roundRobin))
	case isName(addrs[0]):
		return dial(addrs[0], o, grpc.WithDefaultServiceConfig(roundRobin))
	default:
		return Dial(addrs[0], o)
	}
}

func isName(addr string) bool { return strings.HasPrefix(addr, namePrefix) }

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

func dial(target string, o ClientOptions, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(target, append(dialOptions(o), more...)...)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", target, err)
	}
	return conn, nil
}

package rpc_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/rpc"
)

// listener notes the calls that it is told of.
type listener struct {
	mu           sync.Mutex
	began, ended []string
}

type listenerKey struct{}

func (l *listener) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began = append(l.began, info.FullMethodName)
	return context.WithValue(ctx, listenerKey{}, info.FullMethodName)
}

func (l *listener) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if _, ok := s.(*stats.End); !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	method, _ := ctx.Value(listenerKey{}).(string)
	l.ended = append(l.ended, method)
}

func (*listener) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*listener) HandleConn(context.Context, stats.ConnStats)                       {}

// What is told of calls believes their headers, a trace's among them: strangers do not get there.
func TestWhatListensIsToldOfTheCallsOfNodesThatMayMakeThem(t *testing.T) {
	t.Parallel()
	roles := []access.RoleToken{{Role: access.Coordinator, Token: "coordinator-token"}, {Role: access.Checker, Name: "checker-1", Token: "checker-token"}}
	known := rpc.NewAuthorizer(rpc.AuthorizerOptions{Roles: roles, Keys: keys{"jm_admin": {TokenID: 3, Scopes: access.Admin}}})
	const verify = "/jetmon.veriflier.v1.VeriflierService/Verify"
	for _, tt := range []struct {
		name, header, node string
		access             *rpc.Authorizer
		told               bool
	}{
		{"a stranger", "", "", known, false},
		{"a wrong token", "Bearer wrong", "", known, false},
		{"another scheme", "Basic coordinator-token", "", known, false},
		{"a token of the API", "Bearer jm_admin", "", known, false},
		{"a node that may not", "Bearer checker-token", "", known, false},
		{"a node that may", "Bearer coordinator-token", "", known, true},
		{"a node that may, as a node", "", "Bearer coordinator-token", known, true},
		{"a node that passes on the call of a stranger", "Bearer wrong", "Bearer coordinator-token", known, false},
		{"anybody where nobody is asked", "", "", rpc.Open(), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := &listener{}
			r := run(t, &service{}, rpc.ServerOptions{Access: tt.access, Stats: l}, rpc.ClientOptions{})
			ctx := t.Context()
			if tt.header != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", tt.header)
			}
			if tt.node != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "jetmon-node-authorization", tt.node)
			}
			_, _ = r.verify(ctx)
			_ = r.Invoke(ctx, "/jetmon.veriflier.v1.VeriflierService/NoSuch", &grpc_health_v1.HealthCheckRequest{}, &grpc_health_v1.HealthCheckResponse{})
			var want []string
			if tt.told {
				want = []string{verify}
			}
			deadline := time.Now().Add(5 * time.Second)
			for len(l.calls()) < len(want) && time.Now().Before(deadline) {
				time.Sleep(time.Millisecond)
			}
			if got := l.calls(); !slices.Equal(got, want) || !slices.Equal(l.began, want) {
				t.Errorf("told of %q and of the end of %q, want %q", l.began, got, want)
			}
		})
	}
}

// calls returns those that have ended.
func (l *listener) calls() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ended)
}

package rpc

import (
	"context"

	"google.golang.org/grpc/stats"

	"github.com/Automattic/jetmon/internal/access"
)

// nodesOnly tells a handler of the calls of nodes that may make them, and of no others: gRPC tells
// of a call before any interceptor has asked who calls, and what listens believes the caller's
// headers, as what records traces does.
type nodesOnly struct {
	stats.Handler
	access *Authorizer
}

// toldKey marks the context of a call that the handler was told of.
type toldKey struct{}

// TagRPC implements stats.Handler.
func (n nodesOnly) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	if !n.access.isNode(ctx, info.FullMethodName) {
		return ctx
	}
	return n.Handler.TagRPC(context.WithValue(ctx, toldKey{}, true), info)
}

// HandleRPC implements stats.Handler.
func (n nodesOnly) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if ctx.Value(toldKey{}) != nil {
		n.Handler.HandleRPC(ctx, s)
	}
}

// isNode reports whether a call is that of a node that may make it. Where nobody is asked who they
// are, everybody is one.
func (a *Authorizer) isNode(ctx context.Context, method string) bool {
	rule, ok := access.RuleOf(method)
	if !ok {
		return false
	}
	if a.open {
		return true
	}
	caller, err := a.node(ctx)
	if header := firstValue(ctx, authorization); header != "" && err == nil {
		var token string
		if token, err = bearerOf(header); err == nil {
			caller, _ = a.roles.Load().Find(token)
		}
	}
	return err == nil && caller.Role != "" && rule.Permit(caller) == nil
}

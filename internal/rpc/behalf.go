package rpc

import (
	"context"
	"encoding/json"

	"google.golang.org/grpc/metadata"

	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/fault"
)

// behalfKey is the metadata key under which a coordinator tells another one on whose behalf it
// calls, so that the other one shows and records what it would for that caller.
const behalfKey = "jetmon-behalf-bin"

// OnBehalf returns a context for a call to a peer on behalf of the caller of ctx.
func OnBehalf(ctx context.Context) context.Context {
	c := access.From(ctx)
	if !c.Known() {
		return ctx
	}
	b, err := json.Marshal(c)
	if err != nil {
		return ctx // never: a Caller has only texts and numbers
	}
	return metadata.AppendToOutgoingContext(ctx, behalfKey, string(b))
}

type peerKey struct{}

// ByPeer reports whether a coordinator makes the call that a handler answers. Of anybody else
// no handler believes that a call is forwarded. On a server that asks nobody who they are,
// everybody may be one.
func ByPeer(ctx context.Context) bool { return ctx.Value(peerKey{}) != nil }

// asPeer notes that a coordinator makes the call.
func asPeer(ctx context.Context, by access.Caller) context.Context {
	if by.Role == access.Coordinator || by.Open {
		return context.WithValue(ctx, peerKey{}, true)
	}
	return ctx
}

// behalfOf returns on whose behalf a call is made: of a coordinator whom it says, of anybody
// else their own. It refuses what it cannot read: the coordinator itself may do more than
// whom it calls for.
func behalfOf(ctx context.Context, by access.Caller) (access.Caller, error) {
	said := metadata.ValueFromIncomingContext(ctx, behalfKey)
	if by.Role != access.Coordinator && !by.Open || len(said) == 0 {
		return by, nil
	}
	var c access.Caller
	if err := json.Unmarshal([]byte(said[0]), &c); err != nil || len(said) > 1 || !c.Known() {
		return access.Caller{}, fault.New(fault.Unauthenticated, "%s does not say on whose behalf it calls in a way that is known here", by)
	}
	return c, nil
}

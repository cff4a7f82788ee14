package rpc

import "context"

// DefaultDeadline and ShaveDeadline are for the tests.
const DefaultDeadline = defaultDeadline

var ShaveDeadline = shaveDeadline

// Enter decides about a call, as the interceptors have it do.
func (a *Authorizer) Enter(ctx context.Context, method string) (context.Context, func(), error) {
	return a.enter(ctx, method)
}

// Garbled is garbled.
var Garbled = garbled

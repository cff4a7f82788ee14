// Package fault holds the project's error kinds. A fault carries its gRPC status, so that
// code that never imports gRPC decides which status a caller gets, in one place: where the
// error arises.
//
// It must not log, retry or know any domain. Wrap a fault with fmt.Errorf and %w
// freely: Is and gRPC itself find it in the chain.
package fault

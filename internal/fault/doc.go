// Package fault holds the project's error kinds. A fault carries its gRPC status,
// so that code which never imports gRPC decides what a caller reads, and says so in
// one place: where the error arises.
//
// It must not log, retry or know any domain. Wrap a fault with fmt.Errorf and %w
// freely: Is and gRPC itself find it in the chain.
package fault

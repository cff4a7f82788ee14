// Package rpc connects the roles: it builds all of Jetmon's gRPC servers and clients in
// one place, over TCP or in memory, so that development and tests use the same wire
// protocol as production.
//
// Every call belongs to a request with an id, which travels with the calls that are made for
// it. A server answers health checks and reflection, authenticates callers, validates unary
// requests, limits the time and size of calls, converts errors to statuses, recovers from
// panics, counts calls, and stops gracefully. A client backs off, keeps its connection
// alive and gives every unary call a deadline.
//
// A unary request passes, in this order: its arrival (bounded from its first byte on) -> guard
// (panics, the log, metrics, and what of an error leaves) -> Authorizer (who calls, how often,
// and whether they may) -> the deadline -> its size and its number of values -> decoding ->
// dropping what only the server sets, counting lists -> the constraints of its proto ->
// ServerOptions.Around -> the handler. So a request costs at most a few times its size,
// whatever is in it. NewServer refuses a service whose requests have a field of unbounded
// length, and an RPC of which internal/access does not say who may call it. Every error fits
// into the headers that clients read. A stream ends when its caller's token does.
//
// A request of a stream that cannot be decoded is its caller's mistake, too; gRPC itself would
// call it internal. Only what is no frame of gRPC, or more than one, gets that code: gRPC's
// library answers it before anybody here has seen it (docs/design/0021).
//
// It must not know any service of Jetmon and must not retry: callers decide whether to
// try again.
//
// Server.Serve starts these goroutines. All end before it returns, unless a handler
// ignores the end of its context for longer than abandonTimeout:
//   - one per listener, which accepts until the server stops;
//   - one that updates health from ServerOptions.Ready, until the server stops;
//   - one that waits for running calls while the server stops.
package rpc

// Package rpc is how the roles meet: it builds every gRPC server and client of
// Jetmon in one place, over TCP or in memory, so that development and tests run the
// same wire as production.
//
// A server answers health checks and reflection, sees that callers are who they say,
// validates unary requests, bounds every call in time and size, turns errors into
// statuses, survives a handler's panic, counts, and stops in order. A client backs
// off, keeps its connection alive and gives every unary call a deadline.
//
// The way of a unary request: guard (a panic, the log, metrics, and what of an error
// leaves) -> the token -> the deadline -> its size, and how many values it has -> decoded
// -> what only the server sets is dropped, lists are counted -> the constraints of its
// proto -> the handler. So a request costs a few times its size at most, whatever is in
// it. NewServer refuses a service with a request that has a field of any length, and every
// error fits into the headers that clients read.
//
// It must know no service of Jetmon and must not retry: a caller decides whether to
// ask again.
//
// Goroutines of Server.Serve, all ended before it returns unless a handler ignores
// its context for longer than the bound:
//   - one a listener, accepting until the server stops;
//   - one that has health follow ServerOptions.Ready, until the server stops;
//   - one that waits for running calls once the server stops.
package rpc

// Package gateway is the role that translates REST to the gRPC API.
//
// It translates paths, queries, bodies and statuses in both directions, and nothing more.
// It answers mistakes in JSON or HTTP itself, by the name of the field, as a
// google.rpc.Status; the coordinator, which it always calls, handles the meaning. It must
// contain no monitoring logic and no database.
//
// The path of a request: door (TLS; net/http's own refusals in our form) -> handler
// (request id, headers, panic) -> path (as it was written) -> fence (Host, Origin, CORS) ->
// page.go and cockpit.go (its own pages; session.go signs people in and makes their cookie a token) ->
// route (from the protos' google.api.http) -> request.go, transfer.go and body.go (is it
// well-formed?) -> grpc-gateway's generated handler -> coordinator -> fail.go for errors.
// etag.go reads the preconditions of a request and tags the answer. The caller's token goes
// with the call: the coordinator decides about it.
//
// Run starts these goroutines in one errgroup: one per listener, which accepts until the
// server is shut down; and one that shuts it down when the context ends.
package gateway

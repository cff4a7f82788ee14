// Package gateway is the role that gives the gRPC API a REST face.
//
// It translates, both ways, and nothing more: paths, query, bodies and statuses. What
// is wrong with a request as JSON or HTTP is answered here, by name of the field, in
// the form of google.rpc.Status; what it means is the coordinator's, which it always
// dials. It must hold no logic of monitoring and no database.
//
// The way of a request: Handler (headers, panic, method, token) -> route (what the
// protos' google.api.http say) -> request.go and body.go (is it well-formed?) ->
// grpc-gateway's generated handler -> coordinator -> fail.go where it failed.
//
// Goroutines of Run, under one errgroup: one accepting per listener, each until the
// server is shut down; one that shuts it down when the context ends.
package gateway

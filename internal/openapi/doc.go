// Package openapi describes the REST API in OpenAPI 3.1, from the protos: their HTTP bindings,
// comments and constraints, the scopes of package access, and what the gateway does with every
// request and answer. Command plugin, beside it, is what buf runs.
//
// The package is pure: descriptors in, a document out. It is used when code is generated, and
// by tests.
package openapi

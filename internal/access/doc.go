// Package access says who may call what.
//
// A Caller is what somebody's credentials prove: the role of a node, or the scopes of an API
// token. Rules has a Rule for each RPC; Rule.Permit decides about a call. What has no rule
// nobody may call. The package decides from values: it reads no request, no certificate and
// no database. internal/rpc proves who calls, and asks it.
package access

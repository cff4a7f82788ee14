// Package xmlrpc reads and writes the XML-RPC that WordPress speaks: calls, answers and
// faults, both ways.
//
// It owns the form only: no transport, no methods. What it reads comes from strangers,
// so depth and number of values are bounded, and the caller bounds the bytes.
package xmlrpc

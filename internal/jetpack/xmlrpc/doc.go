// Package xmlrpc encodes and decodes the XML-RPC of WordPress: calls, answers and faults,
// in both directions.
//
// It owns only the encoding: no transport, no methods. Its input is untrusted, so it
// limits depth and number of values; the caller limits the bytes.
package xmlrpc

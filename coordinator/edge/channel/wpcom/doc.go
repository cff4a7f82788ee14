// Package wpcom tells WordPress.com of changes of status in the form that Jetmon v1 used: a GET
// whose data parameter is v1's JSON, with a client certificate. It is the channel of
// subscription.WPCOMLegacy; Payload serves the channel that posts the same JSON.
//
// An answer counts as success only with HTTP status 200 and a JSON object whose success is true.
//
// The token travels in the URL, as it did in v1. Therefore no URL, and no error that could hold
// one, leaves this package: see scrub.
//
// It starts no goroutines of its own.
package wpcom

// Package signature is how WordPress.com and a Jetpack site prove to one another who
// calls: it signs requests, and verifies them as a site does, with the same error codes
// in the same order.
//
// It owns the rules only. It opens no connection, and it keeps secrets to itself: a
// Credential never shows its secret, however it is printed.
//
//	credential.go  the stored tokens
//	normalize.go   the text that is signed: URL and query as PHP reads them
//	sign.go        signing a request, in the query or in a header
//	verify.go      verifying one, in Jetpack's order of checks
//	nonce.go       each (timestamp, nonce) once
//	code.go        the error codes, and what each means to a site owner
package signature

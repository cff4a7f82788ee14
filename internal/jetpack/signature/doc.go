// Package signature implements the signatures by which WordPress.com and a Jetpack site
// authenticate their calls. It signs requests, and verifies them as a site does, with the
// same error codes in the same order.
//
// It owns only the rules. It opens no connection, and it keeps secrets to itself: a
// Credential never shows its secret, however it is printed.
//
//	credential.go  the stored tokens
//	normalize.go   the signed text: URL and query as PHP parses them
//	clean.go       the URL as WordPress cleans it
//	sign.go        signs a request, in the query or in a header
//	verify.go      verifies a request, in Jetpack's order of checks
//	nonce.go       accepts each (timestamp, nonce) once
//	code.go        the error codes, and their meaning for a site owner
package signature

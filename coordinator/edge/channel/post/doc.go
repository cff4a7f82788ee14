// Package post makes one POST over HTTP to an endpoint that a caller of the API has chosen. It
// trusts nobody there: the address policy applies to the very
// address that the kernel dials, redirects are not followed, no proxy is asked, and headers,
// body and time are bounded.
//
// The kinds of channels over HTTP are built on it. It does not know what it sends.
package post

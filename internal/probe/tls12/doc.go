// Package tls12 is a client for TLS 1.2 that leaves the server's certificates to its caller
// as bytes. It exists for servers that show, behind a good chain, a certificate that
// crypto/x509 cannot parse: browsers do not even look at it, and crypto/tls ends the
// handshake before anybody is asked.
//
// It speaks what nearly every server of TLS 1.2 does: key exchange by ECDHE over X25519 or
// P-256, AES in GCM, signatures by RSA, ECDSA or Ed25519. It verifies the server's signature
// and its Finished message. It resumes nothing, renegotiates nothing and has no certificate
// of its own. It must not decide whether a certificate is good.
//
// It has no goroutines; a Conn may be used by one goroutine at a time and ends with the
// connection below it.
package tls12

// Package tls13 is a client for TLS 1.3 that leaves the server's certificates to its caller
// as bytes, as tls12 is for TLS 1.2, whose words both versions share. It exists for servers
// that speak nothing older and show, behind a good chain, a certificate that crypto/x509
// cannot parse.
//
// It speaks what nearly every server of TLS 1.3 does: key exchange over X25519 or P-256
// (a server that wants another group is not spoken to), AES in GCM, signatures by RSA, ECDSA
// or Ed25519. It verifies the server's signature and its Finished message, and follows
// updates of keys. It resumes nothing and has no certificate of its own. It must not decide
// whether a certificate is good.
//
// It has no goroutines; a Conn may be used by one goroutine at a time and ends with the
// connection below it.
package tls13

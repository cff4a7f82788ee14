// Package certs owns the certificates by which roles prove who they are: the form of the
// identity in them, a small certificate authority for those who have none, and what is told
// of a certificate.
//
// It must not decide who may call what, and must not open connections.
package certs

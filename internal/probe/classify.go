package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe/tls12"
)

// isTimeout reports whether time, and not the peer, ended an operation.
func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout() && !errors.Is(err, syscall.ETIMEDOUT)
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, syscall.ECONNABORTED)
}

// isOwnFault reports whether an error is this machine's fault: it lacks a descriptor,
// memory, a port or permission.
func isOwnFault(err error) bool {
	for _, e := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL,
		syscall.EACCES, syscall.EPERM, syscall.EAFNOSUPPORT, syscall.EADDRINUSE, syscall.ENETDOWN,
		syscall.ENOSPC, // epoll's: too many watched sockets
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// connectFailure classifies why no connection was made.
func connectFailure(err error, hasRoute bool) *failure {
	const kind = check.FailureConnect
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return down(kind, "refused", "connection refused")
	case isReset(err):
		return down(kind, "reset", "connection reset while connecting")
	case errors.Is(err, syscall.EHOSTUNREACH):
		return down(kind, "host_unreachable", "no route to the host")
	case errors.Is(err, syscall.ENETUNREACH) && hasRoute:
		return down(kind, "network_unreachable", "network is unreachable")
	case errors.Is(err, syscall.ENETUNREACH):
		return unknown(kind, "no_route", "this node has no route to the address")
	case errors.Is(err, syscall.ETIMEDOUT):
		return down(kind, "timeout", "no answer to the connection request")
	case isOwnFault(err):
		return unknown(kind, "node_resources", "this node cannot open a connection")
	case isTimeout(err):
		return outOfTime(kind, "timeout", "no connection within the time")
	}
	return down(kind, "failed", err.Error())
}

// handshakeFailure classifies why the TLS handshake failed.
func handshakeFailure(err error, now time.Time) *failure {
	const kind = check.FailureTLS
	if b, ok := errors.AsType[bug](err); ok {
		return panicked(b.value)
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		f := certificateFailure(e, now)
		f.issuer = issuerOf(e.UnverifiedCertificates)
		return f
	}
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		if string(e.RecordHeader[:]) == "HTTP/" {
			return down(kind, "not_tls", "the server answered in plain HTTP")
		}
		return down(kind, "not_tls", "the answer is not TLS")
	}
	if alert, ok := alertOf(err); ok {
		return alertFailure(alert)
	}
	switch {
	case isTimeout(err):
		return outOfTime(check.FailureTimeout, "handshake", "no TLS session within the time")
	case isReset(err):
		return down(kind, "reset", "connection reset in the TLS handshake")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return down(kind, "closed", "connection closed in the TLS handshake")
	}
	return down(kind, "handshake_failure", err.Error())
}

// alertOf returns the TLS alert that the peer sent. crypto/tls reports its own alerts in
// the same form with another Op. The type of the value inside is not exported, but its
// number is the alert's.
func alertOf(err error) (uint8, bool) {
	if alert, ok := errors.AsType[tls12.Alert](err); ok {
		return uint8(alert), true
	}
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Err == nil || op.Op != "remote error" {
		return 0, false
	}
	v := reflect.ValueOf(op.Err)
	if v.Kind() != reflect.Uint8 {
		return 0, false
	}
	return uint8(v.Uint()), true
}

// The alerts of RFC 8446 that tell something about a site.
const (
	alertHandshakeFailure     = 40
	alertBadCertificate       = 42
	alertProtocolVersion      = 70
	alertInsufficientSecurity = 71
	alertInternalError        = 80
	alertUnrecognizedName     = 112
	alertCertificateRequired  = 116
	alertNoProtocol           = 120
)

func alertFailure(alert uint8) *failure {
	reason := "handshake_failure"
	switch alert {
	case alertBadCertificate, alertCertificateRequired:
		reason = "client_certificate_required"
	case alertProtocolVersion:
		reason = "protocol_version"
	case alertInternalError:
		reason = "internal_error"
	case alertUnrecognizedName:
		reason = "unrecognized_name"
	case alertHandshakeFailure, alertInsufficientSecurity, alertNoProtocol:
	}
	return down(check.FailureTLS, reason, "the server sent TLS alert "+strconv.Itoa(int(alert)))
}

// certificateFailure classifies a chain that does not verify.
func certificateFailure(e *tls.CertificateVerificationError, now time.Time) *failure {
	const kind = check.FailureTLS
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](e.Err); ok {
		switch invalid.Reason {
		case x509.Expired:
			return dateFailure(invalid.Cert, now)
		case x509.IncompatibleUsage:
			return down(kind, "wrong_usage", "the certificate is not for servers")
		}
		return down(kind, "invalid_chain", "the certificate chain is not valid")
	}
	if host, ok := errors.AsType[x509.HostnameError](e.Err); ok {
		return down(kind, "wrong_host", "the certificate is not for "+host.Host)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](e.Err); ok {
		if chain := e.UnverifiedCertificates; len(chain) > 0 && isSelfSigned(chain[0]) {
			return down(kind, "self_signed", "the certificate is self-signed")
		}
		return down(kind, "unknown_issuer", "the certificate's issuer is not known")
	}
	if _, ok := errors.AsType[x509.SystemRootsError](e.Err); ok {
		return unknown(kind, "no_roots", "this node has no issuers to trust")
	}
	return down(kind, "bad_certificate", e.Err.Error())
}

// issuerOf returns who issued the leaf of a chain, empty when it issued itself.
func issuerOf(chain []*x509.Certificate) string {
	if len(chain) == 0 || isSelfSigned(chain[0]) {
		return ""
	}
	by := chain[0].Issuer
	name := strings.Join(by.Organization, " ")
	if by.CommonName != "" && !strings.Contains(name, by.CommonName) {
		name = strings.TrimSpace(name + " " + by.CommonName)
	}
	return printable(name, maxIssuerBytes)
}

// maxIssuerBytes bounds the name of an issuer.
const maxIssuerBytes = 100

// dateFailure distinguishes an expired certificate from one that is not yet valid:
// crypto/x509 has one reason for both. The certificate may be an issuer's.
func dateFailure(c *x509.Certificate, now time.Time) *failure {
	const day = "2006-01-02"
	if now.Before(c.NotBefore) {
		return down(check.FailureTLS, "not_yet_valid", "the certificate begins on "+c.NotBefore.UTC().Format(day))
	}
	return down(check.FailureTLS, "expired", "the certificate ended on "+c.NotAfter.UTC().Format(day))
}

func isSelfSigned(c *x509.Certificate) bool {
	return string(c.RawIssuer) == string(c.RawSubject) &&
		c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// answerFailure classifies an error between the connection and the end of the head.
func answerFailure(err error, waiting string) *failure {
	if b, ok := errors.AsType[bug](err); ok {
		return panicked(b.value)
	}
	if e, ok := errors.AsType[protocolError](err); ok {
		return down(check.FailureProtocol, string(e), "")
	}
	if alert, ok := alertOf(err); ok {
		return alertFailure(alert)
	}
	switch {
	case isTimeout(err):
		return outOfTime(check.FailureTimeout, waiting, "")
	case isReset(err):
		return down(check.FailureConnect, "reset", "connection reset before the answer was complete")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return down(check.FailureProtocol, string(errHeadCut), "")
	}
	return down(check.FailureConnect, "lost", "connection lost before the answer was complete")
}

// bodyFailure classifies an error in the body.
func bodyFailure(err error) *failure {
	if e, ok := errors.AsType[protocolError](err); ok {
		return down(check.FailureProtocol, string(e), e.detail())
	}
	if e, ok := errors.AsType[*connError](err); ok {
		switch {
		case isTimeout(e):
			return outOfTime(check.FailureTimeout, "body", "the body did not end within the time")
		case isReset(e):
			return down(check.FailurePartial, "reset", "connection reset in the body")
		}
		return down(check.FailurePartial, "lost", "connection lost in the body")
	}
	switch {
	case errors.Is(err, errCutShort):
		return down(check.FailurePartial, "cut_short", "the body ended early")
	case errors.Is(err, errNoDecoder):
		return unknown(check.FailureNone, "node_resources", "this node decodes too many bodies at once")
	}
	return down(check.FailurePartial, "lost", "the body could not be read: "+err.Error())
}

// detail says in words what is wrong with a body.
func (e protocolError) detail() string {
	switch e {
	case errBadEncoding:
		return "the body does not have the encoding that it says"
	case errBadChunks:
		return "the body's chunks are malformed"
	case errBadLength:
		return "the body's length is given in different ways"
	}
	return ""
}

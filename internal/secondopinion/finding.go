package secondopinion

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/Automattic/jetmon/internal/check"
)

// finding is why there is no good page. Its reasons are those of internal/probe where the
// same thing is meant; they are coarser, since only a person reads them.
type finding struct {
	outcome  check.Outcome
	kind     check.FailureKind
	reason   string
	detail   string
	timedOut bool
	// malformed means that net/http, or crypto/tls, does not understand the bytes of the
	// answer.
	malformed bool
}

func bad(kind check.FailureKind, reason, detail string) *finding {
	return &finding{outcome: check.OutcomeDown, kind: kind, reason: reason, detail: detail}
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}

// exchangeFinding classifies why a request got no response. hops is the number of redirects
// before it.
func exchangeFinding(err error, phase check.Phase, hops int) *finding {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.finding(hops)
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return dnsFinding(e)
	}
	if f := tlsFinding(err); f != nil {
		return f
	}
	switch {
	case isTimeout(err):
		return timeoutFinding(phase)
	case phase <= check.PhaseConnect:
		reason := "failed"
		if errors.Is(err, syscall.ECONNREFUSED) {
			reason = "refused"
		}
		return bad(check.FailureConnect, reason, err.Error())
	case phase == check.PhaseTLS && (isReset(err) || errors.Is(err, io.EOF)):
		return bad(check.FailureTLS, "closed", err.Error())
	case phase == check.PhaseTLS: // crypto/tls's own complaints have no type either
		f := bad(check.FailureTLS, "handshake_failure", err.Error())
		f.malformed = true
		return f
	case isReset(err):
		return bad(check.FailureConnect, "reset", err.Error())
	}
	// net/http's complaints about bytes have no type.
	return malformed(err)
}

func malformed(err error) *finding {
	f := bad(check.FailureProtocol, "malformed", err.Error())
	f.malformed = true
	return f
}

func timeoutFinding(phase check.Phase) *finding {
	f := &finding{outcome: check.OutcomeDown, kind: check.FailureTimeout, reason: "first_byte", timedOut: true}
	switch phase {
	case check.PhaseNone, check.PhaseDNS:
		f.kind, f.reason = check.FailureDNS, "timeout"
	case check.PhaseConnect:
		f.kind, f.reason = check.FailureConnect, "timeout"
	case check.PhaseTLS:
		f.reason = "handshake"
	case check.PhaseBody:
		f.reason = "body"
	}
	return f
}

func dnsFinding(e *net.DNSError) *finding {
	switch {
	case e.IsNotFound:
		return bad(check.FailureDNS, "nxdomain", e.Err)
	case e.IsTimeout:
		return timeoutFinding(check.PhaseDNS)
	}
	return bad(check.FailureDNS, "servfail", e.Err)
}

// tlsFinding classifies an error of crypto/tls, and returns nil for any other.
func tlsFinding(err error) *finding {
	const kind = check.FailureTLS
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return bad(kind, "expired", invalid.Error())
	}
	if host, ok := errors.AsType[x509.HostnameError](err); ok {
		return bad(kind, "wrong_host", "the certificate is not for "+host.Host)
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return bad(kind, "unknown_issuer", unknown.Error())
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return bad(kind, "bad_certificate", e.Error())
	}
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return bad(kind, "not_tls", e.Error())
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "remote error" { // an alert
		return bad(kind, "handshake_failure", e.Error())
	}
	return nil
}

// statusFinding returns the failure that a final status means, or nil.
func statusFinding(status int) *finding {
	reason := "http_" + strconv.Itoa(status)
	switch {
	case status >= 200 && status < 400:
		return nil
	case status == 403:
		return bad(check.FailureBlocked, reason, "")
	case status >= 400 && status < 500:
		return bad(check.FailureClient, reason, "")
	case status >= 500 && status < 600:
		return bad(check.FailureServer, reason, "")
	}
	return bad(check.FailureProtocol, "bad_status", fmt.Sprintf("HTTP status %d", status))
}

// bodyFinding classifies an error in the body.
func bodyFinding(err error) *finding {
	switch {
	case isTimeout(err):
		return timeoutFinding(check.PhaseBody)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return bad(check.FailurePartial, "cut_short", "the body ended early")
	case isReset(err):
		return bad(check.FailurePartial, "reset", "connection reset in the body")
	}
	return malformed(err)
}

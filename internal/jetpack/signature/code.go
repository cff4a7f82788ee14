package signature

import (
	"errors"
	"fmt"
	"strings"
)

// Code is one of Jetpack's error codes, as in faults and logs.
type Code string

// The codes, in the order of a site's checks.
const (
	MalformedToken       Code = "malformed_token"
	MalformedUserID      Code = "malformed_user_id"
	UnknownUser          Code = "unknown_user"
	UnknownToken         Code = "unknown_token"
	NoPossibleTokens     Code = "no_possible_tokens"
	NoTokenForUser       Code = "no_token_for_user"
	TokenMalformed       Code = "token_malformed"
	UserIDMismatch       Code = "user_id_mismatch"
	NoValidUserToken     Code = "no_valid_user_token"
	NoValidBlogToken     Code = "no_valid_blog_token"
	InvalidSecret        Code = "invalid_secret"
	TokenMismatch        Code = "token_mismatch"
	InvalidBody          Code = "invalid_body"
	InvalidSignature     Code = "invalid_signature"
	InvalidBodyHash      Code = "invalid_body_hash"
	UnknownSchemePort    Code = "unknown_scheme_port"
	CouldNotSign         Code = "could_not_sign"
	InvalidNonce         Code = "invalid_nonce"
	SignatureMismatch    Code = "signature_mismatch"
	RESTInvalidSignature Code = "rest_invalid_signature"
	RESTInvalidRequest   Code = "rest_invalid_request"
)

// TimestampTooOld is the text of the InvalidSignature that a wrong clock causes.
const TimestampTooOld = "The timestamp is too old."

// ErrNotSigned reports that a request does not claim to be signed, so it is not Jetpack's.
var ErrNotSigned = errors.New("signature: the request is not signed")

// ErrFatal reports a request at which PHP ends with a fatal error, and the site answers 500: a
// token or a signature that is an array.
var ErrFatal = errors.New("signature: PHP ends with a fatal error")

// Error is the refusal of a signed request.
type Error struct {
	Code    Code
	Message string
	// cause is the refusal that a REST refusal wraps.
	cause error
}

func fail(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error returns the code and its text.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Unwrap returns the refusal that a REST refusal wraps.
func (e *Error) Unwrap() error { return e.cause }

// Fault returns the text of a site's XML-RPC fault.
func (e *Error) Fault() string { return "Jetpack: [" + string(e.Code) + "] " + e.Message }

// FaultCode is the code of Jetpack's faults.
const FaultCode = -10520

// ParseFault parses the text of a fault; ok is false when it is not Jetpack's.
func ParseFault(text string) (e *Error, ok bool) {
	rest, ok := strings.CutPrefix(text, "Jetpack: [")
	if !ok {
		return nil, false
	}
	code, message, ok := strings.Cut(rest, "]")
	if !ok || code == "" || len(code) > 64 {
		return nil, false
	}
	return &Error{Code: Code(code), Message: strings.TrimSpace(message)}, true
}

// Advice explains a refusal to the owner of a site: its meaning, and what to do.
type Advice struct{ Means, Do string }

// Explain returns the advice for a refusal.
func (e *Error) Explain() Advice {
	if e.Code == InvalidSignature && strings.Contains(e.Message, "too old") {
		return Advice{
			"The time of the call is more than 10 minutes before or 5 minutes after the site's clock.",
			"Set the server's clock by NTP (timedatectl set-ntp true); in a container, set the host's.",
		}
	}
	if a, ok := advices[e.Code]; ok {
		return a
	}
	return Advice{"The site refused the signed call with a code that is not in Jetpack's list.", "Look for the code in the site's PHP log and in Tools > Site Health."}
}

const (
	reconnect  = "Choose Restore connection in wp-admin (Jetpack > Dashboard, or Tools > Site Health)."
	checkToken = "Give the token that the site stores now (jetpack_private_options: blog_token or user_tokens)."
)

var advices = map[Code]Advice{
	MalformedToken:   {"The token in the call is not key:1:user_id.", "Something on the way changes the query string: look at rewrite rules, WAF and CDN."},
	MalformedUserID:  {"The user in the token is not a number.", "Something on the way changes the query string: look at rewrite rules, WAF and CDN."},
	UnknownUser:      {"The token is for a local user that no longer exists.", "Make another administrator the connection owner, or reconnect that user."},
	UnknownToken:     {"The site does not know the token: the connection was lost or moved, or the database was restored.", reconnect},
	NoPossibleTokens: {"The site stores no token of this kind: it is not connected, or a cache keeps old options.", "Empty the object cache, then: " + reconnect},
	NoTokenForUser:   {"The site stores no token for this user.", "That user must connect to WordPress.com again."},
	TokenMalformed:   {"The stored token is damaged.", reconnect},
	UserIDMismatch:   {"The token stored for this user is another user's, as after an import of users.", reconnect},
	NoValidUserToken: {"The key of the token is not the one stored for this user.", checkToken + " On WordPress.com's side: " + reconnect},
	NoValidBlogToken: {"The key of the token is not the one stored for the blog: site and WordPress.com hold different connections, as after a clone or a restored backup.", checkToken + " On WordPress.com's side: " + reconnect},
	InvalidSecret:    {"The stored token has no secret, or more than one.", reconnect},
	TokenMismatch:    {"The token of the call is not the one that the site looked up.", reconnect},
	InvalidBody:      {"The body did not arrive as text.", "Look for a plugin or WAF that parses or rewrites request bodies."},
	InvalidSignature: {"Part of the signature is missing or malformed: something changed the call on the way.", "Look for rewrite rules, a WAF or a CDN that drops or changes query parameters."},
	InvalidBodyHash:  {"The body that arrived is not the body that was sent.", "Look for a WAF, proxy or plugin that rewrites or drops request bodies (a redirect does that, too)."},
	UnknownSchemePort: {"The site cannot tell on which port it was called.",
		"Let the proxy send X-Forwarded-Port, and fastcgi_params pass SERVER_PORT."},
	CouldNotSign: {"The site could not compute a signature.", "Check that PHP has the hash extension, and update Jetpack."},
	InvalidNonce: {"The same call arrived twice, or the nonce could not be stored: a proxy or cache repeats POSTs, or the options table cannot be written.",
		"Turn off retries of POST in the proxy (proxy_next_upstream off), exclude xmlrpc.php from caches, check the database."},
	SignatureMismatch: {"The site computed another signature: it believes that it was called by another host, port, path or query.",
		"Behind a proxy, send X-Forwarded-Port (443), pass Host unchanged, or set JETPACK_SIGNATURE__HTTPS_PORT (or __HTTP_PORT) in wp-config.php to the port that PHP sees."},
	RESTInvalidSignature: {"The site refused the signature of a REST call.", "See the result of the signed XML-RPC call: it shows why."},
	RESTInvalidRequest:   {"Signed REST calls may be GET, or POST with a body.", "Look for a proxy that changes methods."},
}

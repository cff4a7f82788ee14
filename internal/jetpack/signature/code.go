package signature

import (
	"errors"
	"fmt"
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

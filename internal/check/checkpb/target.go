package checkpb

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// Limits on a target, equal to those of jetmon.monitor.v1.CheckSettings.
const (
	maxTexts            = 8
	maxTextBytes        = 200
	maxTargetHeaders    = 8
	maxHeaderNameBytes  = 100
	maxHeaderValueBytes = 1000
)

// FieldError names a wrong field of a message and its fault.
type FieldError struct {
	// Field is the path of the field in proto names, such as "target.headers[1].name".
	Field string
	// Description states what the field must be; it follows the name in a sentence.
	Description string
	// Cause is the error behind it; nil when there is none.
	Cause error
}

// Unwrap returns the cause.
func (e *FieldError) Unwrap() error { return e.Cause }

// Error returns, for example, "target.url: must not be empty".
func (e *FieldError) Error() string { return e.Field + ": " + e.Description }

func invalid(field, format string, args ...any) error {
	return &FieldError{Field: field, Description: fmt.Sprintf(format, args...)}
}

// TargetToProto converts a target to its wire form. It rounds the timeout up to a
// millisecond, so that a short one does not become 0, the default.
func TargetToProto(t check.Target) *checkv1.Target {
	return &checkv1.Target{
		Url:             escapeInvalidUTF8(t.URL),
		Method:          checkv1.Method(t.Method),
		RedirectPolicy:  checkv1.RedirectPolicy(t.RedirectPolicy),
		TimeoutMillis:   millisUp(min(t.Timeout, check.MaxTimeout)),
		Headers:         headersToProto(t.Headers),
		RequiredTexts:   validTexts(t.RequiredTexts),
		ForbiddenTexts:  validTexts(t.ForbiddenTexts),
		SlowAfterMillis: millisUp(min(t.SlowAfter, check.MaxTimeout)),
		HeadHostile:     t.HeadHostile,
		PageRule:        checkv1.PageRule(t.PageRule),
		PageWasFilled:   t.PageWasFilled,
		TlsErrors:       checkv1.TLSErrors(t.TLSErrors),
	}
}

func headersToProto(headers []check.Header) []*checkv1.Header {
	if len(headers) == 0 {
		return nil
	}
	out := make([]*checkv1.Header, len(headers))
	for i, h := range headers {
		out[i] = &checkv1.Header{Name: strings.ToValidUTF8(h.Name, "\uFFFD"), Value: strings.ToValidUTF8(h.Value, "\uFFFD")}
	}
	return out
}

// TargetFromProto converts a target from its wire form, and refuses a wrong one with a
// *FieldError. The URL stays unchanged. A timeout of 0 stays 0: the caller decides its
// meaning.
func TargetFromProto(p *checkv1.Target) (check.Target, error) {
	if p == nil {
		return check.Target{}, invalid("target", "must be given")
	}
	if _, err := check.ParseURL(p.GetUrl()); err != nil {
		return check.Target{}, &FieldError{Field: "target.url", Description: err.Error(), Cause: err}
	}
	if ms := p.GetTimeoutMillis(); ms > uint32(check.MaxTimeout/time.Millisecond) {
		return check.Target{}, invalid("target.timeout_millis", "must be at most %d, is %d",
			check.MaxTimeout/time.Millisecond, ms)
	}
	if ms := p.GetSlowAfterMillis(); ms > uint32(check.MaxTimeout/time.Millisecond) {
		return check.Target{}, invalid("target.slow_after_millis", "must be at most %d, is %d",
			check.MaxTimeout/time.Millisecond, ms)
	}
	settings, err := settingsFromProto("target", p)
	if err != nil {
		return check.Target{}, err
	}
	settings.SlowAfter = time.Duration(p.GetSlowAfterMillis()) * time.Millisecond
	settings.TLSErrors = known[check.TLSErrors](p.GetTlsErrors(), checkv1.TLSErrors_TLS_ERRORS_ADVISE)
	return check.Target{
		URL:         p.GetUrl(),
		Settings:    settings,
		Timeout:     time.Duration(p.GetTimeoutMillis()) * time.Millisecond,
		HeadHostile: p.GetHeadHostile(),
		// An unknown rule is one of a newer coordinator: the page is not judged.
		PageRule:      known[check.PageRule](p.GetPageRule(), checkv1.PageRule_PAGE_RULE_DOWN),
		PageWasFilled: p.GetPageWasFilled(),
	}, nil
}

func validateTexts(field string, texts []string) error {
	if n := len(texts); n > maxTexts {
		return invalid(field, "must be at most %d, are %d", maxTexts, n)
	}
	for i, s := range texts {
		if s == "" || len(s) > maxTextBytes {
			return invalid(fmt.Sprintf("%s[%d]", field, i), "must have from 1 to %d bytes, has %d", maxTextBytes, len(s))
		}
	}
	return nil
}

func wrongHeaderName(name string) string {
	switch {
	case name == "":
		return "must not be empty"
	case len(name) > maxHeaderNameBytes:
		return fmt.Sprintf("must be at most %d bytes, has %d", maxHeaderNameBytes, len(name))
	case !httpguts.ValidHeaderFieldName(name):
		return "must be an HTTP token (letters, digits, !#$%&'*+-.^_`|~)"
	case reservedHeader(name):
		return fmt.Sprintf("must not be %s: the check sets it itself", name)
	}
	return ""
}

func wrongHeaderValue(value string) string {
	switch {
	case len(value) > maxHeaderValueBytes:
		return fmt.Sprintf("must be at most %d bytes, has %d", maxHeaderValueBytes, len(value))
	case strings.ContainsFunc(value, isControl):
		return "must not contain control characters"
	case strings.Trim(value, " ") != value:
		return "must not begin or end with a space"
	}
	return ""
}

// reservedHeader reports whether a field frames a request or belongs to the connection.
// A target that could set such a field could smuggle a second request, or break the check.
func reservedHeader(name string) bool {
	switch strings.ToLower(name) {
	case "host", "connection", "proxy-connection", "keep-alive", "transfer-encoding",
		"te", "trailer", "content-length", "content-encoding", "upgrade", "http2-settings",
		"expect", "accept-encoding", "range", "proxy-authorization":
		return true
	}
	return false
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

// escapeInvalidUTF8 percent-encodes the bytes that a proto string cannot carry, as a
// request line would. One bad row must not spoil its batch.
func escapeInvalidUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if _, size := utf8.DecodeRuneInString(s[i:]); r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, "%%%02X", s[i])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func validTexts(texts []string) []string {
	for i, s := range texts {
		if utf8.ValidString(s) {
			continue
		}
		out := append([]string(nil), texts[:i]...)
		for _, s := range texts[i:] {
			out = append(out, strings.ToValidUTF8(s, "\uFFFD"))
		}
		return out
	}
	return texts
}

// millisUp converts to milliseconds, rounded up and limited to the wire's range.
func millisUp(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((d-1)/time.Millisecond+1, math.MaxUint32))
}

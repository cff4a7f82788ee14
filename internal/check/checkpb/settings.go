package checkpb

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// SettingsToProto converts settings to the API's form; a slow-after of 0 is absent.
func SettingsToProto(s check.Settings) *monitorv1.CheckSettings {
	p := &monitorv1.CheckSettings{
		Method:         checkv1.Method(s.Method),
		RedirectPolicy: checkv1.RedirectPolicy(s.RedirectPolicy),
		Headers:        headersToProto(s.Headers),
		RequiredTexts:  validTexts(s.RequiredTexts),
		ForbiddenTexts: validTexts(s.ForbiddenTexts),
		PageCheck:      checkv1.PageCheck(s.PageCheck),
		TlsErrors:      checkv1.TLSErrors(s.TLSErrors),
	}
	if s.SlowAfter > 0 {
		p.SlowAfter = durationpb.New(s.SlowAfter)
	}
	return p
}

// SettingsFromProto converts settings from the API's form. It refuses settings that no node
// accepts with a *FieldError whose field begins with prefix. It truncates the slow-after to
// whole milliseconds, the precision of a target. Absent settings are the default ones.
func SettingsFromProto(prefix string, p *monitorv1.CheckSettings) (check.Settings, error) {
	if p.GetSlowAfter() != nil && p.GetSlowAfter().CheckValid() != nil {
		return check.Settings{}, invalid(prefix+".slow_after", "is not a span of time")
	}
	slow := p.GetSlowAfter().AsDuration()
	if slow < 0 || slow > check.MaxTimeout {
		return check.Settings{}, invalid(prefix+".slow_after", "must be from 0s to %s, is %s", check.MaxTimeout, slow)
	}
	s, err := settingsFromProto(prefix, p)
	if err != nil {
		return check.Settings{}, err
	}
	if _, ok := checkv1.PageCheck_name[int32(p.GetPageCheck())]; !ok {
		return check.Settings{}, invalid(prefix+".page_check", "has no value %d", p.GetPageCheck())
	}
	if _, ok := checkv1.TLSErrors_name[int32(p.GetTlsErrors())]; !ok {
		return check.Settings{}, invalid(prefix+".tls_errors", "has no value %d", p.GetTlsErrors())
	}
	s.TLSErrors = check.TLSErrors(p.GetTlsErrors())
	s.SlowAfter, s.PageCheck = slow.Truncate(time.Millisecond), check.PageCheck(p.GetPageCheck())
	return s, nil
}

// settingsMessage is the common part of the messages that contain settings.
type settingsMessage interface {
	GetMethod() checkv1.Method
	GetRedirectPolicy() checkv1.RedirectPolicy
	GetHeaders() []*checkv1.Header
	GetRequiredTexts() []string
	GetForbiddenTexts() []string
}

// settingsFromProto converts everything except the slow-after, whose form differs between
// the messages.
func settingsFromProto(prefix string, p settingsMessage) (check.Settings, error) {
	if _, ok := checkv1.Method_name[int32(p.GetMethod())]; !ok {
		return check.Settings{}, invalid(prefix+".method", "has no value %d", p.GetMethod())
	}
	if _, ok := checkv1.RedirectPolicy_name[int32(p.GetRedirectPolicy())]; !ok {
		return check.Settings{}, invalid(prefix+".redirect_policy", "has no value %d", p.GetRedirectPolicy())
	}
	s := check.Settings{
		Method:         check.Method(p.GetMethod()),
		RedirectPolicy: check.RedirectPolicy(p.GetRedirectPolicy()),
		RequiredTexts:  p.GetRequiredTexts(),
		ForbiddenTexts: p.GetForbiddenTexts(),
	}
	if n := len(p.GetHeaders()); n > maxTargetHeaders {
		return check.Settings{}, invalid(prefix+".headers", "must be at most %d, are %d", maxTargetHeaders, n)
	} else if n > 0 {
		s.Headers = make([]check.Header, n)
		for i, h := range p.GetHeaders() {
			s.Headers[i] = check.Header{Name: h.GetName(), Value: h.GetValue()}
		}
	}
	if err := validateSettings(prefix, s); err != nil {
		return check.Settings{}, err
	}
	return s, nil
}

// validateSettings refuses headers and texts that no node accepts in a target, with
// a *FieldError whose field begins with prefix. Call it before storing settings.
func validateSettings(prefix string, s check.Settings) error {
	if n := len(s.Headers); n > maxTargetHeaders {
		return invalid(prefix+".headers", "must be at most %d, are %d", maxTargetHeaders, n)
	}
	for i, h := range s.Headers {
		if d := wrongHeaderName(h.Name); d != "" {
			return invalid(fmt.Sprintf("%s.headers[%d].name", prefix, i), "%s", d)
		}
		if d := wrongHeaderValue(h.Value); d != "" {
			return invalid(fmt.Sprintf("%s.headers[%d].value", prefix, i), "%s", d)
		}
	}
	if err := validateTexts(prefix+".required_texts", s.RequiredTexts); err != nil {
		return err
	}
	return validateTexts(prefix+".forbidden_texts", s.ForbiddenTexts)
}

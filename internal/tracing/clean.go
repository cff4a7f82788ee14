package tracing

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/Automattic/jetmon/internal/fault"
)

// maxText bounds the name of a span and why it failed, in bytes.
const maxText = 1024

// cleaned is a span whose texts a collector takes.
type cleaned struct {
	trace.ReadOnlySpan
	name       string
	attributes []attribute.KeyValue
	status     trace.Status
}

// Name implements trace.ReadOnlySpan.
func (c cleaned) Name() string { return c.name }

// Attributes implements trace.ReadOnlySpan.
func (c cleaned) Attributes() []attribute.KeyValue { return c.attributes }

// Status implements trace.ReadOnlySpan.
func (c cleaned) Status() trace.Status { return c.status }

// clean returns a span as a collector takes it. Sites, other nodes and databases write into its
// texts, and a single one that is no UTF-8 would cost the whole message. maxValue bounds the texts
// among its attributes, in characters.
func clean(s trace.ReadOnlySpan, maxValue int) trace.ReadOnlySpan {
	name, status, attributes := s.Name(), s.Status(), s.Attributes()
	if isClean(name) && isClean(status.Description) && areClean(attributes, maxValue) {
		return s
	}
	out := make([]attribute.KeyValue, len(attributes))
	for i, a := range attributes {
		out[i] = attribute.KeyValue{Key: a.Key, Value: cleanValue(a.Value, maxValue)}
	}
	status.Description = cleanText(status.Description)
	return cleaned{ReadOnlySpan: s, name: cleanText(name), attributes: out, status: status}
}

func isClean(text string) bool { return len(text) <= maxText && utf8.ValidString(text) }

// areClean reports whether all texts among attributes are UTF-8 and short.
func areClean(all []attribute.KeyValue, most int) bool {
	ok := func(text string) bool { return len(text) <= most && utf8.ValidString(text) }
	for _, a := range all {
		switch a.Value.Type() {
		case attribute.STRING:
			if !ok(a.Value.AsString()) {
				return false
			}
		case attribute.STRINGSLICE:
			for _, text := range a.Value.AsStringSlice() {
				if !ok(text) {
					return false
				}
			}
		}
	}
	return true
}

func cleanValue(v attribute.Value, most int) attribute.Value {
	switch v.Type() {
	case attribute.STRING:
		return attribute.StringValue(cut(v.AsString(), most))
	case attribute.STRINGSLICE:
		all := v.AsStringSlice() // a copy
		for i, text := range all {
			all[i] = cut(text, most)
		}
		return attribute.StringSliceValue(all)
	}
	return v
}

// cut returns the first characters of a text, as UTF-8.
func cut(text string, most int) string {
	n := 0
	for i := range text {
		if n == most {
			text = text[:i]
			break
		}
		n++
	}
	return strings.ToValidUTF8(text, "?")
}

// cleanText returns a text as UTF-8 of at most maxText bytes.
func cleanText(text string) string {
	return strings.ToValidUTF8(fault.Clip(text, maxText), "?")
}

var (
	userInText     = regexp.MustCompile(`//[^/?#\s]*@`)
	queryInText    = regexp.MustCompile(`\?\S+`)
	fragmentInText = regexp.MustCompile(`(\S)#\S+`)
)

// withoutSecrets returns a text about a check without the parts of URLs that SiteURL leaves out.
func withoutSecrets(text string) string {
	if !strings.ContainsAny(text, "@?#") {
		return text
	}
	text = userInText.ReplaceAllString(text, "//REDACTED@")
	text = queryInText.ReplaceAllString(text, "?REDACTED")
	return fragmentInText.ReplaceAllString(text, "$1#REDACTED")
}

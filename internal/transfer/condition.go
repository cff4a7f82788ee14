package transfer

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
)

// condition converts a condition of Gatus, as "[STATUS] == 200".
func (m *Monitor) condition(text string) {
	subject, operator, value, ok := cutCondition(text)
	switch {
	case !ok:
		m.leaveOut("the condition %s, which is none", text)
	case subject == "[STATUS]":
		m.statusCondition(text, operator, value)
	case subject == "[RESPONSE_TIME]" && (operator == "<" || operator == "<="):
		m.slowCondition(text, value)
	case subject == "[BODY]" && (operator == "==" || operator == "!="):
		m.bodyCondition(text, operator, value)
	case subject == "[CONNECTED]" && operator == "==" && value == "true":
	case strings.HasPrefix(subject, "[CERTIFICATE_EXPIRATION]"):
		m.leaveOut("the condition %s: a certificate is judged when it has expired, and its end remarked before", text)
	default:
		m.leaveOut("the condition %s: there is nothing like it here", text)
	}
}

// cutCondition splits a condition at its operator.
func cutCondition(text string) (subject, operator, value string, ok bool) {
	for _, op := range []string{" == ", " != ", " <= ", " >= ", " < ", " > "} {
		if left, right, found := strings.Cut(text, op); found {
			return strings.TrimSpace(left), strings.TrimSpace(op), strings.TrimSpace(right), true
		}
	}
	return "", "", "", false
}

// statusCondition converts a condition on the status. Jetmon takes those below 400 as good.
func (m *Monitor) statusCondition(text, operator, value string) {
	good, bad := 0, 0
	for _, one := range anyOf(value) {
		switch status, err := strconv.Atoi(one); {
		case err != nil:
			m.leaveOut("the condition %s: Jetmon takes the statuses below 400 as good", text)
			return
		case status >= 300 && status < 400 && m.Site.Settings.RedirectPolicy == checkv1.RedirectPolicy_REDIRECT_POLICY_FAIL:
			// The redirect is what it waits for.
			m.Site.Settings.RedirectPolicy = checkv1.RedirectPolicy_REDIRECT_POLICY_UNSPECIFIED
			m.leaveOut("client.ignore-redirect with %s: Jetmon follows redirects and judges the last answer", text)
			good++
		case status < 400:
			good++
		default:
			bad++
		}
	}
	switch {
	case operator == "==" && good == 0:
		m.drop("it wants %s, which Jetmon calls down", text)
	case operator == "==" && bad > 0, operator == "!=" && good > 0, operator == ">" || operator == ">=":
		m.leaveOut("the condition %s: Jetmon takes the statuses below 400 as good", text)
	case (operator == "<" || operator == "<=") && (value > "400" || len(value) != 3):
		m.leaveOut("the condition %s: Jetmon takes the statuses below 400 as good", text)
	}
}

// anyOf returns the values of any(a, b), or the value.
func anyOf(value string) (values []string) {
	list, ok := strings.CutPrefix(value, "any(")
	if !ok || !strings.HasSuffix(list, ")") {
		return []string{value}
	}
	for one := range strings.SplitSeq(strings.TrimSuffix(list, ")"), ",") {
		values = append(values, strings.TrimSpace(one))
	}
	return values
}

// mostSlow is the longest time after which an answer can be called slow.
const mostSlow = time.Minute

// slowCondition converts a condition on the time, in milliseconds or with a unit.
func (m *Monitor) slowCondition(text, value string) {
	limit, err := time.ParseDuration(value)
	if millis, number := strconv.Atoi(value); number == nil {
		limit, err = time.Duration(millis)*time.Millisecond, nil
	}
	if err != nil || limit < time.Millisecond || limit > mostSlow {
		m.leaveOut("the condition %s: an answer can be called slow after 1ms to 60s", text)
		return
	}
	m.Site.Settings.SlowAfter = durationpb.New(limit)
	m.leaveOut("the outage by %s: a slow answer is remarked, and is no outage", text)
}

// bodyCondition converts a condition on the body: texts that it must contain, or must not.
func (m *Monitor) bodyCondition(text, operator, value string) {
	pattern, isPattern := strings.CutPrefix(value, "pat(")
	pattern, closed := strings.CutSuffix(pattern, ")")
	if !isPattern {
		pattern, closed = value, true
	}
	if !closed || strings.HasPrefix(value, "any(") || isPattern && strings.ContainsAny(pattern, "?[\\") {
		m.leaveOut("the condition %s: Jetmon looks for texts only", text)
		return
	}
	pieces := []string{pattern}
	if isPattern {
		pieces = strings.FieldsFunc(pattern, func(r rune) bool { return r == '*' })
	}
	within := isPattern && strings.HasPrefix(pattern, "*") && strings.HasSuffix(pattern, "*")
	switch {
	case len(pieces) == 0 || pieces[0] == "":
		m.leaveOut("the condition %s: it has no text", text)
		return
	case operator == "!=" && (len(pieces) > 1 || !within):
		// A page with one of the pieces may be good.
		m.leaveOut("the condition %s: Jetmon looks for single texts only", text)
		return
	case operator == "!=":
		m.forbid(pieces[0])
		return
	case !within || len(pieces) > 1:
		m.leaveOut("the strictness of %s: the text may be anywhere in the page", text)
	}
	for _, piece := range pieces {
		m.require(piece)
	}
}

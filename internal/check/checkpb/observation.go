package checkpb

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// Limits on an observation beyond those of package check.
const (
	maxReasonBytes   = 64
	maxAddressBytes  = 80
	maxIssuerBytes   = 100
	maxProtocolBytes = 16
	maxHopURLBytes   = 1000
	maxHeaders       = 16
	maxHeaderBytes   = 200
)

// The range of google.protobuf.Timestamp: the years 1 to 9999, in unix seconds.
const (
	minTimestamp = -62135596800
	maxTimestamp = 253402300799
)

// ObservationToProto limits an observation and converts it to its wire form. Absent and
// zero fields take no bytes, so a healthy observation is small.
func ObservationToProto(o check.Observation) *checkv1.Observation {
	o = bound(o)
	// One allocation holds the message and the two that nearly all observations have.
	var all struct {
		observation checkv1.Observation
		timing      checkv1.Timing
		expire      timestamppb.Timestamp
	}
	p := &all.observation
	p.Outcome = checkv1.Outcome(o.Outcome)
	p.Failure = checkv1.FailureKind(o.Failure)
	p.Reason = o.Reason
	p.HttpStatus = int32(o.HTTPStatus)
	p.Phase = checkv1.Phase(o.Phase)
	p.Method = checkv1.Method(o.Method)
	p.ResolvedAddress = o.ResolvedAddress
	p.Protocol = o.Protocol
	p.CertificateIssuer = o.CertificateIssuer
	p.Headers = o.Headers
	p.Detail = o.Detail
	p.PageState = checkv1.PageState(o.PageState)
	if len(o.Advisories) > 0 {
		p.Advisories = make([]checkv1.Advisory, len(o.Advisories))
		for i, a := range o.Advisories {
			p.Advisories[i] = checkv1.Advisory(a)
		}
	}
	if o.Timing != (check.Timing{}) {
		p.Timings = &all.timing
		p.Timings.DnsMicros = micros(o.Timing.DNS)
		p.Timings.ConnectMicros = micros(o.Timing.Connect)
		p.Timings.TlsMicros = micros(o.Timing.TLS)
		p.Timings.FirstByteMicros = micros(o.Timing.FirstByte)
		p.Timings.TotalMicros = micros(o.Timing.Total)
	}
	if !o.CertificateExpire.IsZero() {
		p.CertificateExpireTime = &all.expire
		p.CertificateExpireTime.Seconds = o.CertificateExpire.Unix()
		p.CertificateExpireTime.Nanos = int32(o.CertificateExpire.Nanosecond())
	}
	if len(o.Hops) > 0 {
		p.Hops = make([]*checkv1.Hop, len(o.Hops))
		for i, h := range o.Hops {
			p.Hops[i] = &checkv1.Hop{HttpStatus: int32(h.Status), Url: h.URL}
		}
	}
	return p
}

// ObservationFromProto converts an observation from its wire form and limits it. It accepts
// everything: an absent message or an unknown outcome is [check.OutcomeUnknown].
func ObservationFromProto(p *checkv1.Observation) check.Observation {
	o := check.Observation{
		Outcome:           check.OutcomeUnknown,
		Reason:            p.GetReason(),
		HTTPStatus:        int(p.GetHttpStatus()),
		ResolvedAddress:   p.GetResolvedAddress(),
		Protocol:          p.GetProtocol(),
		Headers:           p.GetHeaders(),
		CertificateIssuer: p.GetCertificateIssuer(),
		Detail:            p.GetDetail(),
		Failure:           known[check.FailureKind](p.GetFailure(), checkv1.FailureKind_FAILURE_KIND_POLICY),
		Phase:             known[check.Phase](p.GetPhase(), checkv1.Phase_PHASE_DONE),
		Method:            known[check.Method](p.GetMethod(), checkv1.Method_METHOD_GET),
		PageState:         known[check.PageState](p.GetPageState(), checkv1.PageState_PAGE_STATE_EMPTY),
	}
	if v := known[check.Outcome](p.GetOutcome(), checkv1.Outcome_OUTCOME_UNKNOWN); v != 0 {
		o.Outcome = v
	}
	for _, a := range p.GetAdvisories() {
		o.Advisories = addAdvisory(o.Advisories, known[check.Advisory](a, checkv1.Advisory(check.AdvisoryLast)))
	}
	if t := p.GetTimings(); t != nil {
		o.Timing = check.Timing{
			DNS:       time.Duration(t.GetDnsMicros()) * time.Microsecond,
			Connect:   time.Duration(t.GetConnectMicros()) * time.Microsecond,
			TLS:       time.Duration(t.GetTlsMicros()) * time.Microsecond,
			FirstByte: time.Duration(t.GetFirstByteMicros()) * time.Microsecond,
			Total:     time.Duration(t.GetTotalMicros()) * time.Microsecond,
		}
	}
	if e := p.GetCertificateExpireTime(); e.IsValid() {
		o.CertificateExpire = e.AsTime()
	}
	if hops := p.GetHops(); len(hops) > 0 {
		o.Hops = make([]check.Hop, min(len(hops), check.MaxRedirects))
		for i := range o.Hops {
			o.Hops[i] = check.Hop{Status: int(hops[i].GetHttpStatus()), URL: hops[i].GetUrl()}
		}
	}
	return bound(o)
}

// known converts an enum value, and returns 0 for one that this build does not know.
func known[V ~uint8, E ~int32](e, last E) V {
	if e < 0 || e > last {
		return 0
	}
	return V(e)
}

// bound limits an observation for the wire and for memory, and resolves contradictions. It
// returns one that fits already unchanged, without a copy.
func bound(o check.Observation) check.Observation {
	judge(&o)
	o.Reason = boundReason(o.Reason)
	o.HTTPStatus = boundStatus(o.HTTPStatus)
	o.ResolvedAddress = boundText(o.ResolvedAddress, maxAddressBytes)
	o.CertificateIssuer = boundText(o.CertificateIssuer, maxIssuerBytes)
	o.Protocol = boundText(o.Protocol, maxProtocolBytes)
	o.Detail = boundText(o.Detail, check.MaxDetailBytes)
	o.Headers = boundHeaders(o.Headers)
	o.Hops = boundHops(o.Hops)
	if s := o.CertificateExpire.Unix(); s < minTimestamp || s > maxTimestamp {
		o.CertificateExpire = time.Time{} // a certificate may claim a time beyond the wire's range
	}
	return o
}

// judge resolves contradictions between outcome and failure.
func judge(o *check.Observation) {
	switch {
	case o.Outcome == check.OutcomeUp:
		o.Failure = check.FailureNone
	case o.Failure == check.FailurePolicy, o.Outcome == 0, o.Outcome > check.OutcomeUnknown:
		o.Outcome = check.OutcomeUnknown
	}
}

// boundReason drops an invalid reason.
func boundReason(s string) string {
	if len(s) > maxReasonBytes || strings.ContainsFunc(s, isNotReasonRune) {
		return ""
	}
	return s
}

func boundHops(hops []check.Hop) []check.Hop {
	hops = hops[:min(len(hops), check.MaxRedirects)]
	for i, h := range hops {
		fit := check.Hop{Status: boundStatus(h.Status), URL: boundText(h.URL, maxHopURLBytes)}
		if fit == h {
			continue
		}
		out := slices.Clone(hops) // the caller's slice must not change
		for j := i; j < len(out); j++ {
			out[j] = check.Hop{Status: boundStatus(out[j].Status), URL: boundText(out[j].URL, maxHopURLBytes)}
		}
		return out
	}
	return hops
}

// boundHeaders keeps a limited subset: the first by name, so that it is always the same.
func boundHeaders(h map[string]string) map[string]string {
	if len(h) == 0 {
		return nil
	}
	fits := len(h) <= maxHeaders
	for k, v := range h {
		fits = fits && k != "" && boundText(k, maxHeaderBytes) == k && boundText(v, maxHeaderBytes) == v
	}
	if fits {
		return h
	}
	names := make([]string, 0, len(h))
	for k := range h {
		if k != "" && boundText(k, maxHeaderBytes) == k {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	out := make(map[string]string, min(len(names), maxHeaders))
	for _, k := range names[:min(len(names), maxHeaders)] {
		out[k] = boundText(h[k], maxHeaderBytes)
	}
	return out
}

// boundText makes s valid UTF-8 without control characters, and cuts it at the border of a
// rune. Control characters become spaces, so that words stay apart.
func boundText(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
		for i := 1; i < utf8.UTFMax && i <= len(s); i++ {
			if c := s[len(s)-i]; utf8.RuneStart(c) {
				if !utf8.FullRuneInString(s[len(s)-i:]) {
					s = s[:len(s)-i]
				}
				break
			}
		}
	}
	if printable(s) || !strings.ContainsFunc(s, isControl) && utf8.ValidString(s) {
		return s
	}
	// "?" is one byte, as is the invalid byte it replaces, so the limit still holds.
	s = strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, replaceInvalid(s))
	return s
}

// replaceInvalid replaces each byte that is not UTF-8 with "?".
func replaceInvalid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	b := []byte(s)
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			b[i] = '?'
		}
		i += size
	}
	return string(b)
}

func boundStatus(s int) int {
	if s < 0 || s > 999 {
		return 0
	}
	return s
}

func isNotReasonRune(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_')
}

// micros limits a duration to the wire's range: 0 to 71 minutes.
func micros(d time.Duration) uint32 {
	return uint32(min(max(d/time.Microsecond, 0), math.MaxUint32))
}

package probe

import (
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/ascii"
	"github.com/Automattic/jetmon/internal/check"
)

// expiringWithin is how long before its certificate's end a site gets an advisory.
const expiringWithin = 30 * 24 * time.Hour

// maxFieldBytes is how much of a response header is kept as evidence.
const maxFieldBytes = 100

// observe fills in the Observation from the result.
func (j *job) observe(r result, o *check.Observation) {
	a := r.deciding
	o.Outcome = check.OutcomeUp
	o.HTTPStatus = a.head.status
	o.Phase = a.trace.reached()
	o.Method = a.method
	o.Protocol = a.head.proto
	o.Hops = a.hops
	o.CertificateExpire = a.trace.leafEnd
	o.Headers = evidence(a.head)
	o.Detail, o.PageState = a.note, a.pageState
	o.Timing = a.trace.timing
	if a.trace.addr.IsValid() {
		o.ResolvedAddress = a.trace.addr.String()
	}
	if r.other != nil {
		o.Timing = sum(o.Timing, r.other.trace.timing)
	}
	o.Timing.Total = since(j.start)
	if f := a.failure; f != nil {
		o.Outcome, o.Failure, o.Reason = f.outcome, f.kind, f.reason
		o.Detail = printable(f.detail, check.MaxDetailBytes)
		o.CertificateIssuer = f.issuer
		return
	}
	o.Phase = check.PhaseDone
	if d := a.trace.distrust; d != nil && o.Detail == "" {
		o.Detail = printable("certificate "+d.reason+": "+d.detail, check.MaxDetailBytes)
	}
	o.Advisories = append(j.advisories(r), a.advisories...)
}

func sum(a, b check.Timing) check.Timing {
	a.DNS += b.DNS
	a.Connect += b.Connect
	a.TLS += b.TLS
	a.FirstByte += b.FirstByte
	return a
}

// advisories returns the advisories for a site that is up. A site that is checked by GET
// because its HEAD failed keeps getting HEAD_UNSUPPORTED, so that this is remembered.
func (j *job) advisories(r result) []check.Advisory {
	var all []check.Advisory
	a := r.deciding
	if end := a.trace.leafEnd; !end.IsZero() && end.Sub(j.prober.now()) < expiringWithin {
		all = append(all, check.AdvisoryTLSExpiring)
	}
	if a.trace.tlsIsOld() {
		all = append(all, check.AdvisoryTLSDeprecated)
	}
	if a.trace.distrust != nil {
		all = append(all, check.AdvisoryTLSInvalid)
	}
	if after := j.target.SlowAfter; after > 0 && a.took > after {
		all = append(all, check.AdvisorySlow)
	}
	if r.headFailed {
		all = append(all, check.AdvisoryHeadUnsupported)
	}
	return all
}

// evidenceFields are the header fields that help to explain a response.
var evidenceFields = [...]string{
	"server", "via", "content-type", "content-length", "retry-after", "allow", "x-powered-by", "x-cache",
	"cf-ray", "cf-cache-status", "cf-mitigated", "x-sucuri-id", "x-sucuri-block", "sg-captcha",
	"x-amzn-waf-action", "x-vercel-mitigated", "akamai-grn", "x-datadome", "x-cdn",
}

// evidence returns the first value of each of evidenceFields. It reads the header only
// once, as every check runs it.
func evidence(h head) map[string]string {
	var kept map[string]string
	for name, value := range h.lines() {
		field := evidenceField(name)
		if field == "" || kept[field] != "" {
			continue
		}
		v := printable(string(value[:min(len(value), 4*maxFieldBytes)]), maxFieldBytes)
		if strings.TrimSpace(v) == "" {
			continue
		}
		if kept == nil {
			kept = make(map[string]string, 4)
		}
		kept[field] = v
	}
	return kept
}

// evidenceField returns the evidence field of this name, or "".
func evidenceField(name []byte) string {
	for _, f := range evidenceFields {
		if len(f) == len(name) && f[0] == ascii.Lower(name[0]) && ascii.EqualFold(name, f) {
			return f
		}
	}
	return ""
}

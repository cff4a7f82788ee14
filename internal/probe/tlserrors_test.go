package probe

import (
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// TestBadCertificatesCanBeAdvisories: a site is judged by its answer then, and the detail
// says what is wrong. What is no matter of trust stays a failure.
func TestBadCertificatesCanBeAdvisories(t *testing.T) {
	t.Parallel()
	onEngines(t, badCertificatesOn, fast, portable, reference)
}

func badCertificatesOn(t *testing.T, newProber maker) {
	for variant, why := range map[fakesite.Variant]string{
		fakesite.Expired: "expired", fakesite.NotYetValid: "not_yet_valid", fakesite.SelfSigned: "self_signed",
		fakesite.UnknownIssuer: "unknown_issuer", fakesite.MissingIntermediate: "unknown_issuer", fakesite.ExpiredIntermediate: "expired",
		fakesite.WrongUsage: "wrong_usage", fakesite.NotAnIssuer: "unknown_issuer", fakesite.UnknownCritical: "bad_certificate",
		fakesite.Constrained: "invalid_chain", fakesite.WrongHost: "wrong_host",
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			site := fakesite.NewTLS(t, variant)
			p := newProber(t, func(o *Options) { o.RootCAs = site.Roots() })
			target := check.Target{URL: site.URL(), Settings: check.Settings{TLSErrors: check.TLSErrorsAdvise}}
			for range 2 { // the second may resume, and is judged alike
				o := probeInTime(t.Context(), t, p, target)
				want := up(200, check.AdvisoryTLSInvalid)
				if variant == fakesite.Expired {
					want = up(200, check.AdvisoryTLSExpiring, check.AdvisoryTLSInvalid)
				}
				if got := findingOf(o); !got.same(want) || !strings.HasPrefix(o.Detail, "certificate "+why) || o.CertificateExpire.IsZero() {
					t.Errorf("got %+v\nwant %+v\nof %+v", got, want, o)
				}
			}
			site.SetStatus(503)
			if o := probeInTime(t.Context(), t, p, target); o.Outcome != check.OutcomeDown || o.Failure != check.FailureServer {
				t.Errorf("a site that fails is %+v", o)
			}
			site.SetStatus(200)
			target.TLSErrors = check.TLSErrorsDown
			if o := probeInTime(t.Context(), t, p, target); o.Outcome != check.OutcomeDown || o.Reason != why {
				t.Errorf("with the rule that it is down: %+v", o)
			}
		})
	}
	t.Run("nothing in common", func(t *testing.T) {
		t.Parallel()
		site := fakesite.NewTLS(t, fakesite.NoCommonCipher)
		p := newProber(t, func(o *Options) { o.RootCAs = site.Roots() })
		o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL(), Settings: check.Settings{TLSErrors: check.TLSErrorsAdvise}})
		if o.Outcome != check.OutcomeDown || o.Failure != check.FailureTLS {
			t.Errorf("got %+v", o)
		}
	})
}

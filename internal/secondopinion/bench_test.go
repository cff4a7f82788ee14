package secondopinion

import (
	"net/netip"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/test/fakesite"
)

// BenchmarkAsk compares a second opinion with the engine's check of the same sites: only the
// ratio means something.
func BenchmarkAsk(b *testing.B) {
	for name, site := range map[string]*fakesite.Site{"plain": fakesite.New(b), "tls": fakesite.NewTLS(b, fakesite.Valid)} {
		o := probe.Options{Allowed: []netip.AddrPort{site.Addr()}, RootCAs: site.Roots()}
		target := check.Target{URL: site.URL(), Settings: check.Settings{Method: check.MethodGet}}
		engine, err := probe.New(o)
		if err != nil {
			b.Fatal(err)
		}
		reader, err := New(o)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/engine", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if seen := engine.Probe(b.Context(), target); seen.Outcome != check.OutcomeUp {
					b.Fatal(seen)
				}
			}
		})
		b.Run(name+"/reader", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if seen := reader.Ask(b.Context(), target, check.Observation{}); seen.Outcome != check.OutcomeUp {
					b.Fatal(seen)
				}
			}
		})
		_ = engine.Close()
	}
}

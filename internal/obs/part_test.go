package obs_test

import (
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/obs"
)

func TestPartsOfAKindShareCollectorsAndDifferInALabel(t *testing.T) {
	t.Parallel()
	r := prometheus.NewPedanticRegistry()
	for i, name := range []string{"one", "two"} {
		p := obs.Part{Registerer: r, Label: "part", Value: name}
		p.Counter("x_total", "A counter.").Add(float64(i + 1))
		p.Gauge("x", "A gauge.").Set(float64(10 * i))
		p.Histogram("x_seconds", "A histogram.", 1, 2).Observe(1.5)
		checks := obs.NewOutcomes(p.Counters("x_checks_total", "Checks.", "outcome"))
		for _, o := range []check.Outcome{check.OutcomeUp, check.OutcomeDown, check.OutcomeDown, check.OutcomeUnknown, 0, 99} {
			checks.Count(o)
		}
	}
	const want = `# HELP x A gauge.
# TYPE x gauge
x{part="one"} 0
x{part="two"} 10
# HELP x_checks_total Checks.
# TYPE x_checks_total counter
x_checks_total{outcome="down",part="one"} 2
x_checks_total{outcome="down",part="two"} 2
x_checks_total{outcome="unknown",part="one"} 3
x_checks_total{outcome="unknown",part="two"} 3
x_checks_total{outcome="up",part="one"} 1
x_checks_total{outcome="up",part="two"} 1
# HELP x_seconds A histogram.
# TYPE x_seconds histogram
x_seconds_bucket{part="one",le="1"} 0
x_seconds_bucket{part="one",le="2"} 1
x_seconds_bucket{part="one",le="+Inf"} 1
x_seconds_sum{part="one"} 1.5
x_seconds_count{part="one"} 1
x_seconds_bucket{part="two",le="1"} 0
x_seconds_bucket{part="two",le="2"} 1
x_seconds_bucket{part="two",le="+Inf"} 1
x_seconds_sum{part="two"} 1.5
x_seconds_count{part="two"} 1
# HELP x_total A counter.
# TYPE x_total counter
x_total{part="one"} 1
x_total{part="two"} 2
`
	if got := exposed(r); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestAPartWithoutARegistererCountsWhereNobodyLooks(t *testing.T) {
	t.Parallel()
	c := obs.Part{Label: "part", Value: "one"}.Counter("x_total", "A counter.")
	c.Inc()
	r := prometheus.NewRegistry()
	r.MustRegister(c)
	if got, want := exposed(r), "# HELP x_total A counter.\n# TYPE x_total counter\nx_total{part=\"one\"} 1\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// exposed returns the text of /metrics.
func exposed(g prometheus.Gatherer) string {
	w := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

package probe_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
)

func TestHealthySiteIsUp(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	}))
	defer srv.Close()
	p, err := probe.New(probe.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	o := p.Probe(t.Context(), check.Target{URL: srv.URL})
	if o.Outcome != check.OutcomeUp {
		t.Fatalf("%+v", o)
	}
	t.Logf("%+v", o)
}

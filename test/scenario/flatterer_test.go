package scenario

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/cluster"
	"github.com/Automattic/jetmon/test/fakesite"
)

// flatterer sees every site up once it has begun to lie, and counts its lies.
type flatterer struct {
	cluster.Prober
	lies *atomic.Bool
	told *atomic.Int64
}

// Probe lies.
func (f flatterer) Probe(ctx context.Context, t check.Target) check.Observation {
	o := f.Prober.Probe(ctx, t)
	if f.lies.Load() && o.Outcome == check.OutcomeDown {
		o = check.Observation{Outcome: check.OutcomeUp, HTTPStatus: http.StatusOK, Timing: o.Timing}
		f.told.Add(1)
	}
	return o
}

// A hostile checker says that a site is up which is down: that alone ends no outage. That its
// word begins none, even together with the other checker's, is told beside
// (TestVerdictsAreRightAmongLiarsAndTheirDissentIsCounted).
func TestOneCheckerEndsNoOutageAlone(t *testing.T) {
	t.Parallel()
	var lies atomic.Bool
	var told atomic.Int64
	s := begin(t, inProcess(), setup{prober: func(n node, real cluster.Prober) cluster.Prober {
		if n == checker1 {
			return flatterer{real, &lies, &told}
		}
		return real
	}})
	site := fakesite.New(t)
	id := s.rest.create(t, site.URL(), 1).SiteID
	s.rest.awaitState(t, id, "UP")
	site.SetStatus(http.StatusServiceUnavailable)
	s.inbox.awaitTold(t, site.URL(), patience, 0)
	lies.Store(true)
	await(t, "five lies", patience, func() bool { return told.Load() >= 5 })
	s.inbox.isTold(t, site.URL(), 0)
	if all := s.rest.outages(t, id); len(all) != 1 || !all[0].EndTime.IsZero() {
		t.Errorf("the outages are %+v", all)
	}
	site.SetStatus(http.StatusOK)
	s.inbox.awaitTold(t, site.URL(), patience, 0, 1)
}

package engine

import (
	"testing"

	"github.com/Automattic/jetmon/internal/check"
)

// What a bad certificate means is the site's setting, or else the fleet's, for checkers and
// for verifliers alike.
func TestASiteMayDifferFromTheFleetAboutBadCertificates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fleet, site, want check.TLSErrors }{
		{check.TLSErrorsDefault, check.TLSErrorsDefault, check.TLSErrorsDefault},
		{check.TLSErrorsAdvise, check.TLSErrorsDefault, check.TLSErrorsAdvise},
		{check.TLSErrorsAdvise, check.TLSErrorsDown, check.TLSErrorsDown},
		{check.TLSErrorsDown, check.TLSErrorsAdvise, check.TLSErrorsAdvise},
	} {
		w := newWorld(t)
		w.mute()
		o := w.engine.o
		o.TLSErrors, o.Shards = tt.fleet, nil
		w.engine = New(o, w.now)
		r := row()
		r.Settings.TLSErrors = tt.site
		w.engine.Put(w.now, r)
		slot, _ := w.engine.sites.Find(r.ID)
		assigned := w.engine.deal.target(slot)
		asked := w.engine.judge.target(w.engine.cases.find(r.ID))
		if got := assigned.spell().TLSErrors; got != tt.want || asked.TLSErrors != tt.want {
			t.Errorf("fleet %d, site %d: assigned %d, asked %d, want %d", tt.fleet, tt.site, got, asked.TLSErrors, tt.want)
		}
	}
}

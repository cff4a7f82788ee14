package jetpack

import (
	"fmt"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/mistake"
)

// warnClock is how wrong a clock may be that is accepted.
const warnClock = time.Minute

// noteClock records the site's clock from an answer made by PHP.
func (r *run) noteClock(got reply) {
	if !got.hasClock || got.failure != "" {
		return
	}
	// PHP writes the zone of a Date as a number; a server in front that writes its own does not.
	own := !strings.HasSuffix(got.Header.Get("Date"), "GMT")
	if own || !r.ownClock {
		r.clock, r.hasClock, r.ownClock = got.clock, true, own
	}
}

// judgeClock adds the finding about the site's clock. What it accepts proves it; a Date is a
// hint, because it may be of a server in front.
func (r *run) judgeClock() {
	off := r.clock > warnClock || r.clock < -warnClock
	date := "the Date of the answers is " + mistake.Difference(r.clock)
	switch {
	case r.provenClock != nil:
		k := *r.provenClock
		r.show(checkClock, Fail, r.clockCause, fmt.Sprintf("signed calls are accepted for a clock between %s and %s",
			mistake.Difference(k.From), mistake.Difference(k.To)))
	case !r.hasClock && r.signedNow:
		r.pass(checkClock, "the site accepts calls that are signed now")
	case !r.hasClock:
		r.skip(checkClock, "the answers have no Date")
	case r.signedNow && !mistake.Accepts(r.clock):
		r.show(checkClock, Warn, clockInFront(), date+", but calls that are signed now are accepted")
	case !off && r.signedNow:
		r.pass(checkClock, date+", and calls that are signed now are accepted")
	case !off && !r.ownClock:
		r.pass(checkClock, date+", as far as it is the site's own")
	case !off:
		r.pass(checkClock, date)
	case mistake.Accepts(r.clock):
		r.show(checkClock, Warn, clockDrifts(), date)
	case r.ownClock:
		c := mistake.WrongClock(r.clock)
		c.Sure = cause.Likely // Jetpack may have learned the difference
		r.show(checkClock, Fail, c, date+", and PHP's own")
	default:
		r.show(checkClock, Warn, clockByDate(), date)
	}
}

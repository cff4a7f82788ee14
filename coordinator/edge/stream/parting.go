package stream

import (
	"time"

	"github.com/Automattic/jetmon/internal/cadence"
)

const (
	// idleTime is how long we wait for the checker to close a session without open checks.
	// If the checker closes it, it can report that it leaves in order.
	idleTime = time.Second
	// partEvery is the time between two calls of over.
	partEvery = 50 * time.Millisecond
)

// parting decides when to end a session while the coordinator stops. The zero value has not
// begun.
type parting struct {
	ticker *time.Ticker
	began  time.Time
	busy   time.Time // when checks were last open
}

func (p *parting) begin(now time.Time) {
	p.ticker, p.began, p.busy = time.NewTicker(partEvery), now, now
}

// tick returns the channel that fires when over is due; nil, which never fires, before
// begin.
func (p *parting) tick() <-chan time.Time {
	if p.ticker == nil {
		return nil
	}
	return p.ticker.C
}

// over reports whether the wait is over. out counts the checks that are open at now.
func (p *parting) over(now time.Time, out int) bool {
	if out > 0 {
		p.busy = now
	}
	return now.Sub(p.busy) >= idleTime || now.Sub(p.began) >= cadence.Drain
}

func (p *parting) stop() {
	if p.ticker != nil {
		p.ticker.Stop()
	}
}

package stream

import "time"

const (
	// drainTime is how long a checker has to check in what it has out when the
	// coordinator ends. It cannot be as long as a check may take (10 s, when repeated
	// 20 s): the whole end has 10 s, and in half of them what came is to be written
	// and delivered. Meanwhile nobody checks these sites.
	drainTime = 4 * time.Second
	// idleTime is how long a session with nothing out is left to the checker to close,
	// who has more to say then than we: that it leaves in order.
	idleTime = time.Second
	// partEvery is how often it is looked at.
	partEvery = 50 * time.Millisecond
)

// parting says when a session is over whose coordinator ends. The zero value has not
// begun.
type parting struct {
	ticker *time.Ticker
	began  time.Time
	busy   time.Time // when something was last seen to be out
}

func (p *parting) begin(now time.Time) {
	p.ticker, p.began, p.busy = time.NewTicker(partEvery), now, now
}

// tick is when to look; nil, which is never, before begin.
func (p *parting) tick() <-chan time.Time {
	if p.ticker == nil {
		return nil
	}
	return p.ticker.C
}

// over takes how much is out at now, and says whether to wait any longer.
func (p *parting) over(now time.Time, out int) bool {
	if out > 0 {
		p.busy = now
	}
	return now.Sub(p.busy) >= idleTime || now.Sub(p.began) >= drainTime
}

func (p *parting) stop() {
	if p.ticker != nil {
		p.ticker.Stop()
	}
}

package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/Automattic/jetmon/internal/cli/format"
)

// meterEvery is how often a meter writes.
const meterEvery = 200 * time.Millisecond

// Meter shows on a terminal how far long work is. A nil one shows nothing.
type Meter struct {
	w     io.Writer
	width int
	start time.Time
	last  time.Time
	shown bool
}

// NewMeter returns a meter on a terminal whose lines have width cells; 0 means any number.
func NewMeter(w io.Writer, width int) *Meter {
	now := time.Now()
	return &Meter{w: w, width: width, start: now, last: now}
}

// Show shows what is done, and how many rows of it a second there are.
func (m *Meter) Show(done string, rows int) {
	if m != nil {
		m.show(func(now time.Time) string {
			return fmt.Sprintf("%s, %.0f rows/s", done, float64(rows)/now.Sub(m.start).Seconds())
		})
	}
}

// Say shows what is done.
func (m *Meter) Say(done string) {
	if m != nil {
		m.show(func(time.Time) string { return done })
	}
}

func (m *Meter) show(text func(now time.Time) string) {
	now := time.Now()
	if now.Sub(m.last) < meterEvery {
		return
	}
	m.last, m.shown = now, true
	line := text(now)
	if m.width > 0 {
		line = format.Cut(line, max(1, m.width-1)) // the cursor needs a cell, else the line breaks
	}
	fmt.Fprint(m.w, "\r\x1b[K"+line)
}

// Clear removes what is shown, for a line that stays.
func (m *Meter) Clear() {
	if m != nil && m.shown {
		fmt.Fprint(m.w, "\r\x1b[K")
		m.shown = false
	}
}

// End ends the meter.
func (m *Meter) End() { m.Clear() }

package format

import (
	"math"
	"strings"
)

// Chart draws rows of characters.
type Chart struct {
	// Blocks means that the terminal has block characters; else the chart is in ASCII.
	Blocks bool
	// Color colours what is not as it should be.
	Color bool
}

// levels are the characters of a line, from the lowest to the highest value.
func (c Chart) levels() []rune {
	if c.Blocks {
		return []rune("▁▂▃▄▅▆▇█")
	}
	return []rune("_.-=+*#@")
}

// Line draws values, each at least 0, on a logarithmic scale between the least and the greatest;
// NaN is a blank.
func (c Chart) Line(values []float64) string {
	least, most := math.Inf(1), 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			least, most = min(least, v), max(most, v)
		}
	}
	levels := c.levels()
	var b strings.Builder
	for _, v := range values {
		if math.IsNaN(v) {
			b.WriteByte(' ')
			continue
		}
		at := 0
		if spread := math.Log(most / least); spread > 0 && least > 0 {
			at = int(math.Log(v/least) / spread * (float64(len(levels)) - 0.001))
		}
		b.WriteRune(levels[min(max(at, 0), len(levels)-1)])
	}
	return b.String()
}

// Day is what a bar of days shows of one.
type Day struct {
	// Up is the share of the time in which the site was up, 0..1; not Known means that no time
	// counts.
	Up    float64
	Known bool
}

// The limits of the characters of a bar: a day that was up all the time, nearly, mostly, partly.
const (
	nearly = 0.99
	mostly = 0.9
	partly = 0.5
)

// Bar draws days: full when the site was up all day, lower the less it was.
func (c Chart) Bar(days []Day) string {
	signs := []rune("█▆▄▂▁·")
	if !c.Blocks {
		signs = []rune("#+=-x.")
	}
	color := paint(c.Color)
	var b strings.Builder
	for _, d := range days {
		switch {
		case !d.Known:
			b.WriteRune(signs[5])
		case d.Up >= 1:
			b.WriteString(color("32", string(signs[0])))
		case d.Up >= nearly:
			b.WriteString(color("33", string(signs[1])))
		case d.Up >= mostly:
			b.WriteString(color("33", string(signs[2])))
		case d.Up >= partly:
			b.WriteString(color("31", string(signs[3])))
		default:
			b.WriteString(color("31", string(signs[4])))
		}
	}
	return b.String()
}

// Legend says what the characters of a bar mean.
func (c Chart) Legend() string {
	if c.Blocks {
		return "a day: █ up  ▆ at least 99 %  ▄ 90 %  ▂ 50 %  ▁ less  · not watched"
	}
	return "a day: # up  + at least 99 %  = 90 %  - 50 %  x less  . not watched"
}

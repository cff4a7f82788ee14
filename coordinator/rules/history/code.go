package history

import (
	"math"
	"time"
)

// Code is what became of one turn. Values are stored, and never change.
type Code uint8

// The codes that are no time. Those up to fastest that are not here are not used.
const (
	// None: no check was made, or its result is lost. Nobody knows.
	None Code = iota
	// Unknown: a check was made and could not tell; the fault is ours.
	Unknown
	// Failed: a check failed.
	Failed
	// Blocked: a check was turned away by a firewall or a challenge.
	Blocked
	// Maintenance: a check failed or was turned away during planned maintenance.
	Maintenance
	// Paused: the site was paused, and no check was asked for. It is never stored: pauses are
	// known elsewhere.
	Paused
)

// The scale of times: code fastest is 1 ms or less, and each further code stands for a time
// Step as long as the one before. The last one is 60 s or more.
const (
	Step    = 1.05
	fastest = Code(16)
	slowest = fastest + 226 // Step^226 ms is 61.5 s
)

// Took returns the code of a good check that took a time: the nearest one of the scale.
func Took(d time.Duration) Code {
	const perOctave = 14.206699082890461 // 1 / log2(Step)
	ms := float64(d) / float64(time.Millisecond)
	if ms <= 1 {
		return fastest
	}
	return fastest + Code(min(int(log2(ms)*perOctave+0.5), int(slowest-fastest)))
}

// log2 returns the binary logarithm of x, 1 or more, within 0.00002, three times as fast as
// math.Log2: its whole part is the exponent of the number, the rest is by a polynomial.
func log2(x float64) float64 {
	const exponent, one = 52, 1023
	b := math.Float64bits(x)
	f := math.Float64frombits(b&(1<<exponent-1)|one<<exponent) - 1
	rest := 1.65e-05 + f*(1.4414924+f*(-0.7064864+f*(0.4094703+f*(-0.1874886+f*0.043005))))
	return float64(int(b>>exponent)-one) + rest
}

// IsTime reports whether a code is that of a good check, and so stands for a time.
func (c Code) IsTime() bool { return c >= fastest }

// Time returns the time that a code stands for; 0 when it is none. A time and that of its code
// differ by half a Step at most, between 1 ms and 60 s.
func (c Code) Time() time.Duration {
	if c < fastest {
		return 0
	}
	return time.Duration(math.Pow(Step, float64(min(c, slowest)-fastest)) * float64(time.Millisecond))
}

// knowsMost is how much a code knows that says what was seen of a site.
const knowsMost = 2

// knows ranks codes by how much they say of a site: nothing, that we failed, or what was seen.
func (c Code) knows() int {
	switch c {
	case None, Paused:
		return 0
	case Unknown:
		return 1
	}
	return knowsMost
}

// Over returns what counts of a turn for which was is noted when c is noted later.
func (c Code) Over(was Code) Code {
	if c.knows() > was.knows() {
		return c
	}
	return was
}

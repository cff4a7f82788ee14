package history

import "math/bits"

// guess foresees the codes of a strip: a moving average of its times, which follows the rhythm
// of a day. Sites differ in how quick they are much more than each one does from check to check,
// so the difference has less to tell than the code, and compresses better.
type guess struct {
	sum int // the average, times 1<<guessUnit
	n   uint
}

const (
	guessUnit = 4
	// guessMost is how many times count, about, as the average follows a change.
	guessMost = 8
	// guessFirst is foreseen before there is an average: some 150 ms.
	guessFirst = fastest + 103
)

func (g *guess) code() int {
	if g.n == 0 {
		return int(guessFirst)
	}
	return (g.sum + 1<<(guessUnit-1)) >> guessUnit
}

func (g *guess) add(c int) {
	g.n = min(g.n+1, guessMost)
	g.sum += (c<<guessUnit - g.sum) >> (bits.Len(g.n) - 1)
}

// timeCodes is how many codes are those of times, whether used or not.
const timeCodes = 256 - int(fastest)

// appendCodes adds codes as they are stored: one that is no time as it is, a time as the
// difference to what guess foresees.
func appendCodes(dst []byte, codes []Code) []byte {
	var g guess
	for _, c := range codes {
		if !c.IsTime() {
			dst = append(dst, byte(c))
			continue
		}
		x := int(c) - g.code()
		if x < 0 {
			x += timeCodes
		}
		dst = append(dst, byte(x+int(fastest)))
		g.add(int(c))
	}
	return dst
}

// appendTimes undoes appendCodes.
func appendTimes(dst []Code, b []byte) []Code {
	var g guess
	for _, x := range b {
		if x < byte(fastest) {
			dst = append(dst, Code(x))
			continue
		}
		c := int(x) - int(fastest) + g.code()
		if c > 255 {
			c -= timeCodes
		}
		dst = append(dst, Code(c))
		g.add(c)
	}
	return dst
}

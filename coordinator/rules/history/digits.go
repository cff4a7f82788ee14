package history

// digits are small numbers, packed: as many as there is room for in each byte, as digits of a
// number system. The regions of checks are kept as such: three regions take a fifth of a byte a
// check, and one takes nothing.
type digits struct {
	// low is the least number, base is how many there are from it on.
	low, base int
	b         []byte
}

// pack packs numbers.
func pack(numbers []uint8) digits {
	if len(numbers) == 0 {
		return digits{base: 1}
	}
	low, high := numbers[0], numbers[0]
	for _, x := range numbers {
		low, high = min(low, x), max(high, x)
	}
	d := digits{low: int(low), base: int(high-low) + 1}
	per := d.perByte()
	if per == 0 {
		return d
	}
	for len(numbers) > 0 {
		n, x := min(per, len(numbers)), 0
		for i := n; i > 0; i-- {
			x = x*d.base + int(numbers[i-1]-low)
		}
		d.b = append(d.b, byte(x))
		numbers = numbers[n:]
	}
	return d
}

// perByte returns how many numbers are in a byte; 0 when all are the same, and so none need be.
func (d *digits) perByte() (n int) {
	for x := d.base; x > 1 && x <= 256; x *= d.base {
		n++
	}
	return n
}

// size returns how many bytes n numbers take.
func (d *digits) size(n int) int {
	if per := d.perByte(); per > 0 {
		return (n + per - 1) / per
	}
	return 0
}

// appendAll adds n numbers, from the one numbered i on, to dst.
func (d *digits) appendAll(dst []uint8, i, n int) []uint8 {
	per := d.perByte()
	if per == 0 {
		for range n {
			dst = append(dst, uint8(d.low))
		}
		return dst
	}
	x, left := 0, 0
	for end := i + n; i < end; i++ {
		if left == 0 {
			x, left = int(d.b[i/per]), per
			for range i % per {
				x, left = x/d.base, left-1
			}
		}
		dst = append(dst, uint8(d.low+x%d.base))
		x, left = x/d.base, left-1
	}
	return dst
}

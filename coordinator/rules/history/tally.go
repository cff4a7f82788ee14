package history

// Tally says how often each code came in many turns. The sum over all codes is the number of
// turns.
type Tally [256]uint64

// Add counts what a summary counts.
func (t *Tally) Add(s *Summary) {
	for _, c := range s.Counts {
		t[c.Code] += uint64(c.N)
	}
}

// Merge counts what another tally counts.
func (t *Tally) Merge(x *Tally) {
	for c, n := range x {
		t[c] += n
	}
}

// Turns returns how many turns were counted.
func (t *Tally) Turns() (n uint64) {
	for _, x := range t {
		n += x
	}
	return n
}

// Times returns how many good checks were counted.
func (t *Tally) Times() (n uint64) {
	for _, x := range t[fastest:] {
		n += x
	}
	return n
}

// Percentile returns the code of the time that a share of p percent of the good checks did not
// exceed, by nearest rank: of n times the one number ceil(n*p/100), from 1. p is more than 0 and
// at most 100. It is None when there were no good checks.
func (t *Tally) Percentile(p float64) Code {
	n := t.Times()
	if n == 0 {
		return None
	}
	rank := nearestRank(n, p)
	for c := fastest; ; c++ {
		if t[c] >= rank {
			return c
		}
		rank -= t[c]
	}
}

// nearestRank returns ceil(n*p/100), of 1 to n.
func nearestRank(n uint64, p float64) uint64 {
	// Percents are taken in thousandths, since n*p/100 in floats may be a little above a whole
	// number that it should be.
	const parts = 100_000
	share := uint64(p*parts/100 + 0.5)
	rank := n/parts*share + (n%parts*share+parts-1)/parts
	return min(max(rank, 1), n)
}

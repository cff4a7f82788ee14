package accesslog

import (
	"math"
	"math/bits"
	"slices"
)

// perOctave is the number of buckets between a size and twice that size, so a percentile
// is at most 1/16 too large.
const perOctave = 16

// Sizes is a distribution of sizes in bytes: count, sum, smallest and largest are exact,
// percentiles at most 6.25 % too large. It stores at most 700 numbers, fewer when sizes
// are similar.
type Sizes struct {
	Count    uint64
	Sum      int64
	Min, Max int64
	// counts holds the buckets from first on.
	counts []uint32
	first  int
}

// add counts one size, which must not be negative.
func (s *Sizes) add(n int64) {
	if s.Count == 0 || n < s.Min {
		s.Min = n
	}
	s.Max = max(s.Max, n)
	s.Count++
	s.Sum += n
	b := bucketOf(n)
	if c := s.bucket(b); *c < 1<<32-1 {
		*c++
	}
}

// bucket returns the counter of a bucket, and makes room for it if necessary.
func (s *Sizes) bucket(b int) *uint32 {
	switch {
	case len(s.counts) == 0:
		s.counts, s.first = make([]uint32, 1, 4), b
	case b < s.first:
		s.counts = slices.Insert(s.counts, 0, make([]uint32, s.first-b)...)
		s.first = b
	case b >= s.first+len(s.counts):
		s.counts = append(s.counts, make([]uint32, b-s.first-len(s.counts)+1)...)
	}
	return &s.counts[b-s.first]
}

// merge adds another distribution.
func (s *Sizes) merge(o *Sizes) {
	if o.Count == 0 {
		return
	}
	if s.Count == 0 || o.Min < s.Min {
		s.Min = o.Min
	}
	s.Max = max(s.Max, o.Max)
	s.Count += o.Count
	s.Sum += o.Sum
	for i, n := range o.counts {
		if n > 0 {
			c := s.bucket(o.first + i)
			*c = uint32(min(uint64(*c)+uint64(n), 1<<32-1))
		}
	}
}

// Average returns the mean, 0 when there are no sizes.
func (s *Sizes) Average() int64 {
	if s.Count == 0 {
		return 0
	}
	return s.Sum / int64(s.Count)
}

// Percentile returns a size that p percent of all sizes do not exceed.
func (s *Sizes) Percentile(p float64) int64 {
	var total uint64
	for _, n := range s.counts {
		total += uint64(n)
	}
	want := uint64(math.Ceil(p / 100 * float64(total)))
	var seen uint64
	for i, n := range s.counts {
		if seen += uint64(n); seen > 0 && seen >= want {
			return max(s.Min, min(s.Max, upperEnd(s.first+i)))
		}
	}
	return s.Max
}

// bucketOf returns the bucket of a size. Each size below perOctave has its own bucket;
// above that, each octave has perOctave buckets.
func bucketOf(n int64) int {
	if n < perOctave {
		return int(max(n, 0))
	}
	octave := bits.Len64(uint64(n)) - bits.Len64(perOctave)
	return octave*perOctave + int(n>>octave)
}

// upperEnd returns the largest size in a bucket.
func upperEnd(b int) int64 {
	if b < perOctave {
		return int64(b)
	}
	octave := b/perOctave - 1
	return (int64(b-octave*perOctave)+1)<<octave - 1
}

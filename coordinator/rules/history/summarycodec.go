package history

import (
	"encoding/binary"

	"github.com/Automattic/jetmon/internal/check"
)

// summaryVersion begins the summaries of a part. A reader refuses versions that it does not know.
const summaryVersion = 1

// Summaries are those of the sites of a part, on one day.
type Summaries struct {
	// Until is the first hour that they do not have yet, or the end of the day.
	Until Hour
	// Sites are by rising site, and those of a site by rising first turn, by time.
	Sites []Summary
}

func (s *Summary) heading() heading {
	return heading{site: s.Site, interval: s.Interval, first: s.First, turns: s.Turns}
}

// AppendBinary adds summaries to dst in the form that ParseSummaries reads: a version, what all
// have in common, then columns.
func (s *Summaries) AppendBinary(dst []byte) []byte {
	w := headings{base: maxSeconds}
	w.grow(len(s.Sites))
	for i := range s.Sites {
		h := s.Sites[i].heading()
		w.base = min(w.base, h.seconds())
	}
	if len(s.Sites) == 0 {
		w.base = 0
	}
	var kinds, codes, numbers, gaps, firsts, lengths, weeks []byte
	for i := range s.Sites {
		x := &s.Sites[i]
		h := x.heading()
		w.add(&h)
		kinds = binary.AppendUvarint(kinds, uint64(len(x.Counts)))
		codes, numbers = appendCounts(codes, numbers, x.Counts)
		gaps = binary.AppendUvarint(gaps, uint64(len(x.Gaps)))
		at := x.First
		for _, g := range x.Gaps {
			firsts = binary.AppendUvarint(firsts, uint64(g.First-at))
			lengths = binary.AppendUvarint(lengths, uint64(g.Turns))
			at = g.First + int64(g.Turns)
		}
		weeks = append(weeks, byte(x.Week))
	}
	dst = append(dst, summaryVersion)
	dst = binary.AppendUvarint(dst, uint64(s.Until))
	dst = binary.AppendUvarint(dst, uint64(w.base))
	dst = binary.AppendUvarint(dst, uint64(len(s.Sites)))
	return appendColumns(dst, w.sites, w.intervals, w.firsts, w.turns, kinds, codes, numbers, gaps, firsts, lengths, weeks)
}

// appendCounts adds counts to two columns: codes as differences, and numbers.
func appendCounts(codes, numbers []byte, counts []Count) ([]byte, []byte) {
	was := Code(0)
	for _, c := range counts {
		codes = append(codes, byte(c.Code-was))
		numbers = binary.AppendUvarint(numbers, uint64(c.N))
		was = c.Code
	}
	return codes, numbers
}

// ParseSummaries reads what AppendBinary has written. Its error is ErrDamaged; it never panics,
// and takes a small multiple of the memory of b.
func ParseSummaries(b []byte) (*Summaries, error) {
	p, err := openSummaries(b)
	if err != nil {
		return nil, err
	}
	s := &Summaries{Until: p.until, Sites: make([]Summary, 0, p.left)}
	for p.left > 0 {
		x, err := p.next()
		if err != nil {
			return nil, err
		}
		s.Sites = append(s.Sites, x)
	}
	if !p.over() {
		return nil, damaged("summaries of more than their sites")
	}
	return s, nil
}

// FindSummaries reads the summaries of some sites, by rising id, as ParseSummaries does, and until
// when they are. It looks at no more of the others than it has to.
func FindSummaries(b []byte, sites ...check.SiteID) (of []Summary, until Hour, err error) {
	p, err := openSummaries(b)
	if err != nil {
		return nil, 0, err
	}
	for p.left > 0 && len(sites) > 0 {
		h, ok := p.reading.next(maxTurns)
		if !ok {
			return nil, 0, damaged("a summary out of order")
		}
		for len(sites) > 0 && sites[0] < h.site {
			sites = sites[1:]
		}
		if len(sites) == 0 || sites[0] != h.site {
			p.skip()
			continue
		}
		x, err := p.rest(h)
		if err != nil {
			return nil, 0, err
		}
		of = append(of, x)
	}
	return of, p.until, nil
}

// skip passes over a summary whose heading has been read.
func (p *summaries) skip() {
	n := p.kinds.next(uint64(min(256, len(p.codes.b), len(p.numbers.b))))
	p.codes.take(n)
	p.numbers.skip(n)
	gaps := p.gaps.next(uint64(len(p.starts.b)))
	p.starts.skip(gaps)
	p.runs.skip(gaps)
	p.weeks.take(1)
	p.left--
}

// summaries are summaries that are being read, one by one.
type summaries struct {
	reading
	until                                            Hour
	left                                             uint64
	kinds, codes, numbers, gaps, starts, runs, weeks column
}

func (p *summaries) over() bool {
	return over(&p.sites, &p.intervals, &p.firsts, &p.turns, &p.kinds, &p.codes, &p.numbers, &p.gaps, &p.starts, &p.runs, &p.weeks)
}

func openSummaries(b []byte) (*summaries, error) {
	if len(b) == 0 || b[0] != summaryVersion {
		return nil, damaged("summaries of an unknown version")
	}
	c := column{b: b[1:]}
	p := &summaries{until: Hour(c.next(maxSeconds / (60 * 60)))}
	p.base = int64(c.next(maxSeconds))
	p.left = c.next(uint64(len(c.b)))
	c.columns(&p.sites, &p.intervals, &p.firsts, &p.turns, &p.kinds, &p.codes, &p.numbers, &p.gaps, &p.starts, &p.runs, &p.weeks)
	if !over(&c) || p.left > uint64(min(len(p.sites.b), len(p.intervals.b), len(p.firsts.b), len(p.turns.b), len(p.kinds.b), len(p.weeks.b))) {
		return nil, damaged("summaries whose columns do not fit")
	}
	return p, nil
}

// next reads a summary, and checks that its numbers fit together.
func (p *summaries) next() (Summary, error) {
	h, ok := p.reading.next(maxTurns)
	if !ok {
		return Summary{}, damaged("a summary out of order")
	}
	return p.rest(h)
}

// rest reads the rest of a summary whose heading has been read.
func (p *summaries) rest(h heading) (Summary, error) {
	x := Summary{Site: h.site, Interval: h.interval, First: h.first, Turns: h.turns}
	var sum uint64
	if x.Counts, sum = readCounts(&p.kinds, &p.codes, &p.numbers); sum != uint64(h.turns) {
		return x, damaged("a summary whose counts are not its turns")
	}
	gaps := p.gaps.next(uint64(len(p.starts.b)))
	if gaps > 0 {
		x.Gaps = make([]Gap, 0, gaps)
	}
	lost, end := 0, h.first
	for i := range gaps {
		g := Gap{First: end + int64(p.starts.next(maxTurns)), Turns: int(p.runs.next(maxTurns))}
		if g.Turns == 0 || i > 0 && g.First == end {
			return x, damaged("a gap that is none, or two that are one")
		}
		end, lost = g.First+int64(g.Turns), lost+g.Turns
		x.Gaps = append(x.Gaps, g)
	}
	x.Week = Code(p.weeks.next8())
	if end > h.first+int64(h.turns) || lost != x.unknown() || p.gaps.bad || p.starts.bad || p.runs.bad || p.weeks.bad {
		return x, damaged("gaps that do not fit their summary")
	}
	p.left--
	return x, nil
}

// unknown returns how many turns tell nothing of the site.
func (s *Summary) unknown() (n int) {
	for _, c := range s.Counts {
		if c.Code == None || c.Code == Unknown {
			n += int(c.N)
		}
	}
	return n
}

// readCounts reads counts and their sum; the sum is 0 when they are damaged.
func readCounts(kinds, codes, numbers *column) (counts []Count, sum uint64) {
	n := kinds.next(uint64(min(256, len(codes.b), len(numbers.b))))
	if n > 0 {
		counts = make([]Count, 0, n)
	}
	was := 0
	for i, d := range codes.take(n) {
		x := Count{Code: Code(was + int(d)), N: uint32(numbers.next(1<<32 - 1))}
		if was+int(d) > 255 || d == 0 && i > 0 || x.N == 0 {
			return nil, 0
		}
		was, sum = was+int(d), sum+uint64(x.N)
		counts = append(counts, x)
	}
	if kinds.bad || codes.bad || numbers.bad {
		return nil, 0
	}
	return counts, sum
}

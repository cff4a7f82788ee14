package history

import (
	"encoding/binary"

	"github.com/Automattic/jetmon/internal/check"
)

// sheetVersion begins each sheet. A reader refuses versions that it does not know.
const sheetVersion = 1

// AppendBinary adds a sheet to dst in the form that ParseSheet reads: a version, what all strips
// share, then columns. Similar bytes stand together, and times are written as differences to
// those before, so that compression finds what they have in common. Regions that nobody knows
// take no room.
func (s *Sheet) AppendBinary(dst []byte) []byte {
	w := headings{base: maxSeconds}
	total, known := 0, false
	for i := range s.Strips {
		h := s.Strips[i].heading()
		w.base = min(w.base, h.seconds())
		total += h.turns
		known = known || s.Strips[i].Regions != nil
	}
	if len(s.Strips) == 0 {
		w.base = 0
	}
	codes := make([]byte, 0, total)
	var regions []byte
	for i := range s.Strips {
		x := &s.Strips[i]
		h := x.heading()
		w.add(&h)
		codes = appendCodes(codes, x.Codes)
		if known {
			regions = append(regions, x.Regions...)
			regions = append(regions, make([]byte, len(x.Codes)-len(x.Regions))...)
		}
	}
	dst = append(dst, sheetVersion)
	dst = binary.AppendUvarint(dst, uint64(w.base))
	names := s.Regions[min(1, len(s.Regions)):]
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	for _, name := range names {
		dst = binary.AppendUvarint(dst, uint64(len(name)))
		dst = append(dst, name...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.Strips)))
	return appendColumns(dst, w.sites, w.intervals, w.firsts, w.turns, codes, regions)
}

func (s *Strip) heading() heading {
	return heading{site: s.Site, interval: s.Interval, first: s.First, turns: len(s.Codes)}
}

// ParseSheet reads what AppendBinary has written. Its error is ErrDamaged; it never panics, and
// takes a small multiple of the memory of b. The sheet keeps nothing of b.
func ParseSheet(b []byte) (*Sheet, error) {
	p, err := openSheet(b)
	if err != nil {
		return nil, err
	}
	s := &Sheet{Regions: p.names, Strips: make([]Strip, 0, p.left)}
	// All codes lie in one piece of memory.
	codes, regions := make([]Code, 0, len(p.codes.b)), make([]uint8, 0, len(p.regions.b))
	for p.left > 0 {
		h, code, region, err := p.next()
		if err != nil {
			return nil, err
		}
		from := len(codes)
		codes = appendTimes(codes, code)
		x := Strip{Site: h.site, Interval: h.interval, First: h.first, Codes: codes[from:len(codes):len(codes)]}
		if anyKnown(region) {
			from := len(regions)
			regions = append(regions, region...)
			x.Regions = regions[from:len(regions):len(regions)]
		}
		s.Strips = append(s.Strips, x)
	}
	if !over(&p.sites, &p.intervals, &p.firsts, &p.turns, &p.codes, &p.regions) {
		return nil, damaged("a sheet with more than its strips")
	}
	return s, nil
}

// FindStrips reads the strips of one site out of a sheet as ParseSheet does, and the sheet's
// regions. It does not look at what comes after them.
func FindStrips(b []byte, site check.SiteID) (strips []Strip, regions []string, err error) {
	p, err := openSheet(b)
	if err != nil {
		return nil, nil, err
	}
	for p.left > 0 {
		h, code, region, err := p.next()
		if err != nil {
			return nil, nil, err
		}
		if h.site > site {
			break
		}
		if h.site < site {
			continue
		}
		x := Strip{Site: h.site, Interval: h.interval, First: h.first, Codes: appendTimes(nil, code)}
		if anyKnown(region) {
			x.Regions = append(x.Regions, region...)
		}
		strips = append(strips, x)
	}
	return strips, p.names, nil
}

// sheet is a sheet that is being read, strip by strip.
type sheet struct {
	reading
	names          []string
	left           uint64 // strips
	codes, regions column
	known          bool // there are regions
}

func openSheet(b []byte) (*sheet, error) {
	if len(b) == 0 || b[0] != sheetVersion {
		return nil, damaged("a sheet of an unknown version")
	}
	c := column{b: b[1:]}
	p := &sheet{names: []string{""}}
	p.base = int64(c.next(maxSeconds))
	for range c.next(MaxRegions) {
		p.names = append(p.names, string(c.take(c.next(uint64(len(c.b))))))
	}
	p.left = c.next(uint64(len(c.b)))
	c.columns(&p.sites, &p.intervals, &p.firsts, &p.turns, &p.codes, &p.regions)
	p.known = len(p.regions.b) > 0
	// Each strip has a byte at least in each of these.
	most := min(len(p.sites.b), len(p.intervals.b), len(p.firsts.b), len(p.turns.b), len(p.codes.b))
	if !over(&c) || p.left > uint64(most) {
		return nil, damaged("a sheet whose columns do not fit")
	}
	return p, nil
}

// next reads the heading of a strip, and finds its codes and regions.
func (p *sheet) next() (h heading, codes, regions []byte, err error) {
	h, ok := p.reading.next(len(p.codes.b))
	if !ok {
		return h, nil, nil, damaged("a strip out of order")
	}
	codes = p.codes.take(uint64(h.turns))
	if p.known {
		regions = p.regions.take(uint64(h.turns))
		for _, r := range regions {
			if int(r) >= len(p.names) {
				return h, nil, nil, damaged("a region without a name")
			}
		}
	}
	if p.codes.bad || p.regions.bad {
		return h, nil, nil, damaged("a strip longer than its sheet")
	}
	p.left--
	return h, codes, regions, nil
}

func anyKnown(regions []uint8) bool {
	for _, r := range regions {
		if r != 0 {
			return true
		}
	}
	return false
}

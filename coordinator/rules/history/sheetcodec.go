package history

import (
	"bytes"
	"encoding/binary"

	"github.com/Automattic/jetmon/internal/check"
)

// sheetVersion begins each sheet. A reader refuses versions that it does not know.
const sheetVersion = 1

// AppendBinary adds a sheet to dst in the form that ParseSheet reads: a version, what all strips
// share, then columns. Similar bytes stand together, and times are written as differences to
// those before, so that compression finds what they have in common. The region of a turn without
// a check is not kept.
func (s *Sheet) AppendBinary(dst []byte) []byte {
	w := headings{base: maxSeconds}
	w.grow(len(s.Strips))
	total := 0
	for i := range s.Strips {
		h := s.Strips[i].heading()
		w.base = min(w.base, h.seconds())
		total += h.turns
	}
	if len(s.Strips) == 0 {
		w.base = 0
	}
	codes, regions := make([]byte, 0, total), make([]uint8, 0, total)
	for i := range s.Strips {
		x := &s.Strips[i]
		h := x.heading()
		w.add(&h)
		codes = appendCodes(codes, x.Codes)
		regions = x.appendRegions(regions)
	}
	dst = append(dst, sheetVersion)
	dst = binary.AppendUvarint(dst, uint64(w.base))
	names := s.Regions[min(1, len(s.Regions)):]
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	for _, name := range names {
		dst = binary.AppendUvarint(dst, uint64(len(name)))
		dst = append(dst, name...)
	}
	packed := pack(regions)
	dst = binary.AppendUvarint(dst, uint64(packed.low))
	dst = binary.AppendUvarint(dst, uint64(packed.base))
	dst = binary.AppendUvarint(dst, uint64(len(s.Strips)))
	return appendColumns(dst, w.sites, w.intervals, w.firsts, w.turns, codes, packed.b)
}

// appendRegions adds the regions of those turns that have a code.
func (s *Strip) appendRegions(dst []uint8) []uint8 {
	for i, c := range s.Codes {
		switch {
		case c == None:
		case s.Regions == nil:
			dst = append(dst, 0)
		default:
			dst = append(dst, s.Regions[i])
		}
	}
	return dst
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
	// All codes lie in one piece of memory, and all regions in another.
	codes := make([]Code, 0, len(p.codes.b))
	if !p.nameless() {
		p.room = make([]uint8, len(p.codes.b))
	}
	for p.left > 0 {
		h, stored, err := p.next()
		if err != nil {
			return nil, err
		}
		from := len(codes)
		codes = appendTimes(codes, stored)
		s.Strips = append(s.Strips, p.strip(h, codes[from:len(codes):len(codes)]))
	}
	if !over(&p.sites, &p.intervals, &p.firsts, &p.turns, &p.codes) {
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
		h, stored, err := p.next()
		if err != nil {
			return nil, nil, err
		}
		if h.site > site {
			break
		}
		if h.site == site {
			strips = append(strips, p.strip(h, appendTimes(nil, stored)))
		}
	}
	return strips, p.names, nil
}

// sheet is a sheet that is being read, strip by strip.
type sheet struct {
	reading
	names   []string
	left    uint64 // strips
	codes   column
	regions digits
	// read is how many regions belong to the strips before, and now how many to this one.
	read, now int
	// room is memory for the regions of all strips; without, each strip gets its own.
	room []uint8
}

// nameless reports whether no region is known.
func (p *sheet) nameless() bool { return p.regions.low+p.regions.base == 1 }

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
	p.regions.low, p.regions.base = int(c.next(MaxRegions)), int(c.next(MaxRegions+1))
	p.left = c.next(uint64(len(c.b)))
	var regions column
	c.columns(&p.sites, &p.intervals, &p.firsts, &p.turns, &p.codes, &regions)
	p.regions.b = regions.b
	// Each strip has a byte at least in each of these.
	most := min(len(p.sites.b), len(p.intervals.b), len(p.firsts.b), len(p.turns.b), len(p.codes.b))
	if !over(&c) || p.left > uint64(most) {
		return nil, damaged("a sheet whose columns do not fit")
	}
	checks := len(p.codes.b) - bytes.Count(p.codes.b, []byte{byte(None)})
	if p.regions.low+p.regions.base > len(p.names) || p.regions.base == 0 || len(regions.b) != p.regions.size(checks) {
		return nil, damaged("regions that do not fit a sheet")
	}
	return p, nil
}

// next reads the heading of a strip, and finds its codes.
func (p *sheet) next() (h heading, codes []byte, err error) {
	h, ok := p.reading.next(len(p.codes.b))
	if !ok {
		return h, nil, damaged("a strip out of order")
	}
	codes = p.codes.take(uint64(h.turns))
	p.left--
	p.read += p.now
	p.now = len(codes) - bytes.Count(codes, []byte{byte(None)})
	return h, codes, nil
}

// strip makes a strip of what next has found, with its regions.
func (p *sheet) strip(h heading, codes []Code) Strip {
	x := Strip{Site: h.site, Interval: h.interval, First: h.first, Codes: codes}
	if p.now == 0 || p.nameless() {
		return x
	}
	n := len(codes)
	if len(p.room) < n {
		p.room = make([]uint8, n)
	}
	room := p.room[:0:n]
	p.room = p.room[n:]
	regions, known := p.regions.appendAll(room, p.read, p.now), false
	for _, r := range regions {
		known = known || r != 0
	}
	if !known {
		return x
	}
	// Those of turns without a check are put between, from the end on.
	x.Regions = regions[:len(codes)]
	from := p.now
	for i := len(codes) - 1; i >= 0; i-- {
		if codes[i] == None {
			x.Regions[i] = 0
			continue
		}
		from--
		x.Regions[i] = x.Regions[from]
	}
	return x
}

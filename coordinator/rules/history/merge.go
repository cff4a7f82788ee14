package history

import (
	"cmp"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// Merge makes one sheet of many, of the turns from first up to end, without end. Of two codes of
// a turn, the one that knows more counts; of two that know as much, that of the earlier sheet.
// The strips are as long as they can be, and begin and end with a check: they follow from the
// turns alone, however these are spread over sheets.
func Merge(first, end time.Time, sheets ...*Sheet) *Sheet {
	m := merger{first: first, end: end, left: make([][]Strip, len(sheets))}
	codes, strips := 0, 0
	for i, s := range sheets {
		m.left[i] = s.Strips
		strips = max(strips, len(s.Strips))
		for j := range s.Strips {
			codes += len(s.Strips[j].Codes)
		}
	}
	regions, numbers := unite(sheets)
	m.numbers = numbers
	m.codes, m.regions, m.strips = make([]Code, 0, codes), make([]uint8, 0, codes), make([]Strip, 0, strips)
	for m.site() {
		m.addSite()
	}
	return m.finish(regions)
}

// unite numbers the places of several sheets, and returns their names, and the number of each
// sheet's each place. Of more places than there are numbers only the regions are told apart.
func unite(sheets []*Sheet) (names []string, numbers [][]uint8) {
	names, numbers, all := number(sheets)
	if !all {
		names, numbers, _ = number(Regional(sheets))
	}
	return names, numbers
}

// number is unite for as many names as there are numbers; all is false when there are more.
func number(sheets []*Sheet) (names []string, numbers [][]uint8, all bool) {
	names, all = []string{""}, true
	for _, s := range sheets {
		of := make([]uint8, max(1, len(s.Regions)))
		for i, name := range s.Regions {
			at := slices.Index(names, name)
			if at < 0 && len(names) <= MaxRegions {
				at = len(names)
				names = append(names, name)
			}
			all = all && at >= 0
			of[i] = uint8(max(0, at))
		}
		numbers = append(numbers, of)
	}
	return names, numbers, all
}

// merger merges sheets, site by site.
type merger struct {
	builder
	first, end time.Time
	left       [][]Strip // of each sheet
	numbers    [][]uint8
	pieces     []piece  // of the site
	turns      []moment // scratch of each
}

// piece is a strip, or a part of one, of a sheet.
type piece struct {
	Strip
	sheet int
}

// site takes the strips of the next site out of the sheets; false when there are no more.
func (m *merger) site() bool {
	var site check.SiteID
	for _, strips := range m.left {
		if len(strips) > 0 && (site == 0 || strips[0].Site < site) {
			site = strips[0].Site
		}
	}
	m.pieces = m.pieces[:0]
	for i, strips := range m.left {
		n := 0
		for ; n < len(strips) && strips[n].Site == site; n++ {
			if x := strips[n].within(m.first, m.end); len(x.Codes) > 0 {
				m.pieces = append(m.pieces, piece{x, i})
			}
		}
		m.left[i] = strips[n:]
	}
	return site != 0
}

// within returns the part of a strip from a moment up to another one, without turns at its ends
// that nobody knows.
func (s *Strip) within(first, end time.Time) Strip {
	h := s.heading()
	from, to := 0, len(s.Codes)
	if h.start().Before(first) {
		from = int(min(int64(to), schedule.TurnBefore(s.Site, s.Interval, first.Add(-1))+1-s.First))
	}
	if !h.last().Before(end) {
		to = int(max(int64(from), schedule.TurnBefore(s.Site, s.Interval, end.Add(-1))+1-s.First))
	}
	for from < to && s.Codes[from] == None {
		from++
	}
	for from < to && s.Codes[to-1] == None {
		to--
	}
	x := Strip{Site: s.Site, Interval: s.Interval, First: s.First + int64(from), Codes: s.Codes[from:to]}
	if s.Regions != nil {
		x.Regions = s.Regions[from:to]
	}
	return x
}

// addSite adds the pieces of a site: as they are when they are one after the other, else turn by
// turn.
func (m *merger) addSite() {
	if !m.inOrder() {
		slices.SortStableFunc(m.pieces, func(a, b piece) int {
			return cmp.Or(a.Start(0).Compare(b.Start(0)), cmp.Compare(a.Interval, b.Interval))
		})
		if !m.inOrder() {
			m.each()
			return
		}
	}
	for i := range m.pieces {
		m.addAll(&m.pieces[i].Strip, m.numbers[m.pieces[i].sheet])
	}
}

func (m *merger) inOrder() bool {
	for i := 1; i < len(m.pieces); i++ {
		a, b := m.pieces[i-1].heading(), m.pieces[i].heading()
		if !a.before(&b) {
			return false
		}
	}
	return true
}

// moment is a turn of a sheet, and when it was, in nanoseconds of Unix time.
type moment struct {
	at    int64
	sheet int
	turn
}

// each adds the turns of all pieces of a site, one by one.
func (m *merger) each() {
	m.turns = m.turns[:0]
	for i := range m.pieces {
		p := &m.pieces[i]
		at := p.Start(0).UnixNano()
		for j, c := range p.Codes {
			t := moment{at + int64(j)*int64(p.Interval), p.sheet, turn{p.Site, p.Interval, p.First + int64(j), c, 0}}
			if p.Regions != nil {
				t.region = m.numbers[p.sheet][p.Regions[j]]
			}
			m.turns = append(m.turns, t)
		}
	}
	slices.SortFunc(m.turns, func(a, b moment) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.interval, b.interval), cmp.Compare(a.sheet, b.sheet))
	})
	for i := range m.turns {
		m.add(m.turns[i].turn)
	}
}

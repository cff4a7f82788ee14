package history

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// builder makes a sheet of turns that come by site, then by time, then by interval.
type builder struct {
	// codes and regions are those of all strips; those of the open one begin at from.
	codes   []Code
	regions []uint8
	from    int
	open    Strip
	strips  []Strip
}

// begin starts a sheet. Its strips use the memory of the one before.
func (b *builder) begin() {
	b.codes, b.regions, b.from, b.open, b.strips = b.codes[:0], b.regions[:0], 0, Strip{}, b.strips[:0]
}

// turn is a turn of a site under an interval.
type turn struct {
	site     check.SiteID
	interval time.Duration
	n        int64
	code     Code
	region   uint8
}

// add adds a turn, or the turn that came last once more.
func (b *builder) add(t turn) {
	if t.code == None {
		return
	}
	b.reach(t.site, t.interval, t.n)
	if i := b.from + int(t.n-b.open.First); i < len(b.codes) {
		if t.code.knows() > b.codes[i].knows() {
			b.codes[i], b.regions[i] = t.code, t.region
		}
		return
	}
	b.codes, b.regions = append(b.codes, t.code), append(b.regions, t.region)
}

// addNotes adds notes of one site, under one interval, by rising turn.
func (b *builder) addNotes(notes []Note) {
	first := &notes[0]
	interval, next := first.interval(), int64(-1) // the turn after those of the open strip
	for i := range notes {
		n := &notes[i]
		if int64(n.Turn) == next && n.Code != None {
			b.codes, b.regions = append(b.codes, n.Code), append(b.regions, n.Region)
			next++
			continue
		}
		b.add(turn{first.Site, interval, int64(n.Turn), n.Code, n.Region})
		if b.open.Site != 0 {
			next = b.open.First + int64(len(b.codes)-b.from)
		}
	}
}

// addAll adds successive turns, all of them after those before. Neither the first nor the last
// is None. numbers are the builder's of the regions.
func (b *builder) addAll(x *Strip, numbers []uint8) {
	b.reach(x.Site, x.Interval, x.First)
	b.codes = append(b.codes, x.Codes...)
	if x.Regions == nil {
		b.regions = append(b.regions, make([]uint8, len(x.Codes))...)
		return
	}
	for _, r := range x.Regions {
		b.regions = append(b.regions, numbers[r])
	}
}

// reach has the open strip be one in which a turn may come next: each turn before it that is
// not there is None. When the site or the interval is another one, a strip begins.
func (b *builder) reach(site check.SiteID, interval time.Duration, turn int64) {
	if b.open.Site != site || b.open.Interval != interval {
		b.close()
		b.open = Strip{Site: site, Interval: interval, First: turn}
		return
	}
	for missing := turn - b.open.First - int64(len(b.codes)-b.from); missing > 0; missing-- {
		b.codes, b.regions = append(b.codes, None), append(b.regions, 0)
	}
}

func (b *builder) close() {
	if len(b.codes) > b.from {
		b.open.Codes = b.codes[b.from:len(b.codes):len(b.codes)]
		for _, region := range b.regions[b.from:] {
			if region != 0 {
				b.open.Regions = b.regions[b.from:len(b.regions):len(b.regions)]
				break
			}
		}
		b.strips = append(b.strips, b.open)
	}
	b.from, b.open = len(b.codes), Strip{}
}

// finish ends the sheet.
func (b *builder) finish(regions []string) *Sheet {
	b.close()
	return &Sheet{Regions: regions, Strips: b.strips}
}

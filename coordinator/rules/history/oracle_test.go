package history_test

import (
	"cmp"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

// model keeps every check as a row.
type model struct{ rows map[key]row }

type key struct {
	site     check.SiteID
	interval time.Duration
	turn     int64
}

type row struct {
	code   history.Code
	region string
}

func (k key) at() time.Time { return schedule.TurnTime(k.site, k.interval, k.turn) }

// note takes a check in, in the order in which checks were noted.
func (m *model) note(k key, r row) {
	knows := func(c history.Code) int {
		return map[bool]int{c > history.Unknown: 2, c == history.Unknown: 1}[true]
	}
	if was, ok := m.rows[k]; r.code != history.None && (!ok || knows(r.code) > knows(was.code)) {
		m.rows[k] = r
	}
}

// keys returns the turns of which anything is known: by site, time and interval.
func (m *model) keys() []key {
	var keys []key
	for k := range m.rows {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.site, b.site), a.at().Compare(b.at()), cmp.Compare(a.interval, b.interval))
	})
	return keys
}

// has checks that a sheet has what the model has of the turns from first up to end, and nothing
// more, and that it is in order.
func (m *model) has(t *testing.T, s *history.Sheet, first, end time.Time) {
	t.Helper()
	is := &model{rows: map[key]row{}}
	var order []key
	for i, x := range s.Strips {
		if len(x.Codes) == 0 || x.Codes[0] == history.None || x.Codes[len(x.Codes)-1] == history.None {
			t.Fatalf("a strip that does not begin and end with a check: %+v", x)
		}
		if i > 0 && s.Strips[i-1].Site == x.Site && s.Strips[i-1].Interval == x.Interval {
			t.Fatalf("two strips that should be one: %+v, %+v", s.Strips[i-1], x)
		}
		for j, c := range x.Codes {
			k := key{x.Site, x.Interval, x.First + int64(j)}
			if c == history.None {
				continue
			}
			r := row{code: c}
			if x.Regions != nil {
				r.region = s.Regions[x.Regions[j]]
			}
			is.rows[k], order = r, append(order, k)
		}
	}
	want := &model{rows: map[key]row{}}
	for k, r := range m.rows {
		if at := k.at(); !at.Before(first) && at.Before(end) {
			want.rows[k] = r
		}
	}
	if !reflect.DeepEqual(is, want) {
		t.Fatalf("the sheet has\n%v, the model\n%v", is, want)
	}
	if !slices.Equal(order, want.keys()) {
		t.Fatalf("the turns are in the order %v, want %v", order, want.keys())
	}
}

// history makes random notes of a few sites on a day: late, doubled and in disorder, under
// intervals that change, some before the day and some after it.
func (m *model) history(rng *rand.Rand, names []string) []history.Note {
	var notes []history.Note
	sites := []check.SiteID{3, 70_000, 70_001, 1 << 40}
	pace := intervals[1+rng.IntN(4):]
	for range 1 + rng.IntN(600) {
		if len(notes) > 0 && rng.IntN(5) == 0 {
			n := notes[rng.IntN(len(notes))] // once more
			if n.Code = randomCode(rng); rng.IntN(2) == 0 {
				n.Region = uint8(rng.IntN(len(names)))
			}
			notes = append(notes, n)
			continue
		}
		site, interval := sites[rng.IntN(len(sites))], pace[rng.IntN(len(pace))]
		at := day.Start().Add(time.Duration(rng.IntN(26*60*60)-60*60) * time.Second)
		if len(notes) > 0 && rng.IntN(4) > 0 {
			last := notes[len(notes)-1]
			site, interval = last.Site, time.Duration(last.Interval)*time.Second
			at = schedule.TurnTime(site, interval, int64(last.Turn)+1+rng.Int64N(2))
		}
		if len(notes) > 0 && rng.IntN(8) == 0 { // at the same moment, under another interval
			last := notes[len(notes)-1]
			site, at = last.Site, schedule.TurnTime(last.Site, time.Duration(last.Interval)*time.Second, int64(last.Turn))
			interval = pace[rng.IntN(len(pace))]
		}
		turn, seconds, ok := history.Noted(site, interval, at, at)
		if ok {
			notes = append(notes, history.Note{Site: site, Turn: turn, Interval: seconds, Code: randomCode(rng), Region: uint8(rng.IntN(len(names)))})
		}
	}
	for _, n := range notes {
		m.note(key{n.Site, time.Duration(n.Interval) * time.Second, int64(n.Turn)}, row{n.Code, names[n.Region]})
	}
	return notes
}

// stored binds notes, as a flush does, and reads what it would have written; by hour.
func stored(t *testing.T, b *history.Binder, notes []history.Note, names []string) (sheets []*history.Sheet, hours []history.Hour) {
	t.Helper()
	for _, x := range b.Bind(slices.Clone(notes), names) {
		s, err := history.ParseSheet(x.Sheet.AppendBinary(nil))
		if err != nil {
			t.Fatal(err)
		}
		sheets, hours = append(sheets, s), append(hours, x.Hour)
	}
	return sheets, hours
}

// However notes are spread over flushes, and whichever sheets are merged first or twice, what
// comes out is what the model has.
func TestSheetsHaveWhatTheModelHas(t *testing.T) {
	seeds.Run(t, []uint64{1, 2, 3, 4}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var binder history.Binder
		for range 40 {
			m, names := &model{rows: map[key]row{}}, regions[:1+rng.IntN(len(regions))]
			notes := m.history(rng, names)
			var sheets []*history.Sheet
			for from := 0; from < len(notes); {
				n := 1 + rng.IntN(len(notes)-from)
				// Each flush has numbers of its own for the regions.
				own, number := renumbered(rng, names)
				flush := slices.Clone(notes[from : from+n])
				for i := range flush {
					flush[i].Region = number[flush[i].Region]
				}
				of, hours := stored(t, &binder, flush, own)
				for i, s := range of {
					for _, x := range s.Strips {
						if history.HourOf(x.Start(0)) != hours[i] || history.HourOf(x.Start(len(x.Codes)-1)) != hours[i] {
							t.Fatalf("%+v is not of hour %d", x, hours[i])
						}
						if x.Codes[0] == history.None || x.Codes[len(x.Codes)-1] == history.None {
							t.Fatalf("a strip that does not begin and end with a check: %+v", x)
						}
					}
				}
				sheets, from = append(sheets, of...), from+n
			}
			first, end := day.Start(), (day + 1).Start()
			if rng.IntN(3) == 0 {
				first, end = first.Add(time.Duration(rng.IntN(1e9))*1e4), end.Add(-time.Duration(rng.IntN(1e9))*1e4)
			}
			all := history.Merge(first, end, sheets...)
			m.has(t, all, first, end)
			if len(sheets) == 0 {
				continue
			}
			// Earlier merges, and what is merged twice, make no difference.
			n := rng.IntN(len(sheets))
			left := history.Merge(day.Start().Add(-time.Hour), end, sheets[:n]...)
			right := history.Merge(first, (day + 1).Start().Add(time.Hour), sheets[n:]...)
			again := history.Merge(first, end, left, right, sheets[rng.IntN(len(sheets))])
			m.has(t, again, first, end)
			sameStrips(t, again, all)
		}
	})
}

// renumbered returns the names of regions in another order, and the new number of each old one.
func renumbered(rng *rand.Rand, names []string) (own []string, number []uint8) {
	own, number = []string{""}, make([]uint8, len(names))
	for _, old := range rng.Perm(len(names)) {
		if old > 0 {
			number[old] = uint8(len(own))
			own = append(own, names[old])
		}
	}
	return own, number
}

// A period begins with the turn at its first moment, and ends before the one at its end.
func TestAPeriodHasItsFirstMomentAndNotItsEnd(t *testing.T) {
	t.Parallel()
	x := history.Strip{Site: 5, Interval: time.Minute, First: 29_000_000, Codes: []history.Code{20, 21, 22, 23, 24, 25}}
	s := &history.Sheet{Regions: []string{""}, Strips: []history.Strip{x}}
	for first := range x.Codes {
		for end := first; end < len(x.Codes); end++ {
			is := history.Merge(x.Start(first), x.Start(end), s)
			want := x
			if want.First, want.Codes = x.First+int64(first), x.Codes[first:end]; first == end {
				if len(is.Strips) > 0 {
					t.Errorf("an empty period has %+v", is.Strips)
				}
				continue
			}
			if !reflect.DeepEqual(is.Strips, []history.Strip{want}) {
				t.Errorf("from %d to %d there is %+v, want %+v", first, end, is.Strips, want)
			}
		}
	}
}

func sameStrips(t *testing.T, is, want *history.Sheet) {
	t.Helper()
	if len(is.Strips) != len(want.Strips) {
		t.Fatalf("%d strips, want %d", len(is.Strips), len(want.Strips))
	}
	for i := range is.Strips {
		a, b := is.Strips[i], want.Strips[i]
		if a.Regions, b.Regions = nil, nil; !reflect.DeepEqual(a, b) {
			t.Fatalf("the strip %+v, want %+v", a, b)
		}
	}
}

// turnsOf lists what became of each turn of a site in a range, as Summarize defines it: an
// interval counts from the start of the hour of its first check, or from the check before.
func (m *model) turnsOf(site check.SiteID, first, end history.Hour) (turns []key, codes []history.Code) {
	var known []key
	for _, k := range m.keys() {
		if k.site == site && !k.at().Before(first.Start()) && k.at().Before(end.Start()) {
			known = append(known, k)
		}
	}
	for i := 0; i < len(known); {
		j := i
		for j < len(known) && known[j].interval == known[i].interval {
			j++
		}
		from, until := first.Start(), end.Start()
		if i > 0 {
			from = known[i].at().Truncate(time.Hour)
		}
		if j < len(known) {
			until = known[j].at().Truncate(time.Hour)
		}
		for n := known[i].turn - int64(known[i].at().Sub(first.Start())/known[i].interval) - 2; ; n++ {
			k := key{site, known[i].interval, n}
			if !k.at().Before(end.Start()) {
				break
			}
			before := i > 0 && (k.at().Before(known[i-1].at()) || k.at().Equal(known[i-1].at()) && n < known[i].turn)
			in := true
			if n < known[i].turn {
				in = !before && !k.at().Before(from)
			} else if n > known[j-1].turn {
				in = k.at().Before(until)
			}
			if in && !k.at().Before(first.Start()) {
				turns, codes = append(turns, k), append(codes, m.rows[k].code)
			}
		}
		i = j
	}
	return turns, codes
}

// check compares the summaries of a site with the model's turns.
func (m *model) check(t *testing.T, of []history.Summary, site check.SiteID, first, end history.Hour) {
	t.Helper()
	turns, codes := m.turnsOf(site, first, end)
	for _, s := range of {
		if s.Turns > len(turns) || s.Site != site {
			t.Fatalf("%+v has more turns than are left: %d", s, len(turns))
		}
		var counts [256]uint32
		var gaps []history.Gap
		for i, k := range turns[:s.Turns] {
			if k != (key{site, s.Interval, s.First + int64(i)}) {
				t.Fatalf("the turn %d of %+v is %+v", i, s, k)
			}
			counts[codes[i]]++
			if codes[i] > history.Unknown {
				continue
			}
			if n := len(gaps); n > 0 && gaps[n-1].First+int64(gaps[n-1].Turns) == k.turn {
				gaps[n-1].Turns++
			} else {
				gaps = append(gaps, history.Gap{First: k.turn, Turns: 1})
			}
		}
		var is [256]uint32
		for i, c := range s.Counts {
			if c.N == 0 || i > 0 && s.Counts[i-1].Code >= c.Code {
				t.Fatalf("the counts %v", s.Counts)
			}
			is[c.Code] = c.N
		}
		if is != counts || !slices.Equal(s.Gaps, gaps) {
			t.Fatalf("%+v, want %v, %v", s, counts, gaps)
		}
		turns, codes = turns[s.Turns:], codes[s.Turns:]
	}
	if len(turns) > 0 {
		t.Fatalf("no summary has %+v", turns[0])
	}
}

// Summaries of a day that grow by hours, by several, or come at once, have each turn of the
// model once.
func TestSummariesComeToWhatTheModelHas(t *testing.T) {
	seeds.Run(t, []uint64{1, 2, 3, 4}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		first, end := day.Hours()
		for range 20 {
			m := &model{rows: map[key]row{}}
			var binder history.Binder
			sheets, _ := stored(t, &binder, m.history(rng, regions[:1]), regions[:1])
			byHours := &history.Summaries{Until: first}
			var total history.Tally
			for byHours.Until < end {
				to := byHours.Until + 1 + history.Hour(rng.IntN(min(3, int(end-byHours.Until))))
				added := byHours.Add(to, history.Merge(byHours.Until.Start(), to.Start(), sheets...))
				total.Merge(&added)
				var err error
				if byHours, err = history.ParseSummaries(byHours.AppendBinary(nil)); err != nil {
					t.Fatal(err)
				}
			}
			all := history.Merge(first.Start(), end.Start(), sheets...)
			var atOnce []history.Summary
			var turns uint64
			for site, strips := range all.Sites() {
				of := history.Summarize(first, end, strips)
				m.check(t, of, site, first, end)
				atOnce = append(atOnce, of...)
				for _, s := range of {
					turns += uint64(s.Turns)
				}
			}
			if len(atOnce) > 0 && !reflect.DeepEqual(byHours.Sites, atOnce) {
				t.Fatalf("by hours they are\n%+v, at once\n%+v", byHours.Sites, atOnce)
			}
			if total.Turns() != turns {
				t.Fatalf("%d turns were added, there are %d", total.Turns(), turns)
			}
		}
	})
}

// Percentiles are those of the checks themselves, within half a step.
func TestPercentilesAreThoseOfTheChecks(t *testing.T) {
	seeds.Run(t, []uint64{1, 2}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 200 {
			var took []time.Duration
			var a, b history.Tally
			for range 1 + rng.IntN(500) {
				d := time.Duration(1+rng.IntN(50_000)) * time.Millisecond
				took = append(took, d)
				[]*history.Tally{&a, &b}[rng.IntN(2)][history.Took(d)]++
			}
			a[history.Failed] += 3
			a.Merge(&b)
			slices.Sort(took)
			for _, p := range []float64{0.1, 1, 50, 90, 95, 99, 99.9, 100} {
				want := took[max(1, int(math.Ceil(float64(len(took))*p/100-1e-9)))-1]
				is := a.Percentile(p).Time()
				if ratio := float64(is) / float64(want); ratio > math.Sqrt(history.Step)*1.001 || ratio < 1/math.Sqrt(history.Step)/1.001 {
					t.Fatalf("p%v of %d is %v, want %v", p, len(took), is, want)
				}
			}
		}
	})
	if is := new(history.Tally).Percentile(50); is != history.None {
		t.Errorf("without a check it is %v", is)
	}
}

// Whatever we fail to do, a check that said something goes on to say it.
func TestOurOwnFailuresTakeNothingAway(t *testing.T) {
	seeds.Run(t, []uint64{1, 2}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 100 {
			m := &model{rows: map[key]row{}}
			notes := m.history(rng, regions[:1])
			if len(notes) == 0 {
				continue
			}
			var binder history.Binder
			sheets, _ := stored(t, &binder, notes, regions[:1])
			said := maps.Clone(m.rows)
			maps.DeleteFunc(said, func(_ key, r row) bool { return r.code == history.Unknown })
			var ours []history.Note
			for range 1 + rng.IntN(300) {
				more := notes[rng.IntN(len(notes))]
				more.Turn += uint32(rng.IntN(3))
				m.note(key{more.Site, time.Duration(more.Interval) * time.Second, int64(more.Turn)}, row{code: history.Unknown})
				more.Code = history.Unknown
				ours = append(ours, more)
			}
			of, _ := stored(t, &binder, ours, regions[:1])
			for _, order := range [][]*history.Sheet{append(slices.Clone(sheets), of...), append(of, sheets...)} {
				m.has(t, history.Merge(day.Start(), (day+1).Start(), order...), day.Start(), (day + 1).Start())
			}
			for k, r := range said {
				if m.rows[k] != r {
					t.Fatalf("%+v was %v, and is %v", k, r, m.rows[k])
				}
			}
		}
	})
}

func TestAPartHasTheSitesOfItsIds(t *testing.T) {
	t.Parallel()
	s := &history.Sheet{Regions: []string{""}}
	for _, site := range []check.SiteID{1, 2, 1 << history.PartBits, 1<<history.PartBits + 5, 1 << 40} {
		s.Strips = append(s.Strips, history.Strip{Site: site, Interval: time.Minute, First: 1, Codes: []history.Code{20}})
	}
	is := map[history.Part]int{}
	for part, x := range s.Parts() {
		is[part] = len(x.Strips)
		for _, strip := range x.Strips {
			if history.PartOf(strip.Site) != part {
				t.Errorf("the site %d is in part %d", strip.Site, part)
			}
		}
	}
	if want := (map[history.Part]int{0: 2, 1: 2, 1 << 24: 1}); !reflect.DeepEqual(is, want) {
		t.Errorf("the parts are %v, want %v", is, want)
	}
}

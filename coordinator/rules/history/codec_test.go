package history_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

func TestATimeAndThatOfItsCodeDifferByHalfAStep(t *testing.T) {
	t.Parallel()
	half := math.Sqrt(history.Step) * 1.0001
	for d := time.Millisecond; d < time.Minute; d += d / 100 {
		if is := float64(history.Took(d).Time()) / float64(d); is > half || is < 1/half {
			t.Errorf("%v is told as %v", d, history.Took(d).Time())
		}
	}
	for _, d := range []time.Duration{-time.Second, 0, time.Microsecond} {
		if is := history.Took(d).Time(); is != time.Millisecond {
			t.Errorf("%v is told as %v, want the shortest", d, is)
		}
	}
	if is := history.Took(time.Hour); is != history.Took(2*time.Minute) || is.Time() < time.Minute || is == history.Took(50*time.Second) {
		t.Errorf("an hour is told as %v, want the longest", is.Time())
	}
}

func TestOfTwoCodesTheOneThatKnowsMoreCounts(t *testing.T) {
	t.Parallel()
	up, slow := history.Took(time.Millisecond), history.Took(time.Minute)
	for _, tt := range []struct{ was, later, want history.Code }{
		{history.None, history.Unknown, history.Unknown},
		{history.Unknown, history.None, history.Unknown},
		{history.Unknown, history.Failed, history.Failed},
		{history.Unknown, up, up},
		{up, history.Failed, up},
		{history.Failed, up, history.Failed},
		{up, slow, up},
		{history.Maintenance, history.Failed, history.Maintenance},
		{history.Blocked, history.Unknown, history.Blocked},
	} {
		if is := tt.later.Over(tt.was); is != tt.want {
			t.Errorf("%d after %d counts as %d, want %d", tt.later, tt.was, is, tt.want)
		}
	}
}

func TestASheetIsReadAsItWasWritten(t *testing.T) {
	seeds.Run(t, []uint64{1, 2, 3}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 100 {
			want := randomSheet(rng, 300)
			b := want.AppendBinary([]byte("before"))
			is, err := history.ParseSheet(b[len("before"):])
			if err != nil {
				t.Fatal(err)
			}
			if !sameSheets(is, want) {
				t.Fatalf("read\n%+v, want\n%+v", is, want)
			}
			for i := range want.Strips {
				findsAll(t, b[len("before"):], want, want.Strips[i].Site)
			}
			findsAll(t, b[len("before"):], want, 1<<50)
		}
	})
}

// findsAll checks that the strips of a site are found.
func findsAll(t *testing.T, b []byte, in *history.Sheet, site check.SiteID) {
	t.Helper()
	strips, regions, err := history.FindStrips(b, site)
	var want []history.Strip
	for _, x := range in.Strips {
		if x.Site == site {
			want = append(want, x)
		}
	}
	if err != nil || !reflect.DeepEqual(strips, want) || !slices.Equal(regions, in.Regions) {
		t.Fatalf("found %+v, %v, %v, want %+v", strips, regions, err, want)
	}
}

func sameSheets(a, b *history.Sheet) bool {
	return slices.Equal(a.Regions, b.Regions) && len(a.Strips) == len(b.Strips) &&
		(len(a.Strips) == 0 || reflect.DeepEqual(a.Strips, b.Strips))
}

func TestSummariesAreReadAsTheyWereWritten(t *testing.T) {
	seeds.Run(t, []uint64{1, 2, 3}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 100 {
			want := randomSummaries(rng, 300)
			b := want.AppendBinary(nil)
			is, err := history.ParseSummaries(b)
			if err != nil {
				t.Fatal(err)
			}
			if is.Until != want.Until || len(is.Sites) != len(want.Sites) {
				t.Fatalf("read\n%+v, want\n%+v", is, want)
			}
			var some []check.SiteID
			var of []history.Summary
			for _, x := range want.Sites {
				if rng.IntN(3) == 0 {
					some, of = append(some, x.Site), append(of, x)
				}
			}
			if found, _, err := history.FindSummaries(b, some...); err != nil || len(found) != len(of) || len(of) > 0 && !reflect.DeepEqual(found, of) {
				t.Fatalf("found\n%+v, %v, want\n%+v", found, err, of)
			}
			for i, x := range want.Sites {
				of, until, err := history.FindSummaries(b, x.Site)
				if err != nil || until != want.Until || !reflect.DeepEqual(of, []history.Summary{x}) || !reflect.DeepEqual(is.Sites[i], x) {
					t.Fatalf("found\n%+v, %v, want\n%+v", of, err, x)
				}
			}
		}
	})
}

func TestAFleetsDayIsReadAsItWasWritten(t *testing.T) {
	seeds.Run(t, []uint64{1, 2, 3}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 100 {
			want := randomFleet(rng)
			is, err := history.ParseFleet(want.AppendBinary(nil))
			if err != nil || *is != *want {
				t.Fatalf("read %v, %v, want %v", is, err, want)
			}
		}
	})
}

// Whatever is cut off, and whatever byte is another one, the reader says so or reads something
// that is right in itself; it never reads beyond.
func TestDamagedBytesAreRefusedOrReadAsSomethingElse(t *testing.T) {
	seeds.Run(t, []uint64{1, 2}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 50 {
			for _, b := range [][]byte{randomSheet(rng, 300).AppendBinary(nil), randomSummaries(rng, 300).AppendBinary(nil), randomFleet(rng).AppendBinary(nil)} {
				readsAnything(t, b[:rng.IntN(len(b))], true)
				readsAnything(t, append(slices.Clone(b), 0), true)
				b[rng.IntN(len(b))] ^= byte(1 + rng.IntN(255))
				readsAnything(t, b, false)
			}
		}
	})
}

// readsAnything checks what all readers make of some bytes.
func readsAnything(t *testing.T, b []byte, bad bool) {
	t.Helper()
	sheet, err := history.ParseSheet(b)
	judge(t, err, bad, func() {
		again, err := history.ParseSheet(sheet.AppendBinary(nil))
		if err != nil || !sameSheets(sheet, again) {
			t.Fatalf("%x is read as %+v, and that as %+v, %v", b, sheet, again, err)
		}
		for _, x := range sheet.Strips {
			findsAll(t, b, sheet, x.Site)
			for _, r := range x.Regions {
				if int(r) >= len(sheet.Regions) {
					t.Fatalf("%x has a region without a name: %+v", b, sheet)
				}
			}
		}
	})
	summaries, err := history.ParseSummaries(b)
	judge(t, err, bad, func() {
		again, err := history.ParseSummaries(summaries.AppendBinary(nil))
		if err != nil || !reflect.DeepEqual(summaries, again) {
			t.Fatalf("%x is read as %+v, and that as %+v, %v", b, summaries, again, err)
		}
		for _, x := range summaries.Sites {
			fits(t, x)
		}
	})
	fleet, err := history.ParseFleet(b)
	judge(t, err, bad, func() {
		if again, err := history.ParseFleet(fleet.AppendBinary(nil)); err != nil || *again != *fleet {
			t.Fatalf("%x is read as %v, and that as %v, %v", b, fleet, again, err)
		}
	})
	_, _, _ = history.FindStrips(b, 1<<20)
	_, _, _ = history.FindSummaries(b, 1<<20)
}

// fits checks that the numbers of a summary fit together.
func fits(t *testing.T, s history.Summary) {
	t.Helper()
	var turns, unknown, lost uint64
	for _, c := range s.Counts {
		if turns += uint64(c.N); c.Code <= history.Unknown {
			unknown += uint64(c.N)
		}
	}
	end := s.First
	for _, g := range s.Gaps {
		if g.First < end {
			t.Fatalf("gaps that overlap: %+v", s)
		}
		lost, end = lost+uint64(g.Turns), g.First+int64(g.Turns)
	}
	if turns != uint64(s.Turns) || unknown != lost || end > s.First+int64(s.Turns) {
		t.Fatalf("a summary whose numbers do not fit: %+v", s)
	}
}

// Bytes that are changed at random seldom leave columns that can be read. These can, and the
// numbers in them do not fit.
func TestNumbersThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	good := func() history.Summary {
		return history.Summary{Site: 1, Interval: time.Minute, First: 100, Turns: 10,
			Counts: []history.Count{{Code: history.None, N: 3}, {Code: 30, N: 7}}, Gaps: []history.Gap{{First: 102, Turns: 3}}}
	}
	for name, change := range map[string]func(*history.Summary){
		"":                             func(*history.Summary) {},
		"more turns than counts":       func(s *history.Summary) { s.Turns++ },
		"more gaps than turns without": func(s *history.Summary) { s.Gaps[0].Turns++ },
		"a gap beyond the last turn":   func(s *history.Summary) { s.Gaps[0].First = 108 },
		"a gap of no turns":            func(s *history.Summary) { s.Gaps = append(s.Gaps, history.Gap{First: 107}) },
		"two gaps that are one":        func(s *history.Summary) { s.Gaps = []history.Gap{{First: 102, Turns: 1}, {First: 103, Turns: 2}} },
		"a code twice": func(s *history.Summary) {
			s.Counts = []history.Count{{Code: 0, N: 3}, {Code: 30, N: 3}, {Code: 30, N: 4}}
		},
		"a site that is none":            func(s *history.Summary) { s.Site = 0 },
		"turns after the end of time":    func(s *history.Summary) { s.First, s.Gaps = 1<<40, []history.Gap{{First: 1 << 40, Turns: 3}} },
		"an interval longer than can be": func(s *history.Summary) { s.Interval = history.MaxInterval + time.Second },
	} {
		x := good()
		change(&x)
		_, err := history.ParseSummaries((&history.Summaries{Sites: []history.Summary{x}}).AppendBinary(nil))
		if (err == nil) != (name == "") {
			t.Errorf("%q: %v", name, err)
		}
	}
	strip := history.Strip{Site: 5, Interval: time.Minute, First: 100, Codes: []history.Code{20, 20}, Regions: []uint8{1, 2}}
	after := strip
	after.First = 102
	for name, s := range map[string]*history.Sheet{
		"":                        {Regions: []string{"", "a", "b"}, Strips: []history.Strip{strip, after}},
		"a region without a name": {Regions: []string{"", "a"}, Strips: []history.Strip{strip}},
		"strips that overlap":     {Regions: []string{"", "a", "b"}, Strips: []history.Strip{after, strip}},
	} {
		if _, err := history.ParseSheet(s.AppendBinary(nil)); (err == nil) != (name == "") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func judge(t *testing.T, err error, bad bool, good func()) {
	t.Helper()
	switch {
	case err != nil && !errors.Is(err, history.ErrDamaged):
		t.Fatalf("the error %v", err)
	case err == nil && bad:
		t.Fatal("it was read, although something is missing or too much")
	case err == nil:
		good()
	}
}

func FuzzHostileBytes(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 0))
	for range 10 {
		f.Add(randomSheet(rng, 5).AppendBinary(nil))
		f.Add(randomSummaries(rng, 5).AppendBinary(nil))
		f.Add(randomFleet(rng).AppendBinary(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) { readsAnything(t, b, false) })
}

func FuzzRoundTrip(f *testing.F) {
	f.Add(uint64(1), []byte{16, 3, 200, 0, 255, 15, 100})
	f.Fuzz(func(t *testing.T, seed uint64, codes []byte) {
		rng := rand.New(rand.NewPCG(seed, 0))
		x := history.Strip{Site: 1 + check.SiteID(rng.Int64N(1<<62)), Interval: time.Duration(1+rng.IntN(1<<16-1)) * time.Second, First: rng.Int64N(1 << 17)}
		for _, c := range codes {
			x.Codes = append(x.Codes, history.Code(c))
		}
		want := &history.Sheet{Regions: []string{""}}
		if len(codes) > 0 {
			want.Strips = []history.Strip{x}
		}
		is, err := history.ParseSheet(want.AppendBinary(nil))
		if err != nil || !sameSheets(is, want) {
			t.Fatalf("read %+v, %v, want %+v", is, err, want)
		}
	})
}

// What is read takes a small multiple of the bytes, however hostile they are: as many strips as
// there can be, of one turn each.
func TestReadingTakesASmallMultipleOfTheBytes(t *testing.T) {
	s := history.Sheet{Regions: []string{""}}
	for i := range 10_000 {
		s.Strips = append(s.Strips, history.Strip{Site: check.SiteID(i + 1), Interval: time.Minute, First: 1, Codes: []history.Code{20}})
	}
	b := s.AppendBinary(nil)
	allocated := testing.Benchmark(func(tb *testing.B) {
		for tb.Loop() {
			if _, err := history.ParseSheet(b); err != nil {
				tb.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if most := int64(30 * len(b)); allocated > most {
		t.Errorf("%d bytes for %d, want %d at most", allocated, len(b), most)
	}
}

package logbook_test

import (
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
)

// places returns where the checks of a site were made.
func (b *bench) places(from, to time.Time) (places []string) {
	b.t.Helper()
	sheet, _, err := b.reader.Turns(b.t.Context(), site(aSite), from, to)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, s := range sheet.Strips {
		for i, code := range s.Codes {
			if code != history.None {
				places = append(places, sheet.Regions[s.Regions[i]])
			}
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}

func TestTheCheckerIsKnownUntilTheDayIsFolded(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *shaky) {
		b := newBench(t, s)
		places := []string{history.Place("eu", "a"), history.Place("eu", "b"), history.Place("us", "c")}
		evening := noon().Truncate(24 * time.Hour).Add(22 * time.Hour)
		for i := range 60 {
			n := schedule.TurnBefore(aSite, time.Minute, evening) + 1 + int64(i)
			region, checker := history.SplitPlace(places[i%3])
			b.desk.note(3, history.Note{Site: aSite, Turn: uint32(n), Interval: 60, Code: 77, Region: b.desk.book.Place(region, checker)})
		}
		read := func() []string { return b.places(evening.Add(-time.Hour), evening.Add(2*time.Hour)) }
		for _, hours := range []int{1, 2, 8} { // in the journal, in an hour, and at six in the morning
			b.now = evening.Add(time.Duration(hours)*time.Hour + 30*time.Minute)
			b.Tend(t.Context(), 0)
			if got := read(); !slices.Equal(got, places) {
				t.Fatalf("%d hours later the checks are of %q", hours, got)
			}
		}
		b.now = evening.Add(10 * time.Hour)
		b.note(aSite, b.now, time.Minute, 77) // what is new is flushed, and what is old folded
		b.Tend(t.Context(), 0)
		if got := read(); !slices.Equal(got, []string{"eu", "us"}) {
			t.Errorf("after the day the checks are of %q", got)
		}
	})
}

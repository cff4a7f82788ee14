package logbook_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

// damages are ways in which a blob may be damaged.
func damages(t *testing.T, r *rand.Rand) map[string]func([]byte) []byte {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	return map[string]func([]byte) []byte{
		"cut off":     func(b []byte) []byte { return b[:r.IntN(len(b)-1)+1] },
		"one byte":    func(b []byte) []byte { return b[:1] },
		"a flip":      func(b []byte) []byte { b = bytes.Clone(b); b[r.IntN(len(b))] ^= byte(1 << r.IntN(8)); return b },
		"more":        func(b []byte) []byte { return append(bytes.Clone(b), noise(9)...) },
		"noise":       func([]byte) []byte { return noise(200) },
		"other bytes": func([]byte) []byte { return enc.EncodeAll(noise(200), nil) },
		"nothing":     func([]byte) []byte { return enc.EncodeAll(nil, nil) },
		"a bomb":      func([]byte) []byte { return enc.EncodeAll(make([]byte, 100<<20), nil) },
		"two hours": func(b []byte) []byte { // a version of which nobody knows
			return enc.EncodeAll([]byte{99, 1, 2, 3}, nil)
		},
	}
}

// A damaged row of whatever table is a gap of what it had, with one line in the log, and no error.
func TestADamagedRowIsOneGapAndALineInTheLog(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		onEach(t, func(t *testing.T, s *shaky) {
			r := rand.New(rand.NewPCG(seed, 7))
			names := []string{}
			ways := damages(t, r)
			for name := range ways {
				names = append(names, name)
			}
			slices.Sort(names)
			for i, name := range names {
				// Each way has a day of its own, in the past of those before.
				damage(t, s, noon().AddDate(0, 0, -10*i), name, ways[name])
			}
		})
	})
}

// damage keeps two days and some hours, and damages a row of each kind.
func damage(t *testing.T, s *shaky, start time.Time, name string, ruin func([]byte) []byte) {
	t.Helper()
	b := newBench(t, s)
	b.now = start.Add(-24 * time.Hour)
	other := aSite + 1<<history.PartBits
	for b.now.Before(start.Add(4*time.Hour + 20*time.Minute)) {
		b.note(aSite, b.now, 10*time.Minute, 77)
		b.note(other, b.now, 10*time.Minute, 88)
		b.now = b.now.Add(10 * time.Minute)
		b.Tend(t.Context(), 0)
	}
	whole := b.codes(aSite, start.Add(-24*time.Hour), b.now)
	b.want(whole, 28*60+20, 77)
	day := history.DayOf(start)
	first := history.HourOf(start)
	lost := map[string]int{}
	// A day of one part, an hour, and ten minutes.
	ruinDay(t, s, store.DayChecks, day-1, ruin)
	lost["day"] = len(b.codes(aSite, start.Add(-24*time.Hour), b.now))
	ruinHour(t, s, first+1, ruin)
	lost["hour"] = len(known(b.codes(aSite, start.Add(-24*time.Hour), b.now)))
	ruinHour(t, s, first+4, ruin)
	lost["minutes"] = len(known(b.codes(aSite, start.Add(-24*time.Hour), b.now)))
	if want := map[string]int{"day": 16*60 + 20, "hour": 15*60 + 20, "minutes": 15*60 + 10}; fmt.Sprint(lost) != fmt.Sprint(want) {
		t.Errorf("%s: turns that are left: %v, want %v", name, lost, want)
	}
	b.want(known(b.codes(other, (day-1).Start(), day.Start())), 12*60, 88)
	ruinDay(t, s, store.DaySummaries, day-1, ruin)
	sums := map[check.SiteID]int{}
	_, err := b.reader.Days(t.Context(), []record.Site{site(aSite), site(other)}, day-1, day+1, func(id check.SiteID, _ history.Day, _ []history.Summary) { sums[id]++ })
	if err != nil || sums[aSite] != 1 || sums[other] != 2 {
		t.Errorf("%s: %v, %v", name, sums, err)
	}
	lines := b.read.String()
	if n := strings.Count(lines, "history damaged"); n != 4 || strings.Count(lines, "\n") != 4 || !strings.Contains(lines, "bucket=3") || !strings.Contains(lines, "part=0") || !strings.Contains(lines, "day="+(day-1).Start().Format(time.DateOnly)) {
		t.Errorf("%s: logged:\n%s", name, lines)
	}
	// The next fold makes new rows of what can be read.
	b.now = b.now.Add(time.Hour)
	b.Tend(t.Context(), 0)
	b.now = day.Start().Add(32 * time.Hour)
	b.Tend(t.Context(), 0)
	if left := len(known(b.codes(aSite, start.Add(-24*time.Hour), b.now))); left != 15*60+10 {
		t.Errorf("%s: after the fold %d turns are left", name, left)
	}
	// The two hours of which no row could be read are folded into none.
	if n := b.rows(); n != 0 {
		t.Errorf("%s: %d rows are left", name, n)
	}
}

func known(codes []history.Code) []history.Code {
	return slices.DeleteFunc(slices.Clone(codes), func(c history.Code) bool { return c == history.None })
}

var errFound = errors.New("found")

func ruinHour(t *testing.T, s *shaky, hour history.Hour, ruin func([]byte) []byte) {
	t.Helper()
	var row store.CheckRow
	err := s.Store.Checks(t.Context(), []check.BucketID{3}, hour, hour+1, func(r store.CheckRow) error {
		row = r
		row.Blob = ruin(r.Blob)
		return errFound
	})
	if !errors.Is(err, errFound) {
		t.Fatalf("there is no row of hour %d: %v", hour, err)
	}
	if err := s.Store.AddChecks(t.Context(), current(t, s), []store.CheckRow{row}); err != nil {
		t.Fatal(err)
	}
}

func ruinDay(t *testing.T, s *shaky, of store.DayKind, day history.Day, ruin func([]byte) []byte) {
	t.Helper()
	span := store.DaySpan{Kind: of, First: day, End: day + 1}
	var row store.DayRow
	err := s.Store.BucketDays(t.Context(), span, 3, func(r store.DayRow) error {
		row = r
		row.Blob = ruin(r.Blob)
		return errFound
	})
	if !errors.Is(err, errFound) {
		t.Fatalf("there is no row of day %d: %v", day, err)
	}
	x := store.CheckFold{Days: []store.DayRow{row}}
	if of == store.DaySummaries {
		x = store.CheckFold{Summaries: []store.DayRow{row}}
	}
	if err := s.Store.FoldChecks(t.Context(), current(t, s), x); err != nil {
		t.Fatal(err)
	}
}

package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func checkTests() []test {
	return []test{
		{"rows of the journal are read by hour and number, those of a key once", checksAdded},
		{"a large blob comes back as it was", checksLarge},
		{"a fold replaces what it was made of, whole or not at all", checksFolded},
		{"of two folds of the same rows one is a conflict and leaves no trace", checksFoldedTwice},
		{"days are read by part, by bucket, and over a period", checksByDay},
		{"the fleet's days are those of all shards", checksOfTheFleet},
		{"old days, hours and counts expire, in batches, the oldest first", checksExpire},
		{"checks are kept and folded by the owner of the shard only", checksFenced},
		{"an error of who reads stops the reading, and comes back", checksStopped},
		{"of concurrent folds of the same rows one succeeds", checksRace},
	}
}

// theHour is the hour of noon, theDay its day.
func theHour() history.Hour { return history.HourOf(noon()) }
func theDay() history.Day   { return theHour().Day() }

func aCheckRow(b check.BucketID, h history.Hour, n int64) store.CheckRow {
	return store.CheckRow{CheckKey: store.CheckKey{Bucket: b, Hour: h}, N: n, Blob: fmt.Appendf(nil, "\x00\xff'\\%d/%d/%d", b, h, n)}
}

func aDayRow(b check.BucketID, part history.Part, d history.Day) store.DayRow {
	return store.DayRow{PartKey: store.PartKey{Bucket: b, Part: part}, Day: d, Blob: fmt.Appendf(nil, "\x00%d/%d/%d", b, part, d)}
}

func journal(t testing.TB, s store.Store, first, end history.Hour, buckets ...check.BucketID) (rows []store.CheckRow) {
	t.Helper()
	must(t, s.Checks(t.Context(), buckets, first, end, func(r store.CheckRow) error {
		r.Blob = bytes.Clone(r.Blob)
		rows = append(rows, r)
		return nil
	}))
	return rows
}

func daysOf(t testing.TB, read func(f func(store.DayRow) error) error) (days []store.DayRow) {
	t.Helper()
	must(t, read(func(d store.DayRow) error {
		d.Blob = bytes.Clone(d.Blob)
		days = append(days, d)
		return nil
	}))
	return days
}

func bucketDays(t testing.TB, s store.Store, of store.DayKind, b check.BucketID) []store.DayRow {
	t.Helper()
	return daysOf(t, func(f func(store.DayRow) error) error {
		return s.BucketDays(t.Context(), store.DaySpan{Kind: of, First: theDay() - 5, End: theDay() + 5}, b, f)
	})
}

func checksAdded(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	h := theHour()
	first, second, next, other := aCheckRow(7, h, 2000), aCheckRow(7, h, 1000), aCheckRow(7, h+1, 1500), aCheckRow(8, h, 1000)
	must(t, s.AddChecks(t.Context(), fence, []store.CheckRow{first, next, other}))
	must(t, s.AddChecks(t.Context(), fence, []store.CheckRow{second, first}))
	must(t, s.AddChecks(t.Context(), fence, nil))
	again := first
	again.Blob = []byte("again")
	must(t, s.AddChecks(t.Context(), fence, []store.CheckRow{again}))
	wantEqual(t, journal(t, s, h, h+2, 8, 7), []store.CheckRow{other, second, again, next})
	wantEqual(t, journal(t, s, h, h+1, 7), []store.CheckRow{second, again})
	wantEqual(t, journal(t, s, h+1, h+2, 7, 9), []store.CheckRow{next})
	bare := func(rows ...store.CheckRow) []store.CheckRow {
		for i := range rows {
			rows[i].Blob = nil
		}
		return rows
	}
	wantEqual(t, get[[]store.CheckRow](t)(s.ListChecks(t.Context(), fence.Shard, h+1)), bare(second, first, other))
	wantEqual(t, get[[]store.CheckRow](t)(s.ListChecks(t.Context(), fence.Shard, h+2)), bare(second, first, next, other))
	wantEqual(t, get[[]store.CheckRow](t)(s.ListChecks(t.Context(), fence.Shard+1, h+2)), []store.CheckRow(nil))
	for _, blob := range [][]byte{nil, {}, make([]byte, store.MaxCheckBlob+1)} {
		bad := first
		bad.Blob = blob
		wantKind(t, s.AddChecks(t.Context(), fence, []store.CheckRow{aCheckRow(7, h, 3000), bad}), fault.Invalid)
	}
	wantKind(t, s.AddChecks(t.Context(), fence, make([]store.CheckRow, store.MaxCheckRows+1)), fault.Invalid)
	wantEqual(t, journal(t, s, h, h+1, 7), []store.CheckRow{second, again})
}

// checksLarge writes bytes that no compression makes fewer, and that a statement has to escape.
func checksLarge(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	r := rand.NewChaCha8([32]byte{1})
	var rows []store.CheckRow
	for n, size := range []int{store.MaxCheckBlob, 1, 3 << 20, store.MaxCheckBlob} {
		row := aCheckRow(7, theHour(), int64(n))
		row.Blob = make([]byte, size)
		_, _ = r.Read(row.Blob)
		if n == 3 {
			row.Blob = bytes.Repeat([]byte{0, '\'', '\\', 0xff}, size/4)
		}
		rows = append(rows, row)
	}
	must(t, s.AddChecks(t.Context(), fence, rows))
	got := journal(t, s, theHour(), theHour()+1, 7)
	for i, r := range got {
		if i >= len(rows) || !bytes.Equal(r.Blob, rows[i].Blob) {
			t.Errorf("row %d is not as it was: %d bytes", i, len(r.Blob))
		}
	}
	wantEqual(t, len(got), len(rows))
}

func aFold(h history.Hour) store.CheckFold {
	return store.CheckFold{
		Replaces:  []store.CheckRow{aCheckRow(7, h, 1000), aCheckRow(7, h, 2000)},
		Rows:      []store.CheckRow{aCheckRow(7, h, 0)},
		Days:      []store.DayRow{aDayRow(7, 1, h.Day())},
		Summaries: []store.DayRow{aDayRow(7, 1, h.Day()), aDayRow(7, 2, h.Day())},
		Fleet:     &store.FleetRow{Shard: shard.Of(7), Day: h.Day(), Blob: []byte("counts")},
	}
}

func checksFolded(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	h := theHour()
	x := aFold(h)
	stays := aCheckRow(7, h, 3000)
	must(t, s.AddChecks(t.Context(), fence, append([]store.CheckRow{stays}, x.Replaces...)))
	must(t, s.FoldChecks(t.Context(), fence, x))
	wantEqual(t, journal(t, s, h, h+1, 7), []store.CheckRow{x.Rows[0], stays})
	wantEqual(t, bucketDays(t, s, store.DayChecks, 7), x.Days)
	wantEqual(t, bucketDays(t, s, store.DaySummaries, 7), x.Summaries)
	wantEqual(t, get[[]store.FleetRow](t)(s.FleetDays(t.Context(), h.Day(), h.Day()+1)), []store.FleetRow{*x.Fleet})

	// The next fold of that hour replaces its own row, too, and what is there by day.
	late := x
	late.Replaces = []store.CheckRow{x.Rows[0], stays}
	late.Rows = []store.CheckRow{{CheckKey: x.Rows[0].CheckKey, Blob: []byte("both")}}
	late.Summaries = []store.DayRow{{PartKey: x.Summaries[0].PartKey, Day: h.Day(), Blob: []byte("both")}}
	late.Days, late.Fleet = nil, nil
	must(t, s.FoldChecks(t.Context(), fence, late))
	wantEqual(t, journal(t, s, h, h+1, 7), late.Rows)
	wantEqual(t, bucketDays(t, s, store.DayChecks, 7), x.Days)
	wantEqual(t, bucketDays(t, s, store.DaySummaries, 7), []store.DayRow{late.Summaries[0], x.Summaries[1]})
	wantEqual(t, get[[]store.FleetRow](t)(s.FleetDays(t.Context(), h.Day(), h.Day()+1)), []store.FleetRow{*x.Fleet})
}

func checksFoldedTwice(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	h := theHour()
	x := aFold(h)
	must(t, s.AddChecks(t.Context(), fence, x.Replaces))
	must(t, s.FoldChecks(t.Context(), fence, x))
	again := aFold(h)
	again.Rows[0].Blob, again.Days[0].Blob, again.Fleet.Blob = []byte("2"), []byte("2"), []byte("2")
	again.Replaces = append(again.Replaces, x.Rows[0])
	wantKind(t, s.FoldChecks(t.Context(), fence, again), fault.Conflict)
	wantEqual(t, journal(t, s, h, h+1, 7), x.Rows)
	wantEqual(t, bucketDays(t, s, store.DayChecks, 7), x.Days)
	wantEqual(t, get[[]store.FleetRow](t)(s.FleetDays(t.Context(), h.Day(), h.Day()+1)), []store.FleetRow{*x.Fleet})
}

func checksByDay(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	d := theDay()
	var all []store.DayRow
	for part := history.Part(1); part <= 100; part++ {
		for day := d; day < d+3; day++ {
			all = append(all, aDayRow(7, part, day))
		}
	}
	must(t, s.FoldChecks(t.Context(), fence, store.CheckFold{Days: all, Summaries: all[:3]}))
	must(t, s.FoldChecks(t.Context(), fence, store.CheckFold{Days: []store.DayRow{aDayRow(8, 2, d)}}))
	keys := func(parts ...store.PartKey) (keys []store.PartKey) { return parts }
	read := func(of store.DayKind, parts []store.PartKey, first, end history.Day) []store.DayRow {
		return daysOf(t, func(f func(store.DayRow) error) error {
			return s.CheckDays(t.Context(), store.DaySpan{Kind: of, First: first, End: end}, parts, f)
		})
	}
	wantEqual(t, read(store.DayChecks, keys(all[3].PartKey), d, d+2), all[3:5])
	wantEqual(t, read(store.DayChecks, keys(all[3].PartKey, aDayRow(8, 2, d).PartKey), d, d+1), []store.DayRow{all[3], aDayRow(8, 2, d)})
	wantEqual(t, read(store.DaySummaries, keys(all[0].PartKey, all[3].PartKey), d-10, d+10), all[:3])
	wantEqual(t, read(store.DayChecks, keys(all[0].PartKey), d+3, d+9), []store.DayRow(nil))
	wantEqual(t, read(store.DayChecks, nil, d, d+9), []store.DayRow(nil))
	var every []store.PartKey
	for i := 0; i < len(all); i += 3 {
		every = append(every, all[i].PartKey)
	}
	wantEqual(t, read(store.DayChecks, every, d, d+3), all)
	byPart := daysOf(t, func(f func(store.DayRow) error) error {
		return s.BucketDays(t.Context(), store.DaySpan{Kind: store.DayChecks, First: d + 1, End: d + 2}, 7, f)
	})
	if len(byPart) != 100 {
		t.Fatalf("%d parts", len(byPart))
	}
	for i, r := range byPart {
		wantEqual(t, r, all[3*i+1])
	}
}

func checksOfTheFleet(t *testing.T, db Database) {
	s := db.Open(t, true)
	d := theDay()
	var want []store.FleetRow
	for _, b := range []check.BucketID{0, 7 * shard.BucketsPer, check.Buckets - 1} {
		fence := own(t, s, "a", b)
		for day := d - 1; day <= d+1; day++ {
			row := store.FleetRow{Shard: fence.Shard, Day: day, Blob: fmt.Append(nil, b, day)}
			must(t, s.FoldChecks(t.Context(), fence, store.CheckFold{Fleet: &row}))
			if day <= d {
				want = append(want, row)
			}
		}
	}
	wantEqual(t, get[[]store.FleetRow](t)(s.FleetDays(t.Context(), d-1, d+1)), want)
	wantEqual(t, get[[]store.FleetRow](t)(s.FleetDays(t.Context(), d+2, d+9)), []store.FleetRow(nil))
}

func checksExpire(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	d := theDay()
	first, _ := d.Hours()
	var x store.CheckFold
	for day := d - 3; day <= d; day++ {
		for part := range history.Part(3) {
			x.Days, x.Summaries = append(x.Days, aDayRow(7, part, day)), append(x.Summaries, aDayRow(8, part, day))
		}
		must(t, s.FoldChecks(t.Context(), fence, store.CheckFold{Fleet: &store.FleetRow{Shard: fence.Shard, Day: day, Blob: []byte("x")}}))
	}
	x.Rows = []store.CheckRow{aCheckRow(7, first-1, 0), aCheckRow(7, first-1, 1000), aCheckRow(7, first, 0)}
	must(t, s.FoldChecks(t.Context(), fence, x))
	expire := func(e store.CheckExpiry, limit int) int {
		t.Helper()
		return get[int](t)(s.ExpireChecks(t.Context(), fence, e, limit))
	}
	wantEqual(t, expire(store.CheckExpiry{}, 100), 0)
	wantEqual(t, expire(store.CheckExpiry{Checks: d}, 4), 4)
	wantEqual(t, bucketDays(t, s, store.DayChecks, 7), x.Days[4:])
	wantEqual(t, expire(store.CheckExpiry{Checks: d}, 100), 5+2)
	wantEqual(t, bucketDays(t, s, store.DayChecks, 7), x.Days[9:])
	wantEqual(t, journal(t, s, first-9, first+9, 7), x.Rows[2:])
	wantEqual(t, bucketDays(t, s, store.DaySummaries, 8), x.Summaries)
	wantEqual(t, expire(store.CheckExpiry{Summaries: d - 1}, 7), 7)
	wantEqual(t, expire(store.CheckExpiry{Summaries: d - 1}, 7), 1)
	wantEqual(t, bucketDays(t, s, store.DaySummaries, 8), x.Summaries[6:])
	wantEqual(t, len(get[[]store.FleetRow](t)(s.FleetDays(t.Context(), d-9, d+9))), 2)
	wantEqual(t, expire(store.CheckExpiry{Checks: d, Summaries: d - 1}, 1), 0)
	for _, limit := range []int{0, 1001} {
		_, err := s.ExpireChecks(t.Context(), fence, store.CheckExpiry{Checks: d}, limit)
		wantKind(t, err, fault.Invalid)
	}
}

func checksFenced(t *testing.T, db Database) {
	s := db.Open(t, true)
	old := own(t, s, "a", 7)
	row := aCheckRow(7, theHour(), 1000)
	must(t, s.AddChecks(t.Context(), old, []store.CheckRow{row}))
	must(t, s.FoldChecks(t.Context(), old, store.CheckFold{Days: []store.DayRow{aDayRow(7, 1, theDay()-9)}}))
	mine := own(t, s, "a", 7) // its next life
	elsewhere := own(t, s, "a", 100)
	for _, f := range []shard.Fence{old, elsewhere, {}, {Shard: old.Shard, Node: "b", Term: mine.Term}} {
		wantKind(t, s.AddChecks(t.Context(), f, []store.CheckRow{aCheckRow(7, theHour(), 2000)}), fault.Fenced)
		for _, x := range []store.CheckFold{
			{Replaces: []store.CheckRow{row}}, {Rows: []store.CheckRow{row}},
			{Days: []store.DayRow{aDayRow(7, 1, 1)}}, {Summaries: []store.DayRow{aDayRow(7, 1, 1)}},
			{Fleet: &store.FleetRow{Shard: old.Shard, Day: 1, Blob: []byte("x")}},
		} {
			wantKind(t, s.FoldChecks(t.Context(), f, x), fault.Fenced)
		}
		if f != elsewhere {
			_, err := s.ExpireChecks(t.Context(), f, store.CheckExpiry{Checks: theDay()}, 10)
			wantKind(t, err, fault.Fenced)
		}
	}
	wantEqual(t, get[int](t)(s.ExpireChecks(t.Context(), elsewhere, store.CheckExpiry{Checks: theDay() + 9}, 10)), 0)
	wantEqual(t, journal(t, s, theHour(), theHour()+1, 7), []store.CheckRow{row})
	wantEqual(t, db.Int(t, "SELECT (SELECT COUNT(*) FROM jetmon_check_days) + (SELECT COUNT(*) FROM jetmon_check_summaries) + (SELECT COUNT(*) FROM jetmon_check_fleet)"), int64(1))
}

func checksStopped(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	must(t, s.FoldChecks(t.Context(), fence, store.CheckFold{
		Rows: []store.CheckRow{aCheckRow(7, 5, 0), aCheckRow(7, 6, 0)},
		Days: []store.DayRow{aDayRow(7, 1, 5), aDayRow(7, 2, 5)},
	}))
	stop := errors.New("enough")
	calls := 0
	span := store.DaySpan{Kind: store.DayChecks, End: 10}
	parts := []store.PartKey{{Bucket: 7, Part: 1}, {Bucket: 7, Part: 2}}
	for name, err := range map[string]error{
		"Checks":     s.Checks(t.Context(), []check.BucketID{7}, 0, 10, func(store.CheckRow) error { calls++; return stop }),
		"CheckDays":  s.CheckDays(t.Context(), span, parts, func(store.DayRow) error { calls++; return stop }),
		"BucketDays": s.BucketDays(t.Context(), span, 7, func(store.DayRow) error { calls++; return stop }),
	} {
		if err != stop { //nolint:errorlint // unchanged
			t.Errorf("%s: %v", name, err)
		}
	}
	wantEqual(t, calls, 3)
}

func checksRace(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	for round := range history.Hour(3) {
		x := aFold(theHour() + round)
		must(t, s.AddChecks(t.Context(), fence, x.Replaces))
		won, lost := race(t, db, func(n int, s store.Store) error {
			mine := x
			mine.Rows = []store.CheckRow{aCheckRow(7, theHour()+round, int64(n))}
			return s.FoldChecks(t.Context(), fence, mine)
		})
		wantOneWinner(t, won, lost, fault.Conflict)
		if rows := journal(t, s, theHour()+round, theHour()+round+1, 7); len(rows) != 1 {
			t.Errorf("%d rows are left", len(rows))
		}
	}
}

package logbook_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// bench is a logbook with a clock that the test sets.
type bench struct {
	*logbook.Logbook
	t      *testing.T
	store  *shaky
	desk   *desk
	shards holder
	reader *logbook.Reader
	now    time.Time
	log    *bytes.Buffer
	read   *bytes.Buffer // the log of the reader
	folded []logbook.Folded
}

func noon() time.Time { return time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC) }

func newBench(t *testing.T, s *shaky) *bench {
	t.Helper()
	b := &bench{t: t, store: s, desk: newDesk(), shards: holder{0: claim(t, s, "a", 0, noon())}, now: noon(), log: new(bytes.Buffer), read: new(bytes.Buffer)}
	b.Logbook = newLogbook(t, logbook.Options{
		Engine: b.desk, Store: s, Shards: b.shards, Clock: func() time.Time { return b.now },
		OnFold: func(_ context.Context, f logbook.Folded) { b.folded = append(b.folded, f) },
		Log:    slog.New(slog.NewTextHandler(b.log, nil)), Metrics: prometheus.NewRegistry(),
	})
	b.reader = logbook.NewReader(s.Store, slog.New(slog.NewTextHandler(b.read, nil)))
	b.reader.SetClock(func() time.Time { return b.now })
	return b
}

const aSite = check.SiteID(5)

// site is a site of bucket 3, with a check each minute.
func site(id check.SiteID) record.Site {
	return record.Site{ID: id, BlogID: 1, Bucket: 3, URL: "https://a.example/", Interval: time.Minute}
}

// note notes checks of a site for all turns of some time.
func (b *bench) note(id check.SiteID, from time.Time, d time.Duration, code history.Code) (turns int) {
	s := site(id)
	for n := schedule.TurnBefore(id, s.Interval, from.Add(-1)) + 1; schedule.TurnTime(id, s.Interval, n).Before(from.Add(d)); n++ {
		b.desk.note(s.Bucket, history.Note{Site: id, Turn: uint32(n), Interval: 60, Code: code})
		turns++
	}
	return turns
}

// codes reads the codes of a site in some time, None included where a strip has them.
func (b *bench) codes(id check.SiteID, from, to time.Time) (codes []history.Code) {
	b.t.Helper()
	sheet, _, err := b.reader.Turns(b.t.Context(), site(id), from, to)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, s := range sheet.Strips {
		codes = append(codes, s.Codes...)
	}
	return codes
}

func (b *bench) want(codes []history.Code, n int, c history.Code) {
	b.t.Helper()
	if len(codes) != n || slices.ContainsFunc(codes, func(x history.Code) bool { return x != c }) {
		b.t.Errorf("%d codes, %v; want %d of %d", len(codes), codes, n, c)
	}
}

// rows counts the rows of the journal.
func (b *bench) rows() (n int) {
	b.t.Helper()
	err := b.store.Store.Checks(b.t.Context(), []check.BucketID{3}, 0, 1<<30, func(store.CheckRow) error { n++; return nil })
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func TestWhatIsNotedIsReadAfterAFlush(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *shaky) {
		b := newBench(t, s)
		n := b.note(aSite, noon(), 10*time.Minute, 77)
		b.now = noon().Add(10 * time.Minute)
		b.want(b.codes(aSite, noon(), b.now), 0, 0)
		b.Flush(t.Context(), 0)
		b.want(b.codes(aSite, noon(), b.now), n, 77)
		b.want(b.codes(aSite+1, noon(), b.now), 0, 0)
		_, until, err := b.reader.Turns(t.Context(), site(aSite), noon(), b.now.Add(time.Hour))
		if err != nil || until.After(b.now) || until.Before(b.now.Add(-time.Minute)) {
			t.Errorf("known until %v at %v, %v", until, b.now, err)
		}
		b.now = b.now.Add(time.Hour) // the coordinator is silent
		if _, until, _ = b.reader.Turns(t.Context(), site(aSite), noon(), b.now); !until.Equal(b.now.Add(-15 * time.Minute)) {
			t.Errorf("known until %v at %v", until, b.now)
		}
	})
}

// A coordinator that flushes every second must not number its rows into the future.
func TestHoweverOftenItFlushesNothingIsKnownBeforeItIsWritten(t *testing.T) {
	t.Parallel()
	s := openStore(t, "sqlite:"+t.TempDir()+"/jetmon.db")
	b := newBench(t, s)
	for range 300 {
		b.note(aSite, b.now.Truncate(time.Minute), time.Minute, 77)
		b.now = b.now.Add(100 * time.Millisecond)
		b.Flush(t.Context(), 0)
	}
	_, until, err := b.reader.Turns(t.Context(), site(aSite), noon(), b.now.Add(time.Hour))
	if lag := b.now.Sub(until); err != nil || lag < 20*time.Second || lag > time.Minute {
		t.Errorf("known until %v at %v, %v", until, b.now, err)
	}
}

func TestNothingIsWrittenWhenNothingIsNotedAndNothingIsOver(t *testing.T) {
	t.Parallel()
	s := openStore(t, "sqlite:"+t.TempDir()+"/jetmon.db")
	b := newBench(t, s)
	for range 10 {
		b.now = b.now.Add(time.Hour)
		b.Tend(t.Context(), 0)
	}
	if s.writes != 0 {
		t.Errorf("%d writes", s.writes)
	}
	b.note(aSite, b.now, 10*time.Minute, 77)
	b.now = b.now.Add(10 * time.Minute)
	b.Tend(t.Context(), 0)
	b.Tend(t.Context(), 0)
	if s.writes != 1 {
		t.Errorf("%d writes for ten checks", s.writes)
	}
}

func TestAnHourIsFoldedOnceItIsOverAndADayEightHoursLater(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *shaky) {
		b := newBench(t, s)
		n := 0
		for range 6 {
			n += b.note(aSite, b.now, 10*time.Minute, 77)
			b.now = b.now.Add(10 * time.Minute)
			b.Tend(t.Context(), 0)
		}
		if b.rows() != 6 || len(b.folded) != 0 {
			t.Errorf("%d rows, %d folds before the hour is over", b.rows(), len(b.folded))
		}
		b.now = b.now.Add(3 * time.Minute)
		b.Tend(t.Context(), 0)
		if b.rows() != 1 || len(b.folded) != 1 {
			t.Fatalf("%d rows, %d folds after it", b.rows(), len(b.folded))
		}
		f := b.folded[0]
		if sums := f.Day[history.PartOf(aSite)]; f.Bucket != 3 || f.End != history.HourOf(noon())+1 || f.Again || len(sums.Sites) != 1 || len(f.Checks.Strips) != 1 {
			t.Errorf("folded %+v", f)
		}
		b.want(b.codes(aSite, noon(), b.now), n, 77)
		b.now = noon().Add(19*time.Hour + 2*time.Minute)
		b.Tend(t.Context(), 0)
		if b.rows() != 1 {
			t.Errorf("%d rows seven hours after the end of the day", b.rows())
		}
		b.now = b.now.Add(time.Minute)
		b.Tend(t.Context(), 0)
		if b.rows() != 0 {
			t.Errorf("%d rows after the fold of the day", b.rows())
		}
		b.want(b.codes(aSite, noon().Add(-time.Hour), b.now), n, 77)
		found := 0
		until, err := b.reader.Days(t.Context(), []record.Site{site(aSite)}, history.DayOf(noon()), history.DayOf(noon())+1, func(id check.SiteID, _ history.Day, sums []history.Summary) {
			found++
			if id != aSite || len(sums) != 1 || sums[0].Turns != 24*60 || sums[0].Week != 77 {
				t.Errorf("%+v", sums)
			}
		})
		if err != nil || found != 1 || !until.Equal((history.DayOf(noon()) + 1).Start()) {
			t.Errorf("%d summaries until %v, %v", found, until, err)
		}
	})
}

func TestWhatTheDatabaseCannotTakeWaitsAndTheOldestGoesFirst(t *testing.T) {
	t.Parallel()
	s := openStore(t, "sqlite:"+t.TempDir()+"/jetmon.db")
	b := newBench(t, s)
	s.away = true
	n := 0
	for range 12 {
		n += b.note(aSite, b.now, 10*time.Minute, 77)
		b.now = b.now.Add(10 * time.Minute)
		b.Tend(t.Context(), 0)
	}
	if rows, bytes := b.Waiting(); rows != 12 || bytes == 0 || bytes > 12*200 {
		t.Errorf("%d rows of %d bytes wait", rows, bytes)
	}
	s.away = false
	b.Tend(t.Context(), 0)
	if rows, bytes := b.Waiting(); rows != 0 || bytes != 0 {
		t.Errorf("%d rows of %d bytes wait", rows, bytes)
	}
	b.want(b.codes(aSite, noon(), b.now), n, 77)
	if text := b.log.String(); strings.Count(text, "level=WARN") != 2 || !strings.Contains(text, "writing the history of checks failed") || !strings.Contains(text, "recovered") {
		t.Errorf("logged:\n%s", text)
	}
}

func TestALostShardsChecksAreDroppedAndANodeThatOwnsNothingTakesNothing(t *testing.T) {
	t.Parallel()
	s := openStore(t, "sqlite:"+t.TempDir()+"/jetmon.db")
	b := newBench(t, s)
	b.note(aSite, noon(), 10*time.Minute, 77)
	claim(t, s, "b", 0, noon().Add(time.Hour))
	b.now = noon().Add(10 * time.Minute)
	b.Flush(t.Context(), 0)
	if rows, _ := b.Waiting(); rows != 0 || b.Dropped() != 1 || b.rows() != 0 {
		t.Errorf("%d rows wait, %d dropped, %d written", rows, b.Dropped(), b.rows())
	}
	delete(b.shards, 0)
	b.note(aSite, noon(), 10*time.Minute, 77)
	b.Flush(t.Context(), 0)
	if taken := b.desk.TakeNotes(0); taken.Regions == nil {
		t.Error("the notes are gone")
	} else {
		n := 0
		taken.Notes(3, func(notes []history.Note) { n += len(notes) })
		if n != 10 {
			t.Errorf("%d notes are left", n)
		}
	}
}

func TestAnHourOfAClockThatIsFarAheadIsNotWritten(t *testing.T) {
	t.Parallel()
	s := openStore(t, "sqlite:"+t.TempDir()+"/jetmon.db")
	b := newBench(t, s)
	b.note(aSite, noon().Add(48*time.Hour), 10*time.Minute, 77)
	n := b.note(aSite, noon().Add(time.Hour), 10*time.Minute, 78)
	b.Flush(t.Context(), 0)
	b.want(b.codes(aSite, noon(), noon().Add(2*time.Hour)), n, 78)
	b.want(b.codes(aSite, noon().Add(24*time.Hour), noon().Add(72*time.Hour)), 0, 0)
	if b.Dropped() != 1 || !strings.Contains(b.log.String(), "its time is not now") {
		t.Errorf("%d dropped; logged:\n%s", b.Dropped(), b.log)
	}
}

func TestTheEndOfRunFlushesAllShards(t *testing.T) {
	t.Parallel()
	s := openStore(t, "sqlite:"+t.TempDir()+"/jetmon.db")
	b := newBench(t, s)
	n := b.note(aSite, noon(), 10*time.Minute, 77)
	b.now = noon().Add(10 * time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Run(ctx); err != nil {
		t.Fatal(err)
	}
	b.want(b.codes(aSite, noon(), b.now), n, 77)
}

func TestFailuresInPlannedMaintenanceAreThat(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *shaky) {
		b := newBench(t, s)
		row, err := s.CreateSite(t.Context(), record.Site{BlogID: 1, Bucket: 3, URL: "https://a.example/", Interval: time.Minute, Tags: []string{"shop"}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.CreateMaintenance(t.Context(), store.MaintenanceKey{}, record.Maintenance{
			Name: "move", Covers: record.Covers{Tag: "shop"}, Start: noon().Add(5 * time.Minute), Duration: time.Hour,
		}, func(record.Maintenance) record.Audit { return record.Audit{Method: "x"} })
		if err != nil {
			t.Fatal(err)
		}
		b.note(row.ID, noon(), 10*time.Minute, history.Failed)
		b.note(row.ID+1, noon(), 10*time.Minute, history.Failed)
		b.now = noon().Add(10 * time.Minute)
		b.Flush(t.Context(), 0)
		codes := b.codes(row.ID, noon(), b.now)
		b.want(codes[:5], 5, history.Failed)
		b.want(codes[5:], 5, history.Maintenance)
		b.want(b.codes(row.ID+1, noon(), b.now), 10, history.Failed)
	})
}

func TestTheFiguresAreShown(t *testing.T) {
	t.Parallel()
	s := openStore(t, "sqlite:"+t.TempDir()+"/jetmon.db")
	b := newBench(t, s)
	r := prometheus.NewRegistry()
	l := newLogbook(t, logbook.Options{Engine: b.desk, Store: s, Shards: b.shards, Clock: func() time.Time { return b.now }, Metrics: r})
	b.note(aSite, noon(), 10*time.Minute, 77)
	s.away = true
	l.Flush(t.Context(), 0)
	_, bytes := l.Waiting()
	if got := gauge(t, r, "jetmon_history_waiting_bytes"); int(got) != bytes || bytes == 0 {
		t.Errorf("%v bytes wait, and %d do", got, bytes)
	}
	s.away = false
	l.Flush(t.Context(), 0)
	if got := gauge(t, r, "jetmon_history_written_bytes_total"); int(got) != bytes {
		t.Errorf("%v bytes written, of %d", got, bytes)
	}
	if all, err := r.Gather(); err != nil || len(all) != 5 {
		t.Errorf("%d figures, %v", len(all), err)
	}
}

func gauge(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if m := f.GetMetric()[0]; f.GetName() == name {
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

package logbook_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
)

func TestHistoryBeginsWithTheFirstFlush(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *shaky) {
		now := time.Date(2026, 3, 4, 10, 30, 0, 0, time.UTC)
		clock := func() time.Time { return now }
		reader := logbook.NewReader(s.Store, slog.New(slog.NewTextHandler(io.Discard, nil)))
		reader.SetClock(clock)
		if since, err := reader.Since(t.Context()); err != nil || !since.IsZero() {
			t.Fatalf("nothing is kept since %v, %v", since, err)
		}
		const shard = 0
		d := newDesk()
		l := newLogbook(t, logbook.Options{Engine: d, Store: s, Shards: holder{shard: claim(t, s, "a", shard, now)}, Clock: clock})
		turn, seconds, _ := history.Noted(7, time.Minute, now.Add(-time.Minute), now)
		d.note(3, history.Note{Site: 7, Turn: turn, Interval: seconds, Code: history.Took(time.Second)})
		l.Flush(t.Context(), shard)
		now = now.Add(time.Minute)
		since, err := reader.Since(t.Context())
		if ago := now.Sub(since); err != nil || ago < time.Minute || ago > logbook.DefaultFlushEvery+time.Minute {
			t.Errorf("at %v turns are kept since %v, %v", now, since, err)
		}
	})
}

package logbook_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
	"github.com/Automattic/jetmon/internal/check"
)

// Flushes may come one after the other, and a clock may be set back: what has not been flushed
// is not known.
func TestNothingIsKnownThatHasNotBeenFlushed(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *shaky) {
		now := time.Date(2026, 3, 4, 10, 30, 0, 0, time.UTC)
		clock := func() time.Time { return now }
		reader := logbook.NewReader(s.Store, slog.New(slog.NewTextHandler(io.Discard, nil)))
		reader.SetClock(clock)
		fences := holder{}
		for id := range shard.ID(shard.Count) {
			fences[id] = claim(t, s, "a", id, now)
		}
		d := newDesk()
		l := newLogbook(t, logbook.Options{Engine: d, Store: s, Shards: fences, Clock: clock})
		flushAll := func() {
			for id := range shard.ID(shard.Count) {
				site, bucket := check.SiteID(id)+1, check.BucketID(int(id)*shard.BucketsPer)
				turn, seconds, _ := history.Noted(site, time.Minute, time.Time{}, now)
				d.note(bucket, history.Note{Site: site, Turn: turn, Interval: seconds, Code: history.Took(time.Second)})
				l.Flush(t.Context(), id)
			}
		}
		knownUntil := func() time.Time {
			last := shard.ID(shard.Count - 1)
			site := record.Site{ID: check.SiteID(last) + 1, Bucket: check.BucketID(int(last) * shard.BucketsPer)}
			_, until, err := reader.Turns(t.Context(), site, now.Add(-time.Hour), now.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			return until
		}
		for range 5 {
			flushAll()
			now = now.Add(time.Second)
		}
		if ago := now.Sub(knownUntil()); ago < 30*time.Second || ago > time.Minute {
			t.Errorf("a second after a flush turns are known until %v ago", ago)
		}
		now = now.Add(-20 * time.Minute)
		flushAll()
		if ago := now.Sub(knownUntil()); ago < 30*time.Second || ago > 16*time.Minute {
			t.Errorf("on a clock that was set back turns are known until %v ago", ago)
		}
	})
}

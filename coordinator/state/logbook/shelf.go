package logbook

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// shelf opens blobs. One that is damaged is logged once, counted, and left out.
type shelf struct {
	*press
	log     *slog.Logger
	damaged atomic.Uint64

	mu sync.Mutex
	// seen are the places of damaged rows that have been logged, at most maxSeen.
	seen map[place]bool
}

const maxSeen = 1000

// place is where a row lies.
type place struct {
	kind   string
	bucket check.BucketID
	shard  shard.ID
	part   history.Part
	n      int64
	at     int32 // hour or day
}

func newShelf(log *slog.Logger) *shelf {
	return &shelf{press: newPress(), log: log, seen: map[place]bool{}}
}

// note counts a damaged row, and logs it the first time.
func (s *shelf) note(p place, err error, attributes ...any) {
	s.damaged.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[p] || len(s.seen) == maxSeen {
		return
	}
	s.seen[p] = true
	s.log.Error("history damaged, a gap is left", append([]any{"kind", p.kind}, append(attributes, "error", err)...)...)
}

func (s *shelf) noteRow(r store.CheckRow, err error) {
	s.note(place{kind: "hour", bucket: r.Bucket, at: int32(r.Hour), n: r.N}, err, "bucket", r.Bucket, "hour", r.Hour.Start(), "row", r.N)
}

func (s *shelf) noteDay(kind string, r store.DayRow, err error) {
	s.note(place{kind: kind, bucket: r.Bucket, part: r.Part, at: int32(r.Day)}, err, "bucket", r.Bucket, "part", int64(r.Part), "day", r.Day.Start())
}

// sheet opens a row of the journal; nil when it is damaged.
func (s *shelf) sheet(r store.CheckRow) (sheet *history.Sheet) {
	err := s.open(r.Blob, func(b []byte) (err error) {
		sheet, err = history.ParseSheet(b)
		return err
	})
	if err != nil {
		s.noteRow(r, err)
		return nil
	}
	return sheet
}

// strips opens a row of the journal and finds one site; nil when it is damaged.
func (s *shelf) strips(r store.CheckRow, site check.SiteID) *history.Sheet {
	sheet, err := s.find(r.Blob, site)
	if err != nil {
		s.noteRow(r, err)
	}
	return sheet
}

func (s *shelf) find(blob []byte, site check.SiteID) (*history.Sheet, error) {
	x := new(history.Sheet)
	err := s.open(blob, func(b []byte) (err error) {
		x.Strips, x.Regions, err = history.FindStrips(b, site)
		return err
	})
	if err != nil {
		return nil, err
	}
	return x, nil
}

// day opens the turns of a part; nil when they are damaged.
func (s *shelf) day(r store.DayRow) (sheet *history.Sheet) {
	err := s.open(r.Blob, func(b []byte) (err error) {
		sheet, err = history.ParseSheet(b)
		return err
	})
	if err != nil {
		s.noteDay("day", r, err)
		return nil
	}
	return sheet
}

// dayStrips opens the turns of a part and finds one site; nil when they are damaged.
func (s *shelf) dayStrips(r store.DayRow, site check.SiteID) *history.Sheet {
	sheet, err := s.find(r.Blob, site)
	if err != nil {
		s.noteDay("day", r, err)
	}
	return sheet
}

// summaries opens the summaries of a part; nil when they are damaged.
func (s *shelf) summaries(r store.DayRow) (sums *history.Summaries) {
	err := s.open(r.Blob, func(b []byte) (err error) {
		sums, err = history.ParseSummaries(b)
		return err
	})
	if err != nil {
		s.noteDay("summaries", r, err)
		return nil
	}
	return sums
}

// fleet opens the counts of a shard; nil when they are damaged.
func (s *shelf) fleet(r store.FleetRow) (f *history.Fleet) {
	err := s.open(r.Blob, func(b []byte) (err error) {
		f, err = history.ParseFleet(b)
		return err
	})
	if err != nil {
		s.note(place{kind: "fleet", shard: r.Shard, at: int32(r.Day)}, err, "shard", r.Shard, "day", r.Day.Start())
		return nil
	}
	return f
}

package coordinator_test

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// pen writes notes as the engine of another coordinator that had the shard before.
type pen struct {
	shard.Holder
	fence shard.Fence
	book  *history.Book
}

func (p *pen) Fence(s shard.ID) (shard.Fence, bool) { return p.fence, s == p.fence.Shard }
func (p *pen) TakeNotes(s shard.ID) history.Taken   { return p.book.Take(s) }
func (p *pen) ReuseNotes(t history.Taken)           { p.book.Reuse(t) }
func (p *pen) note(row record.Site, hour history.Hour, d time.Duration) {
	p.noteCode(row, hour, history.Took(d))
}

// noteCode notes all turns of an hour.
func (p *pen) noteCode(row record.Site, hour history.Hour, code history.Code) {
	for turn := schedule.TurnBefore(row.ID, row.Interval, hour.Start().Add(-1)) + 1; schedule.TurnTime(row.ID, row.Interval, turn).Before((hour + 1).Start()); turn++ {
		p.book.Note(row.Bucket, history.Note{Site: row.ID, Turn: uint32(turn), Interval: uint16(row.Interval / time.Second), Code: code})
	}
}

// lastShard is a blog whose sites are in the shard whose turn to be folded comes last, long after
// the sites have been loaded: the engine remarks those that it knows.
const lastShard = check.Buckets - 1

// A site that has answered within 400 ms for days and takes two seconds yesterday from 3 o'clock on
// is remarked at 5, when the second of those hours is over. One that was remarked the day before and
// was as usual is no longer remarked two hours later. One that was always slow is not remarked, nor is a new one.
func TestASiteThatBecomesSlowIsRemarkedWhenItsHoursAreFolded(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*coordinator.Options){"SQLite": func(*coordinator.Options) {}, "MariaDB": onMariaDB(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := startWith(t, func(o *coordinator.Options) {
				open(o)
				o.History.Off = true
			})
			before.ready(t)
			create := func(host string) int64 {
				made, err := monitorv1.NewSiteServiceClient(before.conn).CreateSite(t.Context(), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: lastShard, Url: "http://" + host + "/"}})
				if err != nil {
					t.Fatal(err)
				}
				return made.GetSite().GetSiteId()
			}
			slower, quick, always, fresh := create("slower.example"), create("quick.example"), create("always.example"), create("fresh.example")
			yesterday := history.DayOf(time.Now()) - 1
			for i, id := range []int64{slower, always, fresh, quick} {
				row, fence := before.row(t, id)
				p := &pen{fence: fence, book: history.NewBook()}
				for day := yesterday - 4; day <= yesterday; day++ {
					first, end := day.Hours()
					for hour := first; hour < end; hour++ {
						took := 400 * time.Millisecond
						switch at := hour - first; {
						case i == 1:
							took = 5 * time.Second
						case i == 2 && day < yesterday-1:
							continue
						case i != 3 && day == yesterday && at >= 3:
							took = 2 * time.Second
						}
						p.note(row, hour, took)
					}
				}
				l, err := logbook.New(logbook.Options{Engine: p, Store: before.store, Shards: p, Log: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				l.Flush(t.Context(), fence.Shard)
			}
			row, fence := before.row(t, quick)
			if err := before.store.Remark(t.Context(), fence, []record.Remark{{
				SiteID: row.ID, Bucket: row.Bucket, URL: row.URL, Advisory: check.AdvisorySlowerThanUsual, Open: true, At: (yesterday - 1).Start(), Detail: "before",
			}}); err != nil {
				t.Fatal(err)
			}
			if err := before.stop(); err != nil {
				t.Fatal(err)
			}
			r := startWith(t, func(o *coordinator.Options) { o.Store, o.History.FlushEvery = before.store, 5*time.Second })
			r.ready(t)
			var seen []string
			stream, err := monitorv1.NewChangeServiceClient(r.conn).WatchChanges(t.Context(), &monitorv1.WatchChangesRequest{
				FromStart: true, Types: []monitorv1.EventType{monitorv1.EventType_EVENT_TYPE_ADVISORY_OPENED, monitorv1.EventType_EVENT_TYPE_ADVISORY_CLOSED},
			})
			if err != nil {
				t.Fatal(err)
			}
			for len(seen) < 3 {
				resp, err := stream.Recv()
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range resp.GetEvents() {
					if e.GetAdvisory().GetAdvisory() != checkv1.Advisory_ADVISORY_SLOWER_THAN_USUAL {
						t.Errorf("another event: %v", e)
					}
					seen = append(seen, fmt.Sprintf("%s %s %s %s", e.GetSite().GetUrl(), e.GetType(), e.GetEventTime().AsTime().Sub(yesterday.Start()), e.GetAdvisory().GetDetail()))
				}
			}
			slices.Sort(seen)
			if want := []string{
				"http://quick.example/ EVENT_TYPE_ADVISORY_CLOSED -22h0m0s before",
				"http://quick.example/ EVENT_TYPE_ADVISORY_OPENED -24h0m0s before",
				"http://slower.example/ EVENT_TYPE_ADVISORY_OPENED 5h0m0s half of the checks of an hour took 2.02s or more, 5.0 times the 404ms of the week before",
			}; !slices.Equal(seen, want) {
				t.Errorf("events %q, want %q", seen, want)
			}
		})
	}
}

package logbook

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// Days calls f with the summaries of up to 1,000 sites of each day from one up to another, without
// end, that has some; of a site by rising day. It returns until when they are: the end of the last
// hour that has been summed up for all of them. Turns before that without a summary are none.
func (r *Reader) Days(ctx context.Context, sites []record.Site, from, to history.Day, f func(check.SiteID, history.Day, []history.Summary)) (time.Time, error) {
	if from >= to {
		return to.Start(), nil
	}
	wanted := map[store.PartKey][]check.SiteID{}
	for _, s := range sites {
		key := store.PartKey{Bucket: s.Bucket, Part: history.PartOf(s.ID)}
		wanted[key] = append(wanted[key], s.ID)
	}
	parts := make([]store.PartKey, 0, len(wanted))
	for key, ids := range wanted {
		parts = append(parts, key)
		slices.Sort(ids)
	}
	slices.SortFunc(parts, func(a, b store.PartKey) int {
		return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Part, b.Part))
	})
	d := days{shelf: r.shelf, known: r.summedUp(), wanted: wanted, f: f}
	d.until = max(d.known, history.HourOf(r.now()))
	span := store.DaySpan{Kind: store.DaySummaries, First: from, End: to}
	if err := r.store.CheckDays(ctx, span, parts, d.row); err != nil {
		return time.Time{}, err
	}
	if len(d.open) < len(parts) {
		d.until = d.known // of some nothing is there
	}
	d.rest()
	end, _ := to.Hours()
	return min(end, d.until).Start(), nil
}

// days picks the summaries of some sites out of those of parts.
type days struct {
	shelf *shelf
	// known is the hour before which everything has been summed up; what is not there is none.
	// until is the one before which it is for all sites.
	known, until history.Hour
	wanted       map[store.PartKey][]check.SiteID
	f            func(check.SiteID, history.Day, []history.Summary)
	// open are the rows of days that are not over, which wait until it is known until when.
	open []openDay
}

type openDay struct {
	day  history.Day
	sums history.Summaries
}

func (d *days) row(r store.DayRow) error {
	sums := history.Summaries{}
	found, until, err := d.find(r)
	if err != nil {
		d.shelf.noteDay("summaries", r, err)
		return nil
	}
	sums.Sites, sums.Until = found, until
	if _, end := r.Day.Hours(); end > d.known {
		d.until = min(d.until, max(d.known, until))
		d.open = append(d.open, openDay{r.Day, sums})
		return nil
	}
	d.pass(r.Day, &sums, d.known)
	return nil
}

// find reads the summaries of the sites of a part that are wanted.
func (d *days) find(r store.DayRow) (found []history.Summary, until history.Hour, err error) {
	err = d.shelf.open(r.Blob, func(b []byte) (err error) {
		found, until, err = history.FindSummaries(b, d.wanted[r.PartKey]...)
		return err
	})
	return found, until, err
}

// rest passes the days that are not over.
func (d *days) rest() {
	for i := range d.open {
		d.pass(d.open[i].day, &d.open[i].sums, d.until)
	}
}

// pass brings summaries on to an hour, with turns of which nobody knows, and passes them on.
func (d *days) pass(day history.Day, s *history.Summaries, until history.Hour) {
	if _, end := day.Hours(); s.Until < min(end, until) {
		s.Add(min(end, until), new(history.Sheet))
	}
	for len(s.Sites) > 0 {
		n := 1
		for n < len(s.Sites) && s.Sites[n].Site == s.Sites[0].Site {
			n++
		}
		d.f(s.Sites[0].Site, day, s.Sites[:n:n])
		s.Sites = s.Sites[n:]
	}
}

package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// remarked returns what the store was told since the last call, as "+slow@URL" and "-slow@URL".
func (w *world) remarked() (out []string) {
	for _, r := range w.engine.UnwrittenRemarks(shard.Of(row().Bucket), 100) {
		sign := "-"
		if r.Open {
			sign = "+"
		}
		out = append(out, fmt.Sprintf("%s%d@%s", sign, r.Advisory, r.URL))
	}
	return out
}

// says has a checker make n checks that see some remarks.
func (w *world) says(c *checker, n int, remarks ...check.Advisory) {
	w.t.Helper()
	for range n {
		w.pass(time.Minute, c)
		if c.answer(check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200, Advisories: remarks}) != 1 {
			w.t.Fatal("no check was out")
		}
	}
}

func (w *world) wantRemarked(want ...string) {
	w.t.Helper()
	if got := w.remarked(); !slices.Equal(got, want) {
		w.t.Errorf("the store is told %v, want %v", got, want)
	}
}

func TestRemarksOpenAndCloseWithAndWithoutACase(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]check.Advisory{"no case": check.AdvisoryTLSDeprecated, "a case": check.AdvisoryTLSInvalid} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.join("a")
			w.engine.Put(w.now, row())
			w.says(c, 2, a)
			w.wantRemarked()
			w.says(c, 2, a)
			w.wantRemarked(fmt.Sprintf("+%d@%s", a, row().URL))
			w.says(c, 2)
			if open := w.engine.remarks.Open(42); !slices.Equal(open, []check.Advisory{a}) {
				t.Errorf("open are %v", open)
			}
			w.says(c, 2)
			w.wantRemarked(fmt.Sprintf("-%d@%s", a, row().URL))
			if w.engine.sites.Entry(w.slot()).Remarked() || len(w.engine.cases.open) != 0 {
				t.Error("a site without remarks still costs something")
			}
		})
	}
}

func TestRemarksEndWithTheSiteOrItsURL(t *testing.T) {
	t.Parallel()
	const slow = check.AdvisorySlow
	opened, closed := fmt.Sprintf("+%d@%s", slow, row().URL), fmt.Sprintf("-%d@%s", slow, row().URL)
	for name, tt := range map[string]struct {
		do   func(w *world)
		want []string
	}{
		"deleted through the API": {func(w *world) { w.engine.Remove(w.now, 42) }, []string{closed}},
		"deleted in the table": {func(w *world) {
			putBucket(w.engine, w.now.Add(time.Hour), row().Bucket, nil)
		}, []string{closed}},
		"another URL": {func(w *world) {
			r := row()
			r.URL = "https://elsewhere.example/"
			w.engine.Put(w.now.Add(time.Second), r)
		}, []string{closed}},
		"paused": {func(w *world) {
			r := row()
			r.Paused = true
			w.engine.Put(w.now.Add(time.Second), r)
		}, nil},
		"the shard was lost": {func(w *world) { w.engine.DropShard(shard.Of(row().Bucket)) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.join("a")
			w.engine.Put(w.now, row())
			w.says(c, 3, slow)
			w.wantRemarked(opened)
			tt.do(w)
			w.wantRemarked(tt.want...)
		})
	}
}

// The next owner of a shard goes on from what is open in the store, and does not open it again.
func TestTheNextOwnerKnowsWhatIsOpen(t *testing.T) {
	t.Parallel()
	open := []record.Remark{
		{SiteID: 42, Bucket: row().Bucket, Advisory: check.AdvisoryTLSDeprecated},
		{SiteID: 43, Bucket: row().Bucket, Advisory: check.AdvisoryTLSDeprecated}, // its site is gone
	}
	w := newWorld(t)
	c := w.join("a")
	w.engine.RecallRemarks(open)
	putBucket(w.engine, w.now, row().Bucket, []record.Site{row()})
	w.engine.Recalled(shard.Of(row().Bucket))
	w.wantRemarked(fmt.Sprintf("-%d@", check.AdvisoryTLSDeprecated))
	w.says(c, 5, check.AdvisoryTLSDeprecated)
	w.wantRemarked()
	w.says(c, 3)
	w.wantRemarked(fmt.Sprintf("-%d@%s", check.AdvisoryTLSDeprecated, row().URL))
}

// A shard is loaded without the sites that are paused: nobody has looked at them, and what is
// remarked about them stays.
func TestRemarksOutlastAPauseAndAnotherOwner(t *testing.T) {
	t.Parallel()
	const slow = check.AdvisorySlow
	resumed, moved := row(), row()
	resumed.ID = 43
	moved.ID, moved.URL = 44, "https://elsewhere.example/"
	w := newWorld(t)
	w.engine.RecallRemarks([]record.Remark{
		{SiteID: 42, Bucket: row().Bucket, URL: row().URL, Advisory: slow, Paused: true},
		{SiteID: 43, Bucket: row().Bucket, URL: row().URL, Advisory: slow, Paused: true},
		{SiteID: 44, Bucket: row().Bucket, URL: row().URL, Advisory: slow, Paused: true},
	})
	putBucket(w.engine, w.now, row().Bucket, nil)
	w.engine.Recalled(shard.Of(row().Bucket))
	w.wantRemarked()
	w.engine.Put(w.now.Add(time.Second), resumed)
	w.wantRemarked()
	w.engine.Put(w.now.Add(time.Second), moved)
	w.wantRemarked(fmt.Sprintf("-%d@%s", slow, moved.URL))
	w.engine.Remove(w.now.Add(time.Second), 42)
	w.wantRemarked(fmt.Sprintf("-%d@", slow))
}

func TestRemarksThatCouldNotBeWrittenAreWrittenLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.join("a")
	w.engine.Put(w.now, row())
	w.says(c, 3, check.AdvisoryTLSDeprecated)
	of := shard.Of(row().Bucket)
	w.engine.GiveBackRemarks(of, w.engine.UnwrittenRemarks(of, 10))
	w.wantRemarked(fmt.Sprintf("+%d@%s", check.AdvisoryTLSDeprecated, row().URL))
}

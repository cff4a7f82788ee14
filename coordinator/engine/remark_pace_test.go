package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/advisory"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// pace has an hour of the site end.
func (w *world) pace(p advisory.Pace) {
	w.engine.NotePaces([]SitePace{{Site: 42, Pace: p, At: w.now, Detail: "slow"}, {Site: 43, Pace: advisory.PaceSlower, At: w.now}})
}

// Checks and hours remark beside each other: neither takes back what the other one says.
func TestASlowSiteIsRemarkedByItsChecksAndByItsHours(t *testing.T) {
	t.Parallel()
	const slow, slower = check.AdvisorySlow, check.AdvisorySlowerThanUsual
	plus, minus := "+%d@"+row().URL, "-%d@"+row().URL
	w := newWorld(t)
	c := w.join("a")
	w.engine.Put(w.now, row())
	w.pace(advisory.PaceUsual)
	if w.engine.sites.Entry(w.slot()).Remarked() {
		t.Error("a site that is as usual costs something")
	}
	w.pace(advisory.PaceSlower)
	w.says(c, 12)
	w.wantRemarked()
	w.pace(advisory.PaceSlower)
	w.wantRemarked(fmt.Sprintf(plus, slower))
	w.says(c, 3, slow)
	w.wantRemarked(fmt.Sprintf(plus, slow))
	w.says(c, 6)
	w.wantRemarked(fmt.Sprintf(minus, slow))
	w.pace(advisory.PaceUsual)
	w.says(c, 12)
	w.wantRemarked()
	w.pace(advisory.PaceUsual)
	w.wantRemarked(fmt.Sprintf(minus, slower))
	if w.engine.sites.Entry(w.slot()).Remarked() {
		t.Error("a site without remarks still costs something")
	}
}

// The next owner of a shard knows from the store what is open, and closes it by its own hours; with
// the site's URL it ends.
func TestAnHourOfTheNextOwnerClosesTheRemark(t *testing.T) {
	t.Parallel()
	const slower = check.AdvisorySlowerThanUsual
	for name, end := range map[string]func(w *world){
		"two usual hours": func(w *world) { w.pace(advisory.PaceUsual); w.pace(advisory.PaceUsual) },
		"another URL": func(w *world) {
			other := row()
			other.URL = "http://other.example/"
			w.engine.Put(w.now.Add(time.Second), other)
		},
		"no site": func(w *world) { w.engine.Remove(w.now.Add(time.Second), row().ID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.engine.RecallRemarks([]record.Remark{{SiteID: 42, Bucket: row().Bucket, URL: row().URL, Advisory: slower, Open: true, At: w.now}})
			w.engine.Put(w.now, row())
			w.pace(advisory.PaceSlower)
			w.wantRemarked()
			end(w)
			if got := w.remarked(); len(got) != 1 || got[0][:3] != "-14" {
				t.Errorf("the store is told %v", got)
			}
		})
	}
}

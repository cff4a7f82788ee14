package roster

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// Site is the full form of an entry. An entry can hold the whole site when its status is
// running, it is up or was never checked, it has no outage, and Fits accepts its last check.
type Site struct {
	Row   record.Site // as committed
	State lifecycle.State
	// Host is as in Entry.
	Host uint32
	// Sequence is the number of the newest check; Urgent is set when that check was a
	// re-check or a second look.
	Sequence uint64
	Urgent   bool
	// HeadHostile: HEAD fails where GET works.
	HeadHostile bool
	// PageFilled: the page was not empty when it was last judged.
	PageFilled bool
	// Last is the observation of the newest check, at LastCheck by LastNode; nil before the
	// first.
	Last      *check.Observation
	LastCheck time.Time
	LastNode  string
}

// Fits reports whether an entry can hold the advisories of a good check. It cannot hold
// the date on which a certificate expires.
func Fits(advisories []check.Advisory) bool {
	for _, a := range advisories {
		if a <= check.AdvisoryTLSExpiring || a > check.AdvisoryHeadUnsupported {
			return false
		}
	}
	return true
}

// Load returns the full form of the entry of a slot, without the newest ballot number.
func (t *Table) Load(slot schedule.Slot) Site {
	r := t.Entry(slot)
	s := Site{
		Row: record.Site{
			ID: r.id, BlogID: r.blog, Bucket: r.bucket, URL: t.urls.text(r.url), Interval: r.Interval(),
			Status: check.StatusRunning, Settings: *t.settings.list[r.settings], StatusSince: r.since.time(),
		},
		Host: r.host, Sequence: uint64(r.sequence), Urgent: r.Urgent(), HeadHostile: r.HeadHostile(), PageFilled: r.PageFilled(),
		LastCheck: t.timeOf(r.last), LastNode: t.nodes.list[r.node],
	}
	s.State = lifecycle.State{
		Stage: r.Stage(), Status: check.StatusRunning, StatusSince: s.Row.StatusSince, Node: s.LastNode, Observed: s.LastCheck,
	}
	if r.last != 0 && r.Stage() == lifecycle.Up {
		s.Last = r.observation()
	}
	return s
}

// Save writes a site back to the entry of its slot, as far as that can hold it.
func (t *Table) Save(slot schedule.Slot, s *Site) {
	r := t.Entry(slot)
	if t.urls.text(r.url) != s.Row.URL {
		t.urls.drop(r.url)
		r.url = t.urls.add(s.Row.URL)
	}
	if r.bucket != s.Row.Bucket {
		t.unlink(r)
		r.bucket = s.Row.Bucket
		t.link(slot, r)
	}
	r.blog, r.interval, r.settings = s.Row.BlogID, minutes(s.Row.Interval), t.settings.add(s.Row.Settings)
	r.since = momentOf(s.Row.StatusSince)
	r.sequence, r.last = uint32(s.Sequence), t.grains(s.LastCheck)
	r.node, r.host = t.nodes.add(s.State.Node), s.Host
	r.setStage(s.State.Stage)
	if s.State.Inherited && s.State.Stage == lifecycle.NeverChecked {
		r.setStage(lifecycle.Down) // it is checked like a site that is down, not like a new one
	}
	r.set(flagUrgent, s.Urgent)
	r.set(flagHeadHostile, s.HeadHostile)
	r.set(flagPageFilled, s.PageFilled)
	r.set(flagGet, false)
	if s.Last != nil {
		r.good(s.Last)
	}
}

// Good stores a check that a node ended at a time, if the entry alone can absorb it: the
// site is up, the check was good, and nothing but the newest check changes. It returns the
// site's URL; false when the check needs the full form.
func (t *Table) Good(slot schedule.Slot, node string, at time.Time, o *check.Observation) (url string, ok bool) {
	r := t.Entry(slot)
	if r.Stage() != lifecycle.Up || o.Outcome != check.OutcomeUp || !Fits(o.Advisories) ||
		slices.Contains(o.Advisories, check.AdvisoryHeadUnsupported) || r.HeadHostile() {
		return "", false
	}
	if last := t.grains(at); last >= r.last {
		r.last, r.node, r.host = last, t.nodes.add(node), t.hosts.At(o.ResolvedAddress, r.host)
		r.good(o)
		if o.PageState == check.PageFilled {
			r.set(flagPageFilled, true)
		}
	}
	return t.urls.text(r.url), true
}

// timeOf and grains convert Entry.last.
func (t *Table) timeOf(grains uint32) time.Time {
	if grains == 0 {
		return time.Time{}
	}
	return t.start.Add(time.Duration(grains) * grain)
}

func (t *Table) grains(at time.Time) uint32 {
	if at.IsZero() {
		return 0
	}
	return uint32(max(1, at.Sub(t.start)/grain))
}

package incident

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/internal/check"
)

// Watch looks for incidents. New makes one. It is not safe for concurrent use.
type Watch struct {
	rule Rule
	// next is the number of the next incident.
	next       int64
	candidates candidates
	usual      usual
	// open are the incidents that go on. A site of one, or of one that ended while the site was
	// down, has an entry in members; those of one that ended lately have one, too, when it was
	// read from what was written: their failures may be seen again.
	open    []*incident
	members map[check.SiteID]*member
}

// incident is an Incident with what is not written yet.
type incident struct {
	Incident
	changed map[check.SiteID]Member
	// fewSince is since when few members are down; zero while more are.
	fewSince time.Time
}

// member is a site of an incident; of is nil when that has ended.
type member struct {
	Member
	of *incident
}

// Written is an incident as it was written, with its members.
type Written struct {
	Incident
	Sites []Member
}

// Change is what changed of an incident, to be written as one.
type Change struct {
	Incident
	// Tell is the event by which others hear of it, TypeNone for none, at At.
	Tell event.Type
	At   time.Time
	// Sites are the members that changed.
	Sites []Member
}

// New makes a Watch that goes on from what was written: the incidents that go on or ended within
// the rule's Window, and the number of the next one.
func New(rule Rule, next int64, written []Written) *Watch {
	w := &Watch{rule: rule, next: next, candidates: newCandidates(), members: map[check.SiteID]*member{}}
	for _, i := range written {
		var of *incident
		if i.End.IsZero() {
			of = &incident{Incident: i.Incident, changed: map[check.SiteID]Member{}}
			w.open = append(w.open, of)
		}
		if of != nil {
			// What was written last may be a part of what was to be written.
			of.Members, of.Down = int64(len(i.Sites)), 0
		}
		for _, m := range i.Sites {
			if of != nil && m.Down {
				of.Down++
			}
			if known := w.members[m.Site]; of != nil || known == nil || known.of == nil && m.At.After(known.At) {
				w.members[m.Site] = &member{Member: m, of: of}
			}
		}
	}
	return w
}

// Note takes an event into account that is seen now.
func (w *Watch) Note(now time.Time, e *event.Event) {
	if e.Status == nil || e.Site == nil {
		return
	}
	at := e.Time.Time
	switch e.Type {
	case event.SiteDown:
		w.down(now, candidate{site: *e.Site, at: at, shared: SharedBy(e)})
	case event.SiteUp:
		w.up(e.Site.ID, at)
	}
}

func (w *Watch) down(now time.Time, c candidate) {
	if m := w.members[c.site.ID]; m != nil {
		if m.of != nil || m.Down || !c.at.After(m.At) {
			m.change(c.at, true)
			return
		}
		delete(w.members, c.site.ID)
	}
	for _, i := range w.open {
		if slices.Contains(c.shared, i.Shared) {
			w.join(i, c)
			return
		}
	}
	if now.Sub(c.at) > w.rule.Window {
		return
	}
	w.candidates.add(now, &c)
	for _, s := range c.shared {
		if s.Cause.broad() {
			w.usual.note(s, c.at)
		}
	}
}

// Share says what the site of a failure shares with others beyond what its event said, once that
// is known. It concerns candidates only.
func (w *Watch) Share(now time.Time, id check.SiteID, more ...Shared) {
	c := w.candidates.sites[id]
	if c == nil {
		return
	}
	for _, s := range more {
		if s.Cause.broad() {
			w.usual.note(s, c.at)
		}
	}
	for _, i := range w.open {
		if slices.Contains(more, i.Shared) {
			w.candidates.drop(c)
			w.join(i, *c)
			return
		}
	}
	w.candidates.share(now, c, more)
}

func (w *Watch) up(id check.SiteID, at time.Time) {
	m := w.members[id]
	if m == nil {
		w.candidates.remove(id, at)
		return
	}
	if m.change(at, false) && m.of == nil {
		delete(w.members, id)
	}
}

// Failing lists up to limit members of incidents that go on, those after a site, that have been
// down since before a time, by rising site.
func (w *Watch) Failing(before time.Time, after check.SiteID, limit int) []check.SiteID {
	var failing []check.SiteID
	for id, m := range w.members {
		if m.of != nil && m.Down && id > after && m.At.Before(before) {
			failing = append(failing, id)
		}
	}
	slices.Sort(failing)
	return failing[:min(len(failing), limit)]
}

// Lapse says that a member fails no longer since a time although no event says so: it was deleted,
// or paused.
func (w *Watch) Lapse(id check.SiteID, at time.Time) {
	m := w.members[id]
	if m == nil || m.of == nil || !m.Down {
		return
	}
	m.Down = false
	if at.After(m.At) {
		m.At = at
	}
	m.of.Down--
	m.of.changed[id] = m.Member
}

// change notes that a member went down or came back. It reports false for old news.
func (m *member) change(at time.Time, down bool) bool {
	if m.Down == down || !at.After(m.At) {
		return false
	}
	m.Down, m.At = down, at
	if m.of == nil {
		return true
	}
	if m.of.Down--; down {
		m.of.Down += 2
	}
	m.of.changed[m.Site] = m.Member
	return true
}

// join makes a failure a member of an incident.
func (w *Watch) join(i *incident, c candidate) {
	m := &member{Member: Member{Site: c.site.ID, At: c.at, Down: true}, of: i}
	w.members[c.site.ID] = m
	i.Members++
	i.Down++
	i.changed[m.Site] = m.Member
	if len(i.Examples) < maxExamples {
		i.Examples = append(i.Examples, c.site)
	}
	if i.Start.IsZero() || c.at.Before(i.Start) {
		i.Start = c.at
	}
}

// Advance opens and ends incidents, and returns what changed since the last call.
func (w *Watch) Advance(now time.Time) (changes []Change) {
	w.candidates.expire(now.Add(-w.rule.Window))
	for {
		cause, found := w.candidates.ripe(now, w.rule, w.need)
		if !found {
			break
		}
		w.begin(now, cause)
	}
	for _, i := range w.open {
		c := Change{At: now}
		switch {
		case i.Told == 0:
			c.Tell = event.IncidentOpened
		case i.over(now, w.rule):
			c.Tell, i.End = event.IncidentResolved, now
		case i.Members >= 2*i.Told && now.Sub(i.ToldAt) >= w.rule.Again:
			c.Tell = event.IncidentUpdated
		case len(i.changed) == 0:
			continue
		}
		if c.Tell != event.TypeNone {
			i.Told, i.ToldAt = i.Members, now
		}
		c.Incident, c.Sites = i.Incident, slices.SortedFunc(maps.Values(i.changed), compareMembers)
		c.Examples = slices.Clone(i.Examples)
		clear(i.changed)
		changes = append(changes, c)
	}
	w.forget()
	return changes
}

func compareMembers(a, b Member) int { return cmp.Compare(a.Site, b.Site) }

// need returns how many failures that share something make an incident.
func (w *Watch) need(s Shared, now time.Time) int {
	if !s.Cause.broad() {
		return w.rule.Sites
	}
	return w.usual.need(s, now, w.rule)
}

// begin opens an incident with the candidates that share something.
func (w *Watch) begin(now time.Time, s Shared) {
	i := &incident{Incident: Incident{ID: w.next, Shared: s, ToldAt: now}, changed: map[check.SiteID]Member{}}
	w.next++
	w.open = append(w.open, i)
	for _, c := range w.candidates.take(s) {
		w.join(i, *c)
	}
}

// over reports whether an incident has ended.
func (i *incident) over(now time.Time, rule Rule) bool {
	if float64(i.Down) > rule.Few*float64(i.Members) {
		i.fewSince = time.Time{}
		return false
	}
	if i.fewSince.IsZero() {
		i.fewSince = now
	}
	return now.Sub(i.fewSince) >= rule.Calm
}

// forget drops the incidents that have ended, but for their members that are still down: they
// are candidates for no other.
func (w *Watch) forget() {
	if !slices.ContainsFunc(w.open, func(i *incident) bool { return !i.End.IsZero() }) {
		return
	}
	maps.DeleteFunc(w.members, func(_ check.SiteID, m *member) bool {
		if m.of != nil && !m.of.End.IsZero() {
			m.of = nil
		}
		return m.of == nil && !m.Down
	})
	w.open = slices.DeleteFunc(w.open, func(i *incident) bool { return !i.End.IsZero() })
}

// Open returns the number of incidents that go on, and Candidates that of failures of none.
func (w *Watch) Open() int { return len(w.open) }

// Candidates returns the number of recent failures that are of no incident.
func (w *Watch) Candidates() int { return len(w.candidates.sites) }

func eventID(id int64, kind event.Type, at time.Time) string {
	return fmt.Sprintf("incident-%d-%d-%x", id, kind, at.UnixMilli())
}

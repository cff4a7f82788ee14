package alarm

import (
	"fmt"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// The thresholds. Those of the schedule look back over minutes and mean little for a
// coordinator that has just started, while its checkers arrive one after the other.
const (
	noCheckersAfter   = 15 * time.Second
	uncommittedAfter  = 10 * time.Second
	overloadNotBefore = 5 * time.Minute
	maxStretch        = 1.05
	minCoverage       = 0.99
	// A takeover ends within 20 s.
	unownedAfter = 30 * time.Second
	// One that is not well is asked again after 10 s.
	veriflierAfter = 15 * time.Second
	// Nothing waits that long for an endpoint that is well.
	untoldAfter = time.Minute
)

// Evaluate returns the conditions that hold at a moment.
func Evaluate(f Facts, now time.Time) []Condition {
	out := checkers(f)
	out = append(out, undecided(f)...)
	out = append(out, disagreements(f)...)
	for _, one := range []func(Facts, time.Time) (Condition, bool){storage, delivery, noCheckers, overload, unowned, strays} {
		if c, wrong := one(f, now); wrong {
			out = append(out, c)
		}
	}
	out = append(out, verifliers(f, now)...)
	out = append(out, endpoints(f, now)...)
	return append(out, silent(f)...)
}

// verifliers returns a condition for each veriflier that has not been able to vote for too
// long: its votes are UNKNOWN, and the rule still counts it. Of one that does not reach its
// anchors, the time does not count during which no checker reached them: checkers names it then.
func verifliers(f Facts, now time.Time) []Condition {
	var out []Condition
	for _, v := range f.Verifliers {
		from := v.Since
		if v.Offline && f.CutOff.After(from) {
			from = f.CutOff
		}
		if now.Sub(from) > veriflierAfter {
			out = append(out, Condition{
				Kind: KindVeriflier, Subject: v.Name, Since: v.Since,
				Message: fmt.Sprintf("veriflier %s (%s) cannot vote: %s", v.Name, v.Region, v.Detail),
			})
		}
	}
	return out
}

// checkers returns the conditions of single checkers, whose failures then do not count.
// All checkers that do not reach their anchors make one condition.
func checkers(f Facts) []Condition {
	var out []Condition
	var names []string
	var since time.Time
	for _, c := range f.Checkers {
		if r := c.Rival; !r.Since.IsZero() {
			out = append(out, Condition{
				Kind: KindNameTaken, Subject: c.Node, Since: r.Since,
				Message: fmt.Sprintf("another process (%s, instance %s) wants the name of checker %s (%s, instance %s): it is refused while the present one answers",
					r.Region, r.Instance, c.Node, c.Region, c.Instance),
			})
		}
		if !c.UnhealthySince.IsZero() {
			names = append(names, fmt.Sprintf("%s (%s)", c.Node, c.Detail))
			since = earliest(since, c.UnhealthySince)
			continue // its own network explains its failures; a quarantine says nothing more
		}
		if !c.QuarantinedSince.IsZero() {
			out = append(out, Condition{
				Kind: KindQuarantine, Subject: c.Node, Since: c.QuarantinedSince,
				Message: fmt.Sprintf("the failures of checker %s (%s) jump across unrelated networks; they do not count", c.Node, c.Region),
			})
		}
	}
	if len(names) == 0 {
		return out
	}
	text := fmt.Sprintf("%d of %d checkers do not reach their own anchors, their failures do not count: %s",
		len(names), len(f.Checkers), strings.Join(names, ", "))
	if AllUnhealthy(f.Checkers) {
		text += f.offline()
		if f.UndecidedCount > 0 {
			text += fmt.Sprintf("; %d suspects are undecided", f.UndecidedCount)
		}
	}
	return append(out, Condition{Kind: KindConnectivity, Since: since, Message: text})
}

// offline names the verifliers that do not reach their anchors.
func (f Facts) offline() string {
	var names []string
	for _, v := range f.Verifliers {
		if v.Offline {
			names = append(names, fmt.Sprintf("%s (%s)", v.Name, v.Region))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; nor do the verifliers " + strings.Join(names, ", ")
}

// undecided returns a condition for each listed undecided suspect. While no checker reaches
// its anchors it returns none: checkers reports their number.
func undecided(f Facts) []Condition {
	if AllUnhealthy(f.Checkers) {
		return nil
	}
	out := make([]Condition, len(f.Undecided))
	for i, s := range f.Undecided {
		out[i] = Condition{
			Kind: KindInconclusive, Site: s.Site, URL: s.URL, Since: s.Since,
			Message: "undecided, nothing is sent: " + s.Reason,
		}
	}
	return out
}

// disagreements returns a condition for each listed site about which readers disagree. One of
// the readers is wrong, whatever else is wrong with the monitor.
func disagreements(f Facts) []Condition {
	out := make([]Condition, len(f.Disagreements))
	for i, d := range f.Disagreements {
		out[i] = Condition{
			Kind: KindReadersDisagree, Site: d.Site, URL: d.URL, Since: d.Since,
			Message: fmt.Sprintf("the readers of veriflier %s disagree, its vote counts for nothing: %s", d.Veriflier, d.Saw),
		}
	}
	return out
}

// Unlisted counts the undecided suspects for which Evaluate returns no condition, because
// the facts count but do not list them.
func Unlisted(f Facts) int {
	if AllUnhealthy(f.Checkers) {
		return 0 // the connectivity condition gives their number
	}
	return f.UndecidedCount - len(f.Undecided)
}

// AllUnhealthy reports whether there are checkers, none of which reaches its anchors.
func AllUnhealthy(checkers []Checker) bool {
	for _, c := range checkers {
		if c.UnhealthySince.IsZero() {
			return false
		}
	}
	return len(checkers) > 0
}

// storage returns a condition when the database refuses changes, accepts them too slowly,
// or does not renew leases, without which the committer does not even try.
func storage(f Facts, now time.Time) (Condition, bool) {
	s := f.Store
	c := Condition{Kind: KindStore}
	late := !s.OldestSince.IsZero() && now.Sub(s.OldestSince) > uncommittedAfter
	switch {
	case !s.FailingSince.IsZero():
		c.Since = s.FailingSince
		c.Message = fmt.Sprintf("the database does not accept status changes (%d wait): %s", s.Uncommitted, s.Err)
		if s.Uncertain > 0 {
			c.Since = earliest(c.Since, s.UncertainSince)
			c.Message += "; " + notRenewed(s, now)
		}
	case s.Uncertain > 0:
		c.Since = s.UncertainSince
		c.Message = notRenewed(s, now) + fmt.Sprintf(
			": while the database cannot be reached, nothing is written for their sites (%d changes wait)", s.Uncommitted)
	case late:
		c.Since = s.OldestSince
		c.Message = "the database accepts status changes too slowly (" + waiting(s, now) + ")"
	case s.Full:
		c.Message = fmt.Sprintf("the database accepts status changes too slowly (%d wait)", s.Uncommitted)
	default:
		return Condition{}, false
	}
	if s.Full {
		c.Message += "; judging waits until it catches up"
	}
	return c, true
}

func notRenewed(s Store, now time.Time) string {
	return fmt.Sprintf("the leases of %d shards have not been renewed for %.0f s", s.Uncertain, now.Sub(s.UncertainSince).Seconds())
}

func waiting(s Store, now time.Time) string {
	age := now.Sub(s.OldestSince).Seconds()
	if s.Uncommitted == 1 {
		return fmt.Sprintf("1 waits, for %.0f s", age)
	}
	return fmt.Sprintf("%d wait, the oldest for %.0f s", s.Uncommitted, age)
}

func delivery(f Facts, _ time.Time) (Condition, bool) {
	d := f.Delivery
	return Condition{Kind: KindDelivery, Since: d.RefusedSince, Message: "WordPress.com does not accept notifications: " + d.LastError},
		!d.RefusedSince.IsZero()
}

// endpoints returns a condition for each subscription that refuses us, or whose oldest delivery
// has waited for too long. Why WordPress.com refuses is said by delivery.
func endpoints(f Facts, now time.Time) []Condition {
	var out []Condition
	for _, e := range f.Delivery.Endpoints {
		c := Condition{Kind: KindDelivery, Subject: e.Name}
		switch {
		case e.WordPressCom && !f.Delivery.RefusedSince.IsZero():
			continue
		case !e.PausedSince.IsZero():
			c.Since = e.PausedSince
			c.Message = fmt.Sprintf("subscription %q is paused, its endpoint refuses us: %s; %d deliveries wait", e.Name, e.Why, e.Pending)
		case !e.Oldest.IsZero() && now.Sub(e.Oldest) > untoldAfter:
			c.Since = e.Oldest
			c.Message = fmt.Sprintf("%d deliveries wait for subscription %q, the oldest for more than %v", e.Pending, e.Name, untoldAfter)
		default:
			continue
		}
		out = append(out, c)
	}
	return out
}

func noCheckers(f Facts, now time.Time) (Condition, bool) {
	return Condition{Kind: KindNoCheckers, Since: f.NoCheckersSince, Message: "no checker is connected, nothing is checked"},
		!f.NoCheckersSince.IsZero() && now.Sub(f.NoCheckersSince) > noCheckersAfter
}

// overload returns a condition when checkers do not keep up. With no checker at all,
// noCheckers reports that instead.
func overload(f Facts, now time.Time) (Condition, bool) {
	if !f.NoCheckersSince.IsZero() || now.Sub(f.Started) < overloadNotBefore {
		return Condition{}, false
	}
	var signs []string
	if f.Schedule.Stretch > maxStretch {
		signs = append(signs, fmt.Sprintf("intervals are stretched by %.2f", f.Schedule.Stretch))
	}
	if f.Schedule.Known && f.Schedule.Coverage < minCoverage {
		signs = append(signs, fmt.Sprintf("%.1f %% of the checks were made on time", 100*f.Schedule.Coverage))
	}
	return Condition{Kind: KindOverload, Message: "checkers do not keep up: " + strings.Join(signs, ", ")}, len(signs) > 0
}

// strays returns a condition while there are rows that nobody can watch.
func strays(f Facts, _ time.Time) (Condition, bool) {
	return Condition{
		Kind: KindUnowned, Subject: "strays", Since: f.Strays.Since,
		Message: fmt.Sprintf("%d active rows have buckets from %d to %d, and there are 0 to %d: their sites are not checked",
			f.Strays.Rows, f.Strays.First, f.Strays.Last, check.Buckets-1),
	}, f.Strays.Rows > 0
}

// unowned returns a condition when shards have had no owner for too long. It names
// consecutive shards as a range.
func unowned(f Facts, now time.Time) (Condition, bool) {
	var names []string
	var since time.Time
	for i := 0; i < len(f.Unowned); i++ {
		first := f.Unowned[i]
		if now.Sub(first.Since) <= unownedAfter {
			continue
		}
		last := first
		since = earliest(since, first.Since)
		for i+1 < len(f.Unowned) && f.Unowned[i+1].Shard == last.Shard+1 && now.Sub(f.Unowned[i+1].Since) > unownedAfter {
			i++
			last = f.Unowned[i]
			since = earliest(since, last.Since)
		}
		name := fmt.Sprint(first.Shard)
		if last.Shard != first.Shard {
			name = fmt.Sprintf("%d-%d", first.Shard, last.Shard)
		}
		names = append(names, fmt.Sprintf("%s (buckets %d-%d)", name, first.FirstBucket, last.LastBucket))
	}
	return Condition{
		Kind: KindUnowned, Since: since,
		Message: "nobody owns shards " + strings.Join(names, ", ") + ": their sites are not checked",
	}, len(names) > 0
}

func silent(f Facts) []Condition {
	out := make([]Condition, len(f.Peers))
	for i, p := range f.Peers {
		out[i] = Condition{
			Kind: KindPeer, Subject: p.Node, Since: p.FailingSince,
			Message: fmt.Sprintf("coordinator %s at %s cannot be asked: %s", p.Node, p.Endpoint, p.Detail),
		}
	}
	return out
}

// earliest returns the earlier of two moments; a zero first one is unknown and ignored.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

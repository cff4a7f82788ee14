package api

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/ledger"
	"github.com/Automattic/jetmon/coordinator/ownership"
	monitorpb "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// lonelyTime is how long a fleet may be without a checker before that is an alarm.
const lonelyTime = 15 * time.Second

func (s *fleet) alarms(sum engine.Summary) []*monitorpb.Alarm {
	out := checkerAlarms(sum)
	if !allUnwell(sum.Checkers) {
		for _, h := range sum.Held {
			out = append(out, &monitorpb.Alarm{
				Kind: monitorpb.AlarmKind_ALARM_KIND_INCONCLUSIVE, SiteId: int64(h.Site), Url: h.URL,
				Message: "held as suspect, nothing is sent: " + h.Reason, RaiseTime: timestamp(h.Since),
			})
		}
	}
	out = append(out, s.storeAlarm(s.o.Ledger.Status(), s.o.Shards(), time.Now())...)
	if st := s.o.Notify.Status(); !st.RefusedSince.IsZero() {
		out = append(out, &monitorpb.Alarm{
			Kind:      monitorpb.AlarmKind_ALARM_KIND_DELIVERY,
			Message:   "WordPress.com does not accept notices: " + st.LastError,
			RaiseTime: timestamp(st.RefusedSince),
		})
	}
	if !sum.LonelySince.IsZero() && time.Since(sum.LonelySince) > lonelyTime {
		out = append(out, &monitorpb.Alarm{
			Kind:    monitorpb.AlarmKind_ALARM_KIND_NO_CHECKERS,
			Message: "no checker is connected, nothing is checked", RaiseTime: timestamp(sum.LonelySince),
		})
	}
	return out
}

// Beyond these, checkers do not keep up. Both look back over minutes, so they say little
// of a coordinator that has just begun: its checkers come one after the other.
const (
	maxStretch  = 1.05
	minCoverage = 0.99
	overloadDue = 5 * time.Minute
)

// overload is the alarm that checkers do not keep up. Where there is none at all, that
// is what is said.
func (s *fleet) overload(c *monitorpb.CoordinatorStatus, lonely bool, now time.Time) []*monitorpb.Alarm {
	const kind = monitorpb.AlarmKind_ALARM_KIND_OVERLOAD
	text := ""
	if !lonely && now.Sub(c.GetStartTime().AsTime()) >= overloadDue {
		text = overloadText(c)
	}
	since := s.since(kind, text != "", now)
	if text == "" {
		return nil
	}
	return []*monitorpb.Alarm{{Kind: kind, Message: text, RaiseTime: timestamp(since)}}
}

// oldChange is how long a status change may wait before that is an alarm.
const oldChange = 10 * time.Second

// storeAlarm is the alarm that the database takes no status changes, or not fast enough,
// or does not renew our leases, without which nothing is even tried.
func (s *fleet) storeAlarm(st ledger.Status, shards ownership.Counts, now time.Time) []*monitorpb.Alarm {
	const kind = monitorpb.AlarmKind_ALARM_KIND_STORE
	old := !st.OldestSince.IsZero() && now.Sub(st.OldestSince) > oldChange
	since := s.since(kind, st.Full || old, now)
	text := ""
	switch {
	case !st.FailingSince.IsZero():
		since = st.FailingSince
		text = fmt.Sprintf("the database does not take status changes (%d wait): %s", st.Uncommitted, st.Err)
		if shards.Unsure > 0 {
			since = earlier(since, shards.UnsureSince)
			text += "; " + unrenewed(shards, now)
		}
	case shards.Unsure > 0:
		since = shards.UnsureSince
		text = unrenewed(shards, now) + fmt.Sprintf(
			": while the database cannot be reached, nothing is written for their sites (%d changes wait)", st.Uncommitted)
	case old:
		since = earlier(since, st.OldestSince)
		text = "the database takes status changes too slowly (" + waiting(st, now) + ")"
	case st.Full:
		text = fmt.Sprintf("the database takes status changes too slowly (%d wait)", st.Uncommitted)
	default:
		return nil
	}
	if st.Full {
		text += "; until it has caught up, judging is held back"
	}
	return []*monitorpb.Alarm{{Kind: kind, Message: text, RaiseTime: timestamp(since)}}
}

func unrenewed(shards ownership.Counts, now time.Time) string {
	return fmt.Sprintf("the leases of %d shards have not been renewed for %.0f s", shards.Unsure, now.Sub(shards.UnsureSince).Seconds())
}

func waiting(st ledger.Status, now time.Time) string {
	age := now.Sub(st.OldestSince).Seconds()
	if st.Uncommitted == 1 {
		return fmt.Sprintf("1 waits, for %.0f s", age)
	}
	return fmt.Sprintf("%d wait, the oldest for %.0f s", st.Uncommitted, age)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// since is from when a condition holds, as far as that was seen; zero when it does not.
func (s *fleet) since(kind monitorpb.AlarmKind, holds bool, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !holds {
		delete(s.began, kind)
	} else if _, known := s.began[kind]; !known {
		s.began[kind] = now
	}
	return s.began[kind]
}

func overloadText(c *monitorpb.CoordinatorStatus) string {
	var signs []string
	if c.GetStretch() > maxStretch {
		signs = append(signs, fmt.Sprintf("intervals are stretched by %.2f", c.GetStretch()))
	}
	if c.Coverage != nil && c.GetCoverage() < minCoverage {
		signs = append(signs, fmt.Sprintf("%.1f %% of the checks were made on time", 100*c.GetCoverage()))
	}
	if len(signs) == 0 {
		return ""
	}
	return "checkers do not keep up: " + strings.Join(signs, ", ")
}

// checkerAlarms are about checkers whose failures count for nothing.
func checkerAlarms(sum engine.Summary) []*monitorpb.Alarm {
	var out []*monitorpb.Alarm
	var unwell []string
	var since time.Time
	for _, c := range sum.Checkers {
		if !c.Rival.Since.IsZero() {
			out = append(out, nameAlarm(c))
		}
		// Of one that does not reach its anchors the failures are explained by that.
		if !c.Quarantined.IsZero() && c.UnwellSince.IsZero() {
			out = append(out, &monitorpb.Alarm{
				Kind: monitorpb.AlarmKind_ALARM_KIND_QUARANTINE, RaiseTime: timestamp(c.Quarantined),
				Message: fmt.Sprintf("the failures of checker %s (%s) jump across unrelated networks; they count for nothing", c.Node, c.Region),
			})
		}
		if !c.UnwellSince.IsZero() {
			unwell = append(unwell, fmt.Sprintf("%s (%s)", c.Node, c.SelfCheck.Detail))
			if since.IsZero() || c.UnwellSince.Before(since) {
				since = c.UnwellSince
			}
		}
	}
	if len(unwell) == 0 {
		return out
	}
	text := fmt.Sprintf("%d of %d checkers do not reach their own anchors, their failures count for nothing: %s",
		len(unwell), len(sum.Checkers), strings.Join(unwell, ", "))
	if allUnwell(sum.Checkers) && len(sum.Held) > 0 {
		text += "; " + fmt.Sprint(sum.HeldCount) + " sites are held as suspect"
	}
	return append(out, &monitorpb.Alarm{
		Kind: monitorpb.AlarmKind_ALARM_KIND_CONNECTIVITY, RaiseTime: timestamp(since), Message: text,
	})
}

// nameAlarm is about two processes that want to be one checker.
func nameAlarm(c engine.CheckerView) *monitorpb.Alarm {
	return &monitorpb.Alarm{
		Kind: monitorpb.AlarmKind_ALARM_KIND_NAME_TAKEN, RaiseTime: timestamp(c.Rival.Since),
		Message: fmt.Sprintf("another process (%s, instance %s) asks for the name of checker %s (%s, instance %s): it is refused while that one answers",
			c.Rival.Hello.Region, c.Rival.Hello.Instance, c.Node, c.Region, c.Instance),
	}
}

// allUnwell says that the monitor's network is sick as a whole: then the sites that
// are held are no news of their own.
func allUnwell(checkers []engine.CheckerView) bool {
	return len(checkers) > 0 && !slices.ContainsFunc(checkers, func(c engine.CheckerView) bool { return c.UnwellSince.IsZero() })
}

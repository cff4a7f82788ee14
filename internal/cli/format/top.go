package format

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// Top is what the screen of jetmon top shows.
type Top struct {
	Address string
	Now     time.Time
	Every   time.Duration
	// Fleet came at Came; nil before the first answer. Trouble says why the last question had no
	// answer, empty when it had.
	Fleet   *monitorv1.Fleet
	Came    time.Time
	Trouble string
	// Rate is known from the second answer on.
	Rate *Rate
	// Outages are the open ones, the newest first.
	Outages Some[*monitorv1.Outage]
	// Waiting and Dead are notifications, the newest first.
	Waiting, Dead Some[*monitorv1.Notification]
}

// Rate is how many checks all coordinators take in each second, and how many of them fail.
type Rate struct{ Checks, Failures float64 }

// Some is the first page of a list, or the reason why there is none.
type Some[T any] struct {
	All     []T
	More    bool
	Trouble string
}

// count returns how many there are, with a plus when there are more.
func (s Some[T]) count() string {
	switch {
	case s.Trouble != "":
		return "?"
	case s.More:
		return grouped(uint64(len(s.All))) + "+"
	}
	return grouped(uint64(len(s.All)))
}

// LineStyle is how a line of the screen is shown.
type LineStyle int

// The styles.
const (
	Plain LineStyle = iota
	// Heading is of the line above a table or a part.
	Heading
	// Wrong is of what somebody should look at.
	Wrong
)

// StyledLine is one line of the screen.
type StyledLine struct {
	Text  string
	Style LineStyle
}

// TopHead is how many lines of a screen stay when the others are scrolled.
const TopHead = 5

// Lines returns the screen in lines of at most width cells; 0 means any number. The first
// TopHead lines are the head.
func (t *Top) Lines(width int) []StyledLine {
	s := board{width: width, now: t.Now}
	s.add(Heading, "jetmon top  %s  %s  every %s", t.Address, t.Now.Format(time.TimeOnly+" MST"), t.Every)
	t.state(&s)
	if t.Fleet == nil {
		return s.lines
	}
	t.totals(&s)
	s.add(Plain, "")
	s.alarms(t.Fleet)
	s.shards(t.Fleet)
	s.table(func(w *board) *Table {
		return coordinators(NewTable(w, width, "COORDINATOR", "SITES", "DOWN", "SUSPECT", "COVERAGE", "LATE P99", "SHARDS", "UNDELIVERED", "UP FOR", ""), t.Fleet, t.Now)
	})
	s.table(func(w *board) *Table {
		return checkers(NewTable(w, width, "CHECKER", "REGION", "OPEN CHECKS", "ROOM", "CONNECTED", ""), t.Fleet, t.Now)
	})
	s.table(func(w *board) *Table {
		return verifliers(NewTable(w, width, "VERIFLIER", "REGION", "STATE", "ASKED", "UNKNOWN", "DISSENTED", "LAST ANSWER", ""), t.Fleet)
	})
	if differ := dissents(&s, width, t.Fleet); differ != nil {
		s.table(func(*board) *Table { return differ })
	}
	s.outages(t.Outages)
	return s.lines
}

// state says whether what is shown is of now.
func (t *Top) state(s *board) {
	switch {
	case t.Trouble == "" && t.Fleet == nil:
		s.add(Plain, "Asking the coordinator ...")
	case t.Trouble == "":
		s.add(Plain, "%s answers. Rule: %s.", t.Fleet.GetCoordinator().GetNode(), rule(t.Fleet.GetRule()))
	case t.Fleet == nil:
		s.add(Wrong, "%s", t.Trouble)
	default:
		s.add(Wrong, "What follows is of %s ago: %s", t.Now.Sub(t.Came).Truncate(time.Second), t.Trouble)
	}
}

// totals writes the sums of all coordinators in two lines.
func (t *Top) totals(s *board) {
	var sum monitorv1.CoordinatorStatus
	coverage, weight, late := 0.0, uint64(0), uint32(0)
	all := Coordinators(t.Fleet)
	for _, c := range all {
		sum.Sites += c.GetSites()
		sum.SuspectSites += c.GetSuspectSites()
		sum.DownSites += c.GetDownSites()
		sum.QueuedChecks += c.GetQueuedChecks()
		sum.OpenChecks += c.GetOpenChecks()
		sum.UncommittedChanges += c.GetUncommittedChanges()
		sum.Stretch = max(sum.Stretch, c.GetStretch())
		late = max(late, c.GetLatenessP99Millis())
		sum.LatenessMaxMillis = max(sum.LatenessMaxMillis, c.GetLatenessMaxMillis())
		if c.Coverage != nil {
			coverage += c.GetCoverage() * float64(c.GetSites())
			weight += c.GetSites()
		}
	}
	share, checks := "-", "- checks/s"
	if weight > 0 {
		share = fmt.Sprintf("%.2f %%", 100*coverage/float64(weight))
	}
	if t.Rate != nil {
		checks = fmt.Sprintf("%s checks/s, %s fail", perSecond(t.Rate.Checks), perSecond(t.Rate.Failures))
	}
	style := Plain
	if sum.Stretch > 1.01 || weight > 0 && coverage/float64(weight) < 0.99 {
		style = Wrong
	}
	s.add(style, "%s sites  coverage %s  late p99 %s, most %s  intervals x%.2f  %s  queued %s  open %s", grouped(sum.Sites), share,
		inMillis(late), inMillis(sum.LatenessMaxMillis), sum.Stretch, checks, grouped(sum.QueuedChecks), grouped(sum.OpenChecks))
	s.add(Plain, "down %s  suspect %s  open outages %s%s  to be told %s%s  dead letters %s  uncommitted %s", grouped(sum.DownSites), grouped(sum.SuspectSites),
		t.Outages.count(), kinds(t.Outages.All), t.Waiting.count(), t.oldest(), t.Dead.count(), grouped(sum.UncommittedChanges))
}

// oldest says how old the oldest notification is that waits.
func (t *Top) oldest() string {
	if len(t.Waiting.All) == 0 {
		return ""
	}
	return " (since " + since(t.Waiting.All[len(t.Waiting.All)-1].GetCreateTime(), t.Now) + ")"
}

// Coordinators returns what the coordinators say of themselves that could be asked.
func Coordinators(f *monitorv1.Fleet) []*monitorv1.CoordinatorStatus {
	all := []*monitorv1.CoordinatorStatus{f.GetCoordinator()}
	for _, p := range f.GetPeers() {
		if p.GetStatus() != nil {
			all = append(all, p.GetStatus())
		}
	}
	return all
}

// kinds counts outages by the kind of their failure, the most frequent first.
func kinds(outages []*monitorv1.Outage) string {
	by := map[string]int{}
	for _, o := range outages {
		by[word(o.GetFailure(), "FAILURE_KIND_")]++
	}
	names := slices.SortedFunc(maps.Keys(by), func(a, b string) int { return cmp.Or(cmp.Compare(by[b], by[a]), cmp.Compare(a, b)) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, by[name])
	}
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// board collects the lines of the screen.
type board struct {
	width int
	now   time.Time
	lines []StyledLine
	style LineStyle
}

// add adds a line, made printable and cut.
func (s *board) add(style LineStyle, format string, args ...any) {
	s.lines = append(s.lines, StyledLine{Cut(printable(fmt.Sprintf(format, args...)), s.width), style})
}

// Write takes the lines of a table.
func (s *board) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		s.lines = append(s.lines, StyledLine{strings.TrimSuffix(line, "\n"), s.style})
		s.style = Plain
	}
	return len(b), nil
}

// table adds a table and an empty line.
func (s *board) table(fill func(*board) *Table) {
	s.style = Heading
	_ = fill(s).Line("") // a board takes everything
}

// alarms adds the alarms in words.
func (s *board) alarms(f *monitorv1.Fleet) {
	if len(f.GetAlarms()) == 0 {
		s.add(Plain, "No alarms.")
	}
	for _, a := range f.GetAlarms() {
		s.add(Wrong, "%s for %s: %s", strings.ToUpper(word(a.GetKind(), "ALARM_KIND_")), since(a.GetRaiseTime(), s.now), a.GetMessage())
	}
	s.add(Plain, "")
}

// shards draws who owns which shard: a letter for each coordinator, a dot where nobody does, an
// exclamation mark where the lease has ended.
func (s *board) shards(f *monitorv1.Fleet) {
	if len(f.GetShards()) == 0 {
		return
	}
	owned := map[string]int{}
	for _, shard := range f.GetShards() {
		owned[shard.GetOwner()]++
	}
	names := slices.Sorted(maps.Keys(owned))
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
	letter := func(name string) byte {
		i := slices.Index(names, name)
		return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[i%52]
	}
	row, style := []byte{}, Plain
	for _, shard := range f.GetShards() {
		mark := byte('.')
		switch {
		case shard.GetOwner() == "":
			style = Wrong
		case shard.GetExpireTime() != nil && shard.GetExpireTime().AsTime().Before(s.now):
			mark, style = '!', Wrong
		default:
			mark = letter(shard.GetOwner())
		}
		row = append(row, mark)
	}
	text := "Shards " + string(row)
	for _, name := range names {
		text += fmt.Sprintf("  %c %s (%d)", letter(name), name, owned[name])
	}
	if n := owned[""]; n > 0 {
		text += fmt.Sprintf("  . nobody (%d)", n)
	}
	s.add(style, "%s", text)
	s.add(Plain, "")
}

// outages adds the newest open outages.
func (s *board) outages(o Some[*monitorv1.Outage]) {
	if o.Trouble != "" {
		s.add(Wrong, "Open outages: %s", o.Trouble)
		return
	}
	if len(o.All) == 0 {
		s.add(Plain, "No open outages.")
		return
	}
	s.table(func(w *board) *Table {
		t := NewTable(w, s.width, "OPEN OUTAGE", "SITE", "FOR", "FAILURE", "URL")
		for _, one := range o.All {
			t.Add(fmt.Sprint(one.GetOutageId()), fmt.Sprint(one.GetSiteId()), since(one.GetStartTime(), s.now), // errors are Flush's
				failure(one.GetFailure(), one.GetReason(), one.GetHttpStatus()), one.GetUrl())
		}
		return t
	})
}

// grouped writes a number with its thousands apart.
func grouped(n uint64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func perSecond(n float64) string {
	if n < 100 {
		return fmt.Sprintf("%.1f", n)
	}
	return grouped(uint64(n + 0.5))
}

func inMillis(n uint32) string { return (time.Duration(n) * time.Millisecond).String() }

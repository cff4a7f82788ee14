package format

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// Fleet writes coordinators, checkers, verifliers, which of these differ, and alarms, in lines of at most width cells;
// 0 means any number.
func Fleet(w io.Writer, width int, f *monitorv1.Fleet, now time.Time) error {
	for _, part := range []*Table{
		coordinators(NewTable(w, width, "COORDINATOR", "SITES", "DOWN", "SUSPECT", "COVERAGE", "LATE P99", "SHARDS", "UNDELIVERED", "UP FOR", ""), f, now),
		checkers(NewTable(w, width, "CHECKER", "REGION", "OPEN CHECKS", "ROOM", "CONNECTED", ""), f, now),
		verifliers(NewTable(w, width, "VERIFLIER", "REGION", "STATE", "ASKED", "UNKNOWN", "DISSENTED", "LAST ANSWER", ""), f),
		dissents(w, width, f),
	} {
		if part == nil {
			continue
		}
		if err := part.Line(""); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(w, "Rule: %s.\n", rule(f.GetRule())); err != nil {
		return err
	}
	return alarms(w, width, f, now)
}

func coordinators(t *Table, f *monitorv1.Fleet, now time.Time) *Table {
	t.Add(coordinator(f.GetCoordinator(), "answers", now)...) // errors are Flush's
	for _, p := range f.GetPeers() {
		if p.GetStatus() == nil {
			t.Add(p.GetNode(), "-", "-", "-", "-", "-", "-", "-", "-", cmp.Or(p.GetDetail(), "cannot be asked"))
			continue
		}
		t.Add(coordinator(p.GetStatus(), "", now)...)
	}
	return t
}

func coordinator(s *monitorv1.CoordinatorStatus, remark string, now time.Time) []string {
	coverage := "-"
	if s.Coverage != nil {
		coverage = fmt.Sprintf("%.1f %%", 100*s.GetCoverage())
	}
	switch {
	case s.GetTrial():
		remark = "on trial"
	case s.GetMuted():
		remark = "muted"
	case s.GetStretch() > 1:
		remark = fmt.Sprintf("intervals are stretched by %.2f", s.GetStretch())
	}
	return []string{
		s.GetNode(), count(s.GetSites()), count(s.GetDownSites()), count(s.GetSuspectSites()), coverage,
		fmt.Sprintf("%d ms", s.GetLatenessP99Millis()), strconv.Itoa(int(s.GetShards())), count(s.GetUndeliveredNotices()),
		since(s.GetStartTime(), now), remark,
	}
}

func alarms(w io.Writer, width int, f *monitorv1.Fleet, now time.Time) error {
	if len(f.GetAlarms()) == 0 {
		_, err := fmt.Fprintln(w, "No alarms.")
		return err
	}
	t := NewTable(w, width, "ALARM", "FOR", "SITE", "MESSAGE")
	for _, a := range f.GetAlarms() {
		site := "-"
		if a.GetSiteId() != 0 {
			site = strconv.FormatInt(a.GetSiteId(), 10)
		}
		t.Add(word(a.GetKind(), "ALARM_KIND_"), since(a.GetRaiseTime(), now), site, a.GetMessage())
	}
	return t.Flush()
}

func count(n uint64) string { return strconv.FormatUint(n, 10) }

// since formats how long ago something was, in its two largest units.
func since(t *timestamppb.Timestamp, now time.Time) string {
	if t == nil {
		return "-"
	}
	d := max(0, now.Sub(t.AsTime()))
	days, hours, minutes := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh%dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm%ds", minutes, int(d.Seconds())%60)
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}

package maintenance_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/maintenance"
	"github.com/Automattic/jetmon/coordinator/rules/record"
)

// feedOf writes a calendar and returns its lines, unfolded.
func feedOf(t *testing.T, plans ...record.Maintenance) []string {
	t.Helper()
	var all []*maintenance.Plan
	for _, m := range plans {
		all = append(all, planOf(t, m))
	}
	text := maintenance.Feed(all, at(t, "UTC", "2026-11-30 15:00"))
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if len(line) > 75 || strings.ContainsAny(line, "\r\n") || !utf8.ValidString(line) {
			t.Errorf("the line %q", line)
		}
	}
	return strings.Split(strings.ReplaceAll(text, "\r\n ", ""), "\r\n")
}

// between returns the lines from one that begins a part on, up to its end.
func between(t *testing.T, lines []string, name string, n int) (part []string) {
	t.Helper()
	for i, line := range lines {
		if line != "BEGIN:"+name {
			continue
		}
		if n > 0 {
			n--
			continue
		}
		for _, line := range lines[i:] {
			if part = append(part, line); line == "END:"+name {
				return part
			}
		}
	}
	t.Fatalf("there is no %s in %q", name, lines)
	return nil
}

func TestAPlanInACalendar(t *testing.T) {
	t.Parallel()
	created := at(t, "UTC", "2026-11-01 10:00")
	once := record.Maintenance{
		ID: 7, Revision: 3, Name: "Upgrade, part 1; \\o/ 🦆" + strings.Repeat("ä", 60), Reason: "a\r\nATTENDEE:mailto:x\x00\x1b",
		Covers: record.Covers{SiteID: 42}, Start: at(t, "UTC", "2026-12-24 22:00"), Duration: 90 * time.Minute, Zone: "Europe/Berlin",
		Created: created, Updated: created.Add(time.Hour),
	}
	lines := feedOf(t, once)
	want := []string{
		"BEGIN:VEVENT", "UID:maintenance-7@jetmon", "DTSTAMP:20261101T110000Z", "CREATED:20261101T100000Z", "LAST-MODIFIED:20261101T110000Z",
		"SEQUENCE:2", "DTSTART:20261224T220000Z", "DTEND:20261224T233000Z", `SUMMARY:Upgrade\, part 1\; \\o/ 🦆` + strings.Repeat("ä", 60),
		`DESCRIPTION:Site 42\na\nATTENDEE:mailto:x`, "CATEGORIES:MAINTENANCE", "TRANSP:TRANSPARENT", "END:VEVENT",
	}
	if diff := cmp.Diff(want, between(t, lines, "VEVENT", 0)); diff != "" {
		t.Error(diff)
	}

	again := once
	again.Name, again.Reason, again.Covers = "Backups", "", record.Covers{Tag: "shop"}
	again.Rule = "FREQ=WEEKLY;BYDAY=TH;UNTIL=20270601"
	again.Cut = at(t, "Europe/Berlin", "2026-12-31 23:30")
	lines = feedOf(t, again)
	event := strings.Join(between(t, lines, "VEVENT", 0), "|")
	for _, part := range []string{
		"|DTSTART;TZID=Europe/Berlin:20261224T230000|DTEND;TZID=Europe/Berlin:20261225T003000|RRULE:FREQ=WEEKLY;BYDAY=TH;UNTIL=20270601T215959Z|",
		"|DESCRIPTION:Sites with the tag shop|",
	} {
		if !strings.Contains(event, part) {
			t.Errorf("%s is not in %s", part, event)
		}
	}
	cut := strings.Join(between(t, lines, "VEVENT", 1), "|")
	if want := "|DTSTART;TZID=Europe/Berlin:20261231T230000|DTEND;TZID=Europe/Berlin:20261231T233000|RECURRENCE-ID;TZID=Europe/Berlin:20261231T230000|"; !strings.Contains(cut, want) {
		t.Errorf("%s is not in %s", want, cut)
	}
	zone := strings.Join(between(t, lines, "VTIMEZONE", 0), "|")
	if want := "|BEGIN:DAYLIGHT|DTSTART:20270328T020000|TZOFFSETFROM:+0100|TZOFFSETTO:+0200|TZNAME:CEST|END:DAYLIGHT|"; !strings.Contains(zone, want) {
		t.Errorf("%s is not in %s", want, zone)
	}
}

func TestACalendarOfNothingIsOne(t *testing.T) {
	t.Parallel()
	lines := feedOf(t)
	if lines[0] != "BEGIN:VCALENDAR" || lines[1] != "VERSION:2.0" || lines[len(lines)-2] != "END:VCALENDAR" {
		t.Errorf("%q", lines)
	}
}

func TestACalendarSaysOfWhichPort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"example.com": "DESCRIPTION:Sites of the host example.com\r\n", "example.com:8443": "DESCRIPTION:Sites of the host example.com:8443\r\n",
		"[2001:db8::1]:8443": "DESCRIPTION:Sites of the host [2001:db8::1]:8443\r\n",
	} {
		host, err := record.LocateHost(text)
		if err != nil {
			t.Fatal(err)
		}
		start := at(t, "UTC", "2026-12-01 02:00")
		p := planOf(t, record.Maintenance{ID: 1, Start: start, Duration: time.Hour, Covers: record.Covers{Host: host}})
		if got := maintenance.Feed([]*maintenance.Plan{p}, start); !strings.Contains(got, want) {
			t.Errorf("%s: %s", text, got)
		}
	}
}

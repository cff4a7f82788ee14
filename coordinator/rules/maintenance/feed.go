package maintenance

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/Automattic/jetmon/coordinator/rules/uptime"
)

// Feed writes plans as a calendar of RFC 5545, each with an id that stays. Its zones are described
// for the years around now.
func Feed(plans []*Plan, now time.Time) string {
	f := &feed{now: now}
	f.line("BEGIN", "VCALENDAR")
	f.line("VERSION", "2.0")
	f.line("PRODID", "-//Automattic//Jetmon//EN")
	f.line("CALSCALE", "GREGORIAN")
	f.line("METHOD", "PUBLISH")
	f.line("X-WR-CALNAME", "Jetmon maintenance")
	f.line("REFRESH-INTERVAL;VALUE=DURATION", "PT15M")
	f.zones(plans)
	for _, p := range plans {
		f.plan(p)
	}
	f.line("END", "VCALENDAR")
	return f.out.String()
}

type feed struct {
	out strings.Builder
	now time.Time
}

const (
	// maxLine is where lines are folded, in bytes without the end.
	maxLine = 75
	// yearsBehind and yearsAhead bound what is said of the clocks of a zone.
	yearsBehind, yearsAhead = 1, 10

	utcTime   = "20060102T150405Z"
	localTime = "20060102T150405"
)

// line writes a line, folded between characters.
func (f *feed) line(name, value string) {
	text := name + ":" + value
	for limit := maxLine; len(text) > limit; limit = maxLine - 1 {
		cut := limit
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		f.out.WriteString(text[:cut] + "\r\n ")
		text = text[cut:]
	}
	f.out.WriteString(text + "\r\n")
}

// escaped escapes a text of people. Control characters have no place in a calendar.
func escaped(text string) string {
	text = strings.NewReplacer("\r\n", `\n`, "\r", `\n`, "\n", `\n`, `\`, `\\`, ";", `\;`, ",", `\,`).Replace(text)
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7F {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// zones describes the zones of plans that repeat.
func (f *feed) zones(plans []*Plan) {
	written := map[string]bool{}
	for _, p := range plans {
		if !p.inZone() || written[p.Zone] {
			continue
		}
		written[p.Zone] = true
		from := f.now
		for _, other := range plans {
			if other.Zone == p.Zone {
				from = uptime.Earliest(from, other.Start)
			}
		}
		f.zone(p.zone, from.AddDate(-yearsBehind, 0, 0))
	}
}

// inZone reports whether the times of a plan are written in its zone.
func (p *Plan) inZone() bool { return p.rule != nil && p.zone != time.UTC }

// zone describes when the clocks of a zone are changed from a moment on.
func (f *feed) zone(zone *time.Location, from time.Time) {
	f.line("BEGIN", "VTIMEZONE")
	f.line("TZID", zone.String())
	at := from.In(zone)
	_, before := at.Zone()
	f.observance(at, before)
	for until := f.now.AddDate(yearsAhead, 0, 0); ; {
		_, end := at.ZoneBounds()
		if end.IsZero() || end.After(until) {
			break
		}
		f.observance(end.In(zone), before)
		at = end.In(zone)
		_, before = at.Zone()
	}
	f.line("END", "VTIMEZONE")
}

// observance says that clocks show another time from a moment on; before is the offset until then.
func (f *feed) observance(at time.Time, before int) {
	kind := "STANDARD"
	if at.IsDST() {
		kind = "DAYLIGHT"
	}
	name, offset := at.Zone()
	f.line("BEGIN", kind)
	f.line("DTSTART", at.UTC().Add(time.Duration(before)*time.Second).Format(localTime))
	f.line("TZOFFSETFROM", offsetText(before))
	f.line("TZOFFSETTO", offsetText(offset))
	f.line("TZNAME", name)
	f.line("END", kind)
}

func offsetText(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	text := fmt.Sprintf("%c%02d%02d", sign, seconds/3600, seconds/60%60)
	if s := seconds % 60; s != 0 {
		text += fmt.Sprintf("%02d", s)
	}
	return text
}

// plan writes the events of a plan: all its windows as one, and the one that was ended early.
func (f *feed) plan(p *Plan) {
	start, ok := p.first()
	if !ok {
		return
	}
	first := p.window(start)
	if p.rule == nil {
		f.event(p, first, nil)
		return
	}
	f.event(p, Window{Start: start, End: start.Add(p.Duration)}, func() { f.line("RRULE", p.ruleText()) })
	if p.Cut.IsZero() {
		return
	}
	for _, w := range p.Windows(p.Cut.Add(-p.Duration), p.Cut.Add(1), maxSpans) {
		if w.End.Equal(p.Cut) {
			f.event(p, w, func() { f.time("RECURRENCE-ID", p, w.Start) })
		}
	}
}

func (f *feed) event(p *Plan, w Window, more func()) {
	f.line("BEGIN", "VEVENT")
	f.line("UID", "maintenance-"+strconv.FormatInt(p.ID, 10)+"@jetmon")
	f.line("DTSTAMP", p.Updated.UTC().Format(utcTime))
	f.line("CREATED", p.Created.UTC().Format(utcTime))
	f.line("LAST-MODIFIED", p.Updated.UTC().Format(utcTime))
	f.line("SEQUENCE", strconv.FormatInt(max(p.Revision-1, 0), 10))
	f.time("DTSTART", p, w.Start)
	f.time("DTEND", p, w.End)
	if more != nil {
		more()
	}
	f.line("SUMMARY", escaped(p.Name))
	what := "Site " + strconv.FormatInt(int64(p.Covers.SiteID), 10)
	switch {
	case p.Covers.Tag != "":
		what = "Sites with the tag " + p.Covers.Tag
	case p.Covers.Host.Host != "":
		what = "Sites of the host " + p.Covers.Host.Host
		if port := p.Covers.Host.Port; port != 0 {
			what = "Sites of the host " + joined(p.Covers.Host.Host, port)
		}
	}
	if p.Reason != "" {
		what += "\n" + p.Reason
	}
	f.line("DESCRIPTION", escaped(what))
	f.line("CATEGORIES", "MAINTENANCE")
	f.line("TRANSP", "TRANSPARENT")
	f.line("END", "VEVENT")
}

// joined is a host with a port, as URLs have them.
func joined(host string, port uint16) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}

// time writes a time: in the zone of the plan where its windows follow the clock there.
func (f *feed) time(name string, p *Plan, at time.Time) {
	if p.inZone() {
		f.line(name+";TZID="+p.zone.String(), at.In(p.zone).Format(localTime))
		return
	}
	f.line(name, at.UTC().Format(utcTime))
}

// ruleText is the rule with its end in UTC, as a beginning in a zone needs it.
func (p *Plan) ruleText() string {
	var parts []string
	for part := range strings.SplitSeq(p.Rule, ";") {
		if strings.HasPrefix(part, "UNTIL=") {
			part = "UNTIL=" + p.rule.until.UTC().Format(utcTime)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ";")
}

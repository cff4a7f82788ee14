package maintenance

import (
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

const (
	// maxRule bounds a rule, in bytes.
	maxRule = 500
	// maxCount and maxInterval bound the numbers of a rule.
	maxCount    = 1_000
	maxInterval = 1_000
)

// eras is what is added to a year before a rule is unfolded. The Gregorian calendar repeats itself
// every 400 years, weekdays included. The library looks for the next day of a rule up to the year
// 9999; for a rule that never comes, as on 30 February, it would look for 8,000 years.
const eras = 19 * 400

// rule unfolds RRULE in the time of the wall, as if that were UTC.
type rule struct {
	option rrule.ROption
	// until is the last moment at which a window may begin; zero when there is none.
	until time.Time
}

// parseRule reads a rule. It takes less than RFC 5545 has: days and longer, at the time of day of
// the first.
func parseRule(text string, zone *time.Location) (*rule, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxRule {
		return nil, refuse("recurrence", "must be at most %d bytes, has %d", maxRule, len(text))
	}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, ";") {
		key, _, _ := strings.Cut(part, "=")
		if seen[key] {
			return nil, refuse("recurrence", "has %s twice", clip(key, maxQuote))
		}
		seen[key] = true
		switch key {
		case "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS":
		case "BYHOUR", "BYMINUTE", "BYSECOND":
			return nil, refuse("recurrence", "has %s; the time of day is that of start_time", key)
		default:
			return nil, refuse("recurrence", "must be as FREQ=WEEKLY;BYDAY=SU; %q is no part of a rule", clip(key, maxQuote))
		}
	}
	option, err := rrule.StrToROptionInLocation(text, zone)
	if err != nil {
		return nil, refuse("recurrence", "is no rule of RFC 5545: %s", clip(err.Error(), 2*maxQuote))
	}
	switch {
	case !strings.Contains(text, "FREQ="):
		return nil, refuse("recurrence", "needs FREQ")
	case option.Freq > rrule.DAILY:
		return nil, refuse("recurrence", "FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY")
	case option.Interval < 0, option.Interval > maxInterval, strings.Contains(text, "INTERVAL=0"):
		return nil, refuse("recurrence", "INTERVAL must be from 1 to %d", maxInterval)
	case option.Count < 0, option.Count > maxCount, strings.Contains(text, "COUNT=0"):
		return nil, refuse("recurrence", "COUNT must be from 1 to %d", maxCount)
	case option.Count > 0 && !option.Until.IsZero():
		return nil, refuse("recurrence", "must not have both COUNT and UNTIL")
	}
	if err := checkDays(option); err != nil {
		return nil, err
	}
	r := &rule{option: *option, until: option.Until}
	if untilIsDate(text) {
		r.until = time.Date(r.until.Year(), r.until.Month(), r.until.Day(), 23, 59, 59, 0, zone)
	}
	r.option.Until = time.Time{} // the library would compare it with the time of the wall
	_, err = r.days(time.Unix(0, 0).UTC())
	return r, err
}

// checkDays refuses numbers of weekdays that the library cannot count: its tables are those of one
// year, and beyond their ends it panics, months after the rule was accepted.
func checkDays(o *rrule.ROption) error {
	numbered, most := 0, mostInMonth
	if o.Freq == rrule.YEARLY && len(o.Bymonth) == 0 {
		most = mostInYear
	}
	for _, day := range o.Byweekday {
		n := day.N()
		if n != 0 {
			numbered++
		}
		switch {
		case n != 0 && o.Freq > rrule.MONTHLY:
			return refuse("recurrence", "BYDAY may count weekdays, as %v, only when FREQ is MONTHLY or YEARLY", day)
		case n < -most, n > most:
			return refuse("recurrence", "BYDAY may count to %d there, not as %v", most, day)
		}
	}
	if numbered != 0 && numbered != len(o.Byweekday) {
		return refuse("recurrence", "BYDAY must count all its weekdays, as 1MO,3MO, or none, as MO,WE")
	}
	if numbered != 0 && len(o.Byweekno) != 0 {
		return refuse("recurrence", "BYDAY must not count weekdays beside BYWEEKNO")
	}
	return nil
}

const (
	// mostInMonth and mostInYear are how often a weekday comes at most.
	mostInMonth = 5
	mostInYear  = 53
)

// untilIsDate reports whether UNTIL is a day, all of which is meant.
func untilIsDate(text string) bool {
	_, after, found := strings.Cut(text, "UNTIL=")
	value, _, _ := strings.Cut(after, ";")
	return found && len(value) == len(rrule.DateFormat)
}

// skip returns a beginning from which the rule goes on as from wall, near old if that can be told
// without unfolding it, and not after it.
func (r *rule) skip(wall, old time.Time) time.Time {
	step := max(r.option.Interval, 1)
	switch {
	case r.option.Count > 0 || r.option.Freq < rrule.WEEKLY || !wall.Before(old):
		return wall
	case r.option.Freq == rrule.WEEKLY:
		step *= 7
	}
	days := int(old.Sub(wall) / (24 * time.Hour))
	return wall.AddDate(0, 0, days-days%step)
}

// days returns the times of the wall at which windows begin, one after the other, for a first one
// at or after wall. The function that it returns says false when there are no more.
func (r *rule) days(wall time.Time) (func() (time.Time, bool), error) {
	o := r.option
	o.Dtstart = wall.AddDate(eras, 0, 0)
	lib, err := rrule.NewRRule(o)
	if err != nil {
		return nil, refuse("recurrence", "is no rule of RFC 5545: %s", clip(err.Error(), 2*maxQuote))
	}
	next := lib.Iterator()
	return func() (time.Time, bool) {
		at, ok := next()
		return at.AddDate(-eras, 0, 0), ok
	}, nil
}

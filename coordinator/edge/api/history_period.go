package api

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	aDay = 24 * time.Hour
	// maxTurnDays bounds a period of which turns or hours are read, maxDays any other.
	maxTurnDays = 100
	maxDays     = 800
	// maxFleetPoints bounds the history of the fleet.
	maxFleetPoints = 1000
)

// firstYear is before any monitor.
const firstYear = 1990

// asked is a request's period.
type asked struct {
	start, end *timestamppb.Timestamp
	// length is that of the period when it has no start, most the longest.
	length, most time.Duration
}

// period returns the period of a request. Without an end it is up to until.
func (a asked) period(now, until time.Time) (uptime.Span, error) {
	p := uptime.Span{End: until}
	if a.end != nil {
		if err := a.end.CheckValid(); err != nil {
			return p, fault.InvalidField("end_time", "%w", err)
		}
		p.End = a.end.AsTime()
	}
	p.Start = p.End.Add(-a.length)
	if a.start != nil {
		if err := a.start.CheckValid(); err != nil {
			return p, fault.InvalidField("start_time", "%w", err)
		}
		p.Start = a.start.AsTime()
	}
	switch {
	case p.End.After(now.Add(aDay)):
		return p, fault.InvalidField("end_time", "must not be more than a day from now")
	case p.Start.Before(time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC)):
		return p, fault.InvalidField("start_time", "must not be before %d", firstYear)
	case !p.Start.Before(p.End):
		return p, fault.InvalidField("end_time", "must be after start_time, %s", p.Start.Format(time.RFC3339))
	case p.End.Sub(p.Start) > a.most:
		return p, fault.InvalidField("start_time", "must be at most %d days before end_time", a.most/aDay)
	}
	return p, nil
}

// midnight returns the beginning of a day of UTC.
func midnight(at time.Time) time.Time { return at.UTC().Truncate(aDay) }

// wholeDays refuses a period that is not one of whole days of UTC.
func wholeDays(p uptime.Span) error {
	for _, x := range []struct {
		field string
		at    time.Time
	}{{"end_time", p.End}, {"start_time", p.Start}} {
		if !x.at.Equal(midnight(x.at)) {
			return fault.InvalidField(x.field, "must be a midnight of UTC, as %s", midnight(x.at).Format(time.RFC3339))
		}
	}
	return nil
}

// resolution is what a point of a history stands for.
type resolution time.Duration

const (
	raw    resolution = 0
	hourly            = resolution(time.Hour)
	daily             = resolution(aDay)
)

func resolutionOf(r monitorv1.HistoryResolution) resolution {
	switch r {
	case monitorv1.HistoryResolution_HISTORY_RESOLUTION_RAW:
		return raw
	case monitorv1.HistoryResolution_HISTORY_RESOLUTION_DAY:
		return daily
	}
	return hourly
}

// period is that of a request at a resolution.
func (r resolution) period(start, end *timestamppb.Timestamp, now time.Time) (uptime.Span, error) {
	a := asked{start: start, end: end, length: aDay, most: maxTurnDays * aDay}
	if r == daily {
		a.length, a.most = shortDays*aDay, maxDays*aDay
	}
	return a.period(now, now)
}

// cut returns the first hour or day of a period, as far as it lies in it.
func (r resolution) cut(p uptime.Span) uptime.Span {
	end := p.Start.UTC().Truncate(time.Duration(r)).Add(time.Duration(r))
	if end.After(p.End) {
		end = p.End
	}
	return uptime.Span{Start: p.Start, End: end}
}

// periodToken is the page token for what is left of a period.
func periodToken(p uptime.Span) string {
	return strconv.FormatInt(p.Start.UnixNano(), 36) + "." + strconv.FormatInt(p.End.UnixNano(), 36)
}

// parsePeriodToken returns what is left of a period.
func parsePeriodToken(t string, whole uptime.Span) (uptime.Span, error) {
	if t == "" {
		return whole, nil
	}
	start, end, _ := strings.Cut(t, ".")
	from, err := strconv.ParseInt(start, 36, 64)
	if err != nil {
		return whole, badToken()
	}
	to, err := strconv.ParseInt(end, 36, 64)
	if err != nil {
		return whole, badToken()
	}
	p := uptime.Span{Start: time.Unix(0, from), End: time.Unix(0, to)}
	if periodToken(p) != t {
		return whole, badToken()
	}
	return p, nil
}

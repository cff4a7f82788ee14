package api

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// codeToProto says what became of a turn.
func codeToProto(c history.Code) monitorv1.TurnCode {
	switch c {
	case history.None:
		return monitorv1.TurnCode_TURN_CODE_NONE
	case history.Failed:
		return monitorv1.TurnCode_TURN_CODE_FAILED
	case history.Blocked:
		return monitorv1.TurnCode_TURN_CODE_BLOCKED
	case history.Maintenance:
		return monitorv1.TurnCode_TURN_CODE_MAINTENANCE
	case history.Paused:
		return monitorv1.TurnCode_TURN_CODE_PAUSED
	}
	if c.IsTime() {
		return monitorv1.TurnCode_TURN_CODE_GOOD
	}
	return monitorv1.TurnCode_TURN_CODE_UNKNOWN
}

func turnsToProto(t *history.Tally) *monitorv1.TurnCounts {
	n := func(c history.Code) int64 { return int64(t[c]) }
	counts := &monitorv1.TurnCounts{
		None: n(history.None), Failed: n(history.Failed), Blocked: n(history.Blocked),
		Maintenance: n(history.Maintenance), Paused: n(history.Paused), Good: int64(t.Times()),
	}
	counts.Unknown = int64(t.Turns()) - counts.None - counts.Failed - counts.Blocked - counts.Maintenance - counts.Paused - counts.Good
	return counts
}

// timesToProto returns the times of good checks; nil when there were none.
func timesToProto(t *history.Tally) *monitorv1.ResponseTimes {
	if t.Times() == 0 {
		return nil
	}
	at := func(percent float64) *durationpb.Duration { return took(t.Percentile(percent)) }
	least := history.None
	for c := range t {
		if code := history.Code(c); code.IsTime() && t[c] > 0 {
			least = code
			break
		}
	}
	return &monitorv1.ResponseTimes{Checks: int64(t.Times()), Min: took(least), P50: at(50), P95: at(95), P99: at(99), Max: at(100)}
}

// took is the time that a code stands for, without digits that it does not have.
func took(c history.Code) *durationpb.Duration {
	d := c.Time()
	if d < time.Second {
		return durationpb.New(d.Round(100 * time.Microsecond))
	}
	return durationpb.New(d.Round(time.Millisecond))
}

// share returns a share for a field that may be absent.
func share(x float64, ok bool) *float64 {
	if !ok {
		return nil
	}
	return &x
}

// uptimeToProto says how a site was over a period.
func uptimeToProto(id check.SiteID, s uptime.Stats, t *uptime.Turns, known time.Time) *monitorv1.SiteUptime {
	u := &monitorv1.SiteUptime{
		SiteId: int64(id), StartTime: timestamp(s.Period.Start), EndTime: timestamp(s.Period.End), KnownTime: timestamp(known),
		Uptime: share(s.Uptime()), Coverage: share(t.Coverage()),
		WatchedTime: durationpb.New(s.Watched), DownTime: durationpb.New(s.Down), MaintenanceTime: durationpb.New(s.Maintenance),
		PausedTime: durationpb.New(s.Paused), UnobservedTime: durationpb.New(s.Unobserved),
		Outages: int32(s.Outages), EndedOutages: int32(s.Ended),
		Turns: turnsToProto(&t.Tally), ResponseTimes: timesToProto(&t.Tally),
	}
	if s.Ended > 0 {
		u.MeanTimeToRepair = durationpb.New(s.MeanRepair())
	}
	if s.Outages > 0 {
		u.MeanTimeBetweenFailures, u.LongestOutage = durationpb.New(s.MeanBetween()), durationpb.New(s.Longest)
	}
	return u
}

// pointToProto says how a site was in an hour or a day.
func pointToProto(s uptime.Stats, t *uptime.Turns) *monitorv1.HistoryPoint {
	return &monitorv1.HistoryPoint{
		StartTime: timestamp(s.Period.Start), EndTime: timestamp(s.Period.End),
		Turns: turnsToProto(&t.Tally), ResponseTimes: timesToProto(&t.Tally),
		Uptime: share(s.Uptime()), Coverage: share(t.Coverage()), DownTime: durationpb.New(s.Down), Outages: int32(s.Outages),
	}
}

// turnToProto says what became of a turn, by a check from a place.
func turnToProto(t uptime.Turn, place string) *monitorv1.HistoryPoint {
	region, checker := history.SplitPlace(place)
	p := &monitorv1.HistoryPoint{StartTime: timestamp(t.Start), EndTime: timestamp(t.End), Code: codeToProto(t.Code), Region: region, Checker: checker}
	if t.Code.IsTime() {
		p.ResponseTime = took(t.Code)
	}
	return p
}

// fleetToProto says how the checks of all sites were.
func fleetToProto(start time.Time, t *history.Tally) *monitorv1.FleetHistoryPoint {
	counts := turnsToProto(t)
	told := counts.GetGood() + counts.GetFailed() + counts.GetBlocked()
	return &monitorv1.FleetHistoryPoint{
		StartTime: timestamp(start), Turns: counts, ResponseTimes: timesToProto(t),
		GoodShare: share(float64(counts.GetGood())/float64(max(1, told)), told > 0),
	}
}

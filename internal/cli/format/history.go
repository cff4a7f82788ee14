package format

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// HistoryTitles are the titles of HistoryCells, of turns or of hours and days.
func HistoryTitles(turns bool) []string {
	if turns {
		return []string{"TIME", "CODE", "TOOK", "REGION", "CHECKER"}
	}
	return []string{"TIME", "UPTIME", "COVERAGE", "P50", "P95", "MAX", "GOOD", "FAILED", "NONE", "DOWN"}
}

// HistoryCells returns the row of a turn, an hour or a day.
func HistoryCells(p *monitorv1.HistoryPoint) []string {
	if p.GetTurns() == nil {
		return []string{moment(p.GetStartTime()), word(p.GetCode(), "TURN_CODE_"), length(p.GetResponseTime()), dash(p.GetRegion()), dash(p.GetChecker())}
	}
	t, r := p.GetTurns(), p.GetResponseTimes()
	return []string{
		moment(p.GetStartTime()), percent(p.Uptime), percent(p.Coverage), length(r.GetP50()), length(r.GetP95()), length(r.GetMax()),
		number(t.GetGood()), number(t.GetFailed() + t.GetBlocked() + t.GetMaintenance()), number(t.GetNone() + t.GetUnknown()), longTime(p.GetDownTime()),
	}
}

// HistoryLine draws the response times of points, the medians of hours and days; empty when
// there are none.
func HistoryLine(points []*monitorv1.HistoryPoint, c Chart) string {
	values := make([]float64, len(points))
	for i, p := range points {
		took := p.GetResponseTime()
		if p.GetTurns() != nil {
			took = p.GetResponseTimes().GetP50()
		}
		values[i] = seconds(took)
	}
	return line(values, c)
}

// line draws response times, and says between which they are.
func line(values []float64, c Chart) string {
	least, most := math.Inf(1), 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			least, most = min(least, v), max(most, v)
		}
	}
	if most == 0 {
		return ""
	}
	as := func(s float64) string { return length(durationpb.New(time.Duration(s * float64(time.Second)))) }
	return fmt.Sprintf("%s  %s to %s", c.Line(values), as(least), as(most))
}

// FleetHistoryTitles are the titles of FleetHistoryCells.
func FleetHistoryTitles() []string {
	return []string{"TIME", "CHECKS", "GOOD", "P50", "P95", "P99", "FAILED", "UNKNOWN", "NONE"}
}

// FleetHistoryCells returns the row of an hour or a day of all sites.
func FleetHistoryCells(p *monitorv1.FleetHistoryPoint) []string {
	t, r := p.GetTurns(), p.GetResponseTimes()
	failed := t.GetFailed() + t.GetBlocked() + t.GetMaintenance()
	return []string{
		moment(p.GetStartTime()), number(t.GetGood() + failed + t.GetUnknown()), percent(p.GoodShare), length(r.GetP50()), length(r.GetP95()), length(r.GetP99()),
		number(failed), number(t.GetUnknown()), number(t.GetNone()),
	}
}

// FleetHistoryLine draws the medians of points; empty when there are none.
func FleetHistoryLine(points []*monitorv1.FleetHistoryPoint, c Chart) string {
	if len(points) == 0 {
		return "Nothing is summed up of that time. An hour is, within a quarter of an hour after its end."
	}
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = seconds(p.GetResponseTimes().GetP50())
	}
	return line(values, c)
}

// UptimeTitles are the titles of UptimeCells.
func UptimeTitles() []string {
	return []string{"SITE", "UPTIME", "COVERAGE", "DOWN", "OUTAGES", "P50", "P95", "P99", "BY DAY"}
}

// UptimeCells returns the row of a site over a period.
func UptimeCells(u *monitorv1.SiteUptime, c Chart) []string {
	r := u.GetResponseTimes()
	return []string{
		number(u.GetSiteId()), percent(u.Uptime), percent(u.Coverage), longTime(u.GetDownTime()), strconv.Itoa(int(u.GetOutages())),
		length(r.GetP50()), length(r.GetP95()), length(r.GetP99()), Chart{Blocks: c.Blocks}.Bar(days(u)), // a cell has no colours
	}
}

func days(u *monitorv1.SiteUptime) []Day {
	all := make([]Day, len(u.GetDays()))
	for i, d := range u.GetDays() {
		all[i] = Day{Up: d.GetUptime(), Known: d.Uptime != nil}
	}
	return all
}

// Uptime writes all that is known of a site over a period.
func Uptime(w io.Writer, u *monitorv1.SiteUptime, c Chart) error {
	err := write(w, func(p *page) {
		p.line("site\t%s", number(u.GetSiteId()))
		p.line("from\t%s", moment(u.GetStartTime()))
		p.line("to\t%s", moment(u.GetEndTime()))
		p.line("uptime\t%s", percent(u.Uptime))
		if u.GetKnownTime() == nil {
			p.line("coverage\t- (no check of the period is kept)")
		} else {
			p.line("coverage\t%s of the checks that were due until %s", percent(u.Coverage), moment(u.GetKnownTime()))
		}
		p.line("watched\t%s", longTime(u.GetWatchedTime()))
		for _, x := range []struct {
			name string
			d    *durationpb.Duration
		}{
			{"down", u.GetDownTime()}, {"in maintenance", u.GetMaintenanceTime()}, {"paused", u.GetPausedTime()}, {"unobserved", u.GetUnobservedTime()},
		} {
			if x.d.AsDuration() > 0 {
				p.line("%s\t%s", x.name, longTime(x.d))
			}
		}
		p.line("outages\t%d", u.GetOutages())
		if u.GetMeanTimeToRepair() != nil {
			p.line("time to repair\t%s on average", longTime(u.GetMeanTimeToRepair()))
		}
		if u.GetMeanTimeBetweenFailures() != nil {
			p.line("time between failures\t%s on average", longTime(u.GetMeanTimeBetweenFailures()))
			p.line("longest outage\t%s", longTime(u.GetLongestOutage()))
		}
		p.times("response time", u.GetResponseTimes())
		for _, r := range u.GetRegions() {
			p.times("in "+dash(r.GetRegion()), r.GetResponseTimes())
		}
	})
	if err != nil || len(u.GetDays()) == 0 {
		return err
	}
	_, err = fmt.Fprintf(w, "\n%s\n%s\n", c.Bar(days(u)), c.Legend())
	return err
}

func (p *page) times(name string, r *monitorv1.ResponseTimes) {
	if r == nil {
		p.line("%s\t-", name)
		return
	}
	p.line("%s\tp50 %s, p95 %s, p99 %s, %s to %s in %s", name, length(r.GetP50()), length(r.GetP95()), length(r.GetP99()),
		length(r.GetMin()), length(r.GetMax()), Count(int(r.GetChecks()), "check"))
}

// percent writes a share, never rounded up: 100% is all.
func percent(share *float64) string {
	if share == nil {
		return "-"
	}
	const parts = 1000
	x := math.Floor(*share*100*parts+1e-6) / parts
	if x >= 100 && *share < 1 {
		x = 100 - 1.0/parts
	}
	return strconv.FormatFloat(x, 'f', -1, 64) + "%"
}

// length writes how long an answer took.
func length(d *durationpb.Duration) string {
	if d == nil {
		return "-"
	}
	switch t := d.AsDuration(); {
	case t >= 10*time.Second:
		return strconv.FormatFloat(t.Seconds(), 'f', 1, 64) + "s"
	case t >= time.Second:
		return strconv.FormatFloat(t.Seconds(), 'f', 2, 64) + "s"
	case t >= 10*time.Millisecond:
		return strconv.FormatInt(t.Round(time.Millisecond).Milliseconds(), 10) + "ms"
	default:
		return strconv.FormatFloat(float64(t)/float64(time.Millisecond), 'f', 1, 64) + "ms"
	}
}

// longTime writes a time of hours or days; nothing is "0s".
func longTime(d *durationpb.Duration) string {
	t := d.AsDuration().Round(time.Second)
	if t < 48*time.Hour {
		return t.String()
	}
	hours := t.Round(time.Hour) / time.Hour
	return fmt.Sprintf("%dd%dh", hours/24, hours%24)
}

// seconds returns a time for a chart; NaN when there is none.
func seconds(d *durationpb.Duration) float64 {
	if d == nil {
		return math.NaN()
	}
	return d.AsDuration().Seconds()
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

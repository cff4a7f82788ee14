package format

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// SiteTitles are the titles of SiteCells.
func SiteTitles() []string { return []string{"ID", "BLOG", "STATE", "STATUS", "LAST CHECK", "URL"} }

// SiteCells returns the row of a site.
func SiteCells(s *monitorv1.Site) []string {
	return []string{
		strconv.FormatInt(s.GetSiteId(), 10), strconv.FormatInt(s.GetBlogId(), 10), word(s.GetState(), "SITE_STATE_"),
		strconv.Itoa(int(s.GetStatusId())), moment(s.GetLastCheckTime()), s.GetUrl(),
	}
}

// AdvisoryTitles are the titles of AdvisoryCells.
func AdvisoryTitles() []string { return []string{"SITE", "ADVISORY", "SINCE", "DETAIL", "URL"} }

// AdvisoryCells returns the row of an open remark.
func AdvisoryCells(a *monitorv1.SiteAdvisory) []string {
	detail := a.GetDetail()
	if end := a.GetCertificateExpireTime(); end != nil {
		detail = "certificate ends " + moment(end)
	}
	return []string{
		strconv.FormatInt(a.GetSiteId(), 10), word(a.GetAdvisory(), "ADVISORY_"), moment(a.GetOpenTime()), detail, a.GetUrl(),
	}
}

// IncidentTitles are the titles of IncidentCells.
func IncidentTitles() []string {
	return []string{"ID", "BEGAN", "OVER", "DOWN", "SITES", "SHARED", "VALUE"}
}

// IncidentCells returns the row of an incident.
func IncidentCells(i *monitorv1.Incident) []string {
	return []string{
		strconv.FormatInt(i.GetIncidentId(), 10), moment(i.GetStartTime()), moment(i.GetEndTime()), strconv.FormatInt(i.GetMembersDown(), 10),
		strconv.FormatInt(i.GetMembers(), 10), word(i.GetCause(), "SHARED_CAUSE_"), i.GetCauseValue(),
	}
}

// MemberTitles are the titles of MemberCells.
func MemberTitles() []string { return []string{"SITE", "STATE", "SINCE"} }

// MemberCells returns the row of a site of an incident.
func MemberCells(m *monitorv1.IncidentMember) []string {
	state := "up"
	if m.GetDown() {
		state = "down"
	}
	return []string{strconv.FormatInt(m.GetSiteId(), 10), state, moment(m.GetChangeTime())}
}

// OutageTitles are the titles of OutageCells.
func OutageTitles() []string {
	return []string{"ID", "SITE", "BEGAN", "OVER", "RULE", "FAILURE", "URL"}
}

// OutageCells returns the row of an outage.
func OutageCells(o *monitorv1.Outage) []string {
	return []string{
		strconv.FormatInt(o.GetOutageId(), 10), strconv.FormatInt(o.GetSiteId(), 10), moment(o.GetStartTime()),
		over(o), rule(o.GetRule()), failure(o.GetFailure(), o.GetReason(), o.GetHttpStatus()), o.GetUrl(),
	}
}

// More is the line below a list that goes on.
const More = "There are more: --limit=0 lists all."

// Explanation writes the reasons for a site's status.
func Explanation(w io.Writer, x *monitorv1.Explanation) error {
	return write(w, func(p *page) { p.explanation(x) })
}

// Outage writes one outage with the checks and votes that led to it.
func Outage(w io.Writer, o *monitorv1.Outage) error {
	return write(w, func(p *page) { p.outage(o) })
}

// Replay writes the result of replaying a ballot, and if other is set, the result of
// another rule.
func Replay(w io.Writer, r *monitorv1.ReplayOutageResponse, other bool) error {
	return write(w, func(p *page) { p.replay(r, other) })
}

// Ballot writes the verifliers' votes on a URL at this moment.
func Ballot(w io.Writer, url string, b *monitorv1.Ballot) error {
	return write(w, func(p *page) {
		p.line("%s", url)
		p.ballot("Verdict", b)
	})
}

func (p *page) explanation(x *monitorv1.Explanation) {
	s := x.GetSite()
	p.line("Site %d, %s", s.GetSiteId(), s.GetUrl())
	p.line("%s", x.GetSummary())
	if x.GetWithheld() != "" {
		p.line("Withheld: %s.", x.GetWithheld())
	}
	if r := s.GetRegionalFinding(); r != nil {
		p.line("Regional at %s: down from %s, up from %s.", moment(r.GetFindTime()), fmt.Sprint(r.GetDownRegions()), fmt.Sprint(r.GetUpRegions()))
	}
	if next := s.GetNextCheckTime(); next != nil {
		p.line("Next check: %s.", moment(next))
	}
	p.checks("Checks:", x.GetChecks())
	p.line("Rule: %s.", rule(x.GetRule()))
	p.ballot("Last decision", x.GetBallot())
	if o := x.GetOutage(); o != nil {
		p.line("Outage %d: began %s, confirmed %s, over %s.", o.GetOutageId(), moment(o.GetStartTime()), moment(o.GetConfirmTime()), over(o))
	}
	if len(x.GetWouldChange()) > 0 {
		p.line("What would change this:")
	}
	for _, w := range x.GetWouldChange() {
		p.line("  - %s", w)
	}
}

func (p *page) outage(o *monitorv1.Outage) {
	p.line("Outage %d of site %d, %s", o.GetOutageId(), o.GetSiteId(), o.GetUrl())
	p.line("Began %s, confirmed %s, over %s; status %d.", moment(o.GetStartTime()), moment(o.GetConfirmTime()), over(o), o.GetStatusId())
	if o.GetSuspendTime() != nil {
		p.line("Suspended since %s: the site is paused.", moment(o.GetSuspendTime()))
	}
	if d := o.GetPausedDuration(); d != nil {
		p.line("Paused for %s meanwhile, which is no downtime.", d.AsDuration().Round(time.Second))
	}
	if id := o.GetMaintenanceId(); id != 0 {
		p.line("It began in maintenance %d, of which nobody is told before that is over.", id)
	}
	if d := o.GetMaintenanceDuration(); d != nil {
		p.line("In maintenance for %s meanwhile, which is no downtime.", d.AsDuration().Round(time.Second))
	}
	p.line("Failure: %s.", failure(o.GetFailure(), o.GetReason(), o.GetHttpStatus()))
	if o.GetRelapses() > 0 {
		p.line("It came back %d times for a while.", o.GetRelapses())
	}
	p.checks("Checks that led to it:", o.GetChecks())
	p.line("Confirmed in round %d by the rule %s:", o.GetRound(), rule(o.GetRule()))
	p.votes(o.GetVotes())
}

// over formats the time and reason of an outage's end, "-" while it is open.
func over(o *monitorv1.Outage) string {
	if o.GetEndReason() == monitorv1.EndReason_END_REASON_UNSPECIFIED {
		return moment(o.GetEndTime())
	}
	return fmt.Sprintf("%s (%s)", moment(o.GetEndTime()), word(o.GetEndReason(), "END_REASON_"))
}

func (p *page) replay(r *monitorv1.ReplayOutageResponse, other bool) {
	p.ballot("Stored", r.GetBallot())
	p.line("Replayed by the rule %s: %s", rule(r.GetBallot().GetRule()), r.GetReplayedVerdict().String()[len("VERDICT_"):])
	if r.GetReplayedVerdict() != r.GetBallot().GetVerdict() {
		p.line("THAT IS NOT WHAT WAS STORED: please report it as a bug.")
	}
	if other {
		p.line("By the rule %s: %s", rule(r.GetOtherRule()), r.GetOtherVerdict().String()[len("VERDICT_"):])
	}
}

func (p *page) ballot(what string, b *monitorv1.Ballot) {
	if b == nil {
		return
	}
	took := b.GetDecideTime().AsTime().Sub(b.GetOpenTime().AsTime()).Round(100 * time.Millisecond)
	p.line("%s: %s at %s, round %d, %s, after %s", what, b.GetVerdict().String()[len("VERDICT_"):],
		moment(b.GetDecideTime()), b.GetRound(), rule(b.GetRule()), took)
	p.votes(b.GetVotes())
}

func (p *page) votes(votes []*monitorv1.Vote) {
	for _, v := range votes {
		what := seen(v.GetObservation())
		if v.GetUnknownReason() != "" {
			what = v.GetUnknownReason()
		}
		p.line("  %s\t%s\t%s\t%s", v.GetVeriflier(), v.GetRegion(), v.GetValue().String()[len("VOTE_VALUE_"):], what)
	}
}

func (p *page) checks(title string, checks []*monitorv1.LocalCheck) {
	if len(checks) == 0 {
		return
	}
	p.line("%s", title)
	for _, c := range checks {
		p.line("  %s\t%s\t%s", moment(c.GetEndTime()), c.GetChecker(), seen(c.GetObservation()))
	}
}

// seen describes an observation in a few words.
func seen(o *checkv1.Observation) string {
	took := time.Duration(o.GetTimings().GetTotalMicros()) * time.Microsecond
	switch {
	case o == nil:
		return "-"
	case o.GetOutcome() == checkv1.Outcome_OUTCOME_UP:
		return fmt.Sprintf("up, HTTP status %d, %s", o.GetHttpStatus(), took.Round(time.Millisecond))
	}
	return fmt.Sprintf("%s: %s, %s", word(o.GetOutcome(), "OUTCOME_"), failure(o.GetFailure(), o.GetReason(), int32(o.GetHttpStatus())), took.Round(time.Millisecond))
}

// failure describes a failure in a few words.
func failure(kind checkv1.FailureKind, reason string, status int32) string {
	text := word(kind, "FAILURE_KIND_")
	if reason != "" {
		text += " (" + reason + ")"
	}
	if status != 0 {
		text += fmt.Sprintf(", HTTP status %d", status)
	}
	return text
}

func rule(r *monitorv1.QuorumRule) string {
	return fmt.Sprintf("%d of %d in %d regions", r.GetNeed(), r.GetVerifliers(), r.GetRegions())
}

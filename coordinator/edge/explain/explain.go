package explain

import (
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// Facts are the basis of an explanation.
type Facts struct {
	Now    time.Time
	View   engine.View
	Policy lifecycle.Policy
	Rule   quorum.Rule
}

// Summary describes the state of the site and its last check.
func (f Facts) Summary() string {
	v := f.View
	if v.State.Stage == lifecycle.Up && v.Last != nil && v.Last.Outcome == check.OutcomeUp {
		return "Up: the " + f.lastCheck() + "."
	}
	text := f.stands()
	if v.Last == nil {
		return text
	}
	text += " The " + f.lastCheck() + "."
	if tells(v.Last) && !f.judged() {
		text += " It has changed nothing."
	}
	return text
}

// stands describes the state in a sentence.
func (f Facts) stands() string {
	if why := f.View.Uncheckable; why != "" {
		return fmt.Sprintf("Uncheckable: its URL cannot be checked (%s), so nobody is told anything; %s.", why, told(f.View))
	}
	s := f.View.State
	switch s.Stage {
	case lifecycle.NeverChecked:
		return f.neverChecked()
	case lifecycle.Up:
		if l := f.View.Last; l != nil && l.Outcome == check.OutcomeDown && f.judged() {
			return "Up: the verifliers rejected its failures."
		}
		if s.Observed.IsZero() {
			return "Up when it was last known."
		}
		return fmt.Sprintf("Up when it was last known, at %s.", clock(s.Observed))
	case lifecycle.Suspect:
		if s.Held {
			return fmt.Sprintf("Suspect and undecided since %s: %s. %s", clock(s.FirstFailure), f.View.UndecidedReason, f.nobodyTold())
		}
		return fmt.Sprintf("Suspect: %d of %d failing checks since %s. %s", s.Failures, f.Policy.Failures, clock(s.FirstFailure), f.nobodyTold())
	case lifecycle.Verifying:
		return fmt.Sprintf("Failing since %s; the verifliers are asked, round %d of %d. %s",
			clock(s.FirstFailure), s.Round, len(f.Policy.RoundWaits)+1, f.nobodyTold())
	case lifecycle.Down, lifecycle.ConfirmedDown:
		text := fmt.Sprintf("Down: %s.", told(f.View))
		if f.View.Hushed != 0 {
			text = fmt.Sprintf("Down, of which nobody is told because of maintenance %d: %s.", f.View.Hushed, told(f.View))
		}
		if s.Flap.Relapses > 0 {
			text += fmt.Sprintf(" It has come back %d times for a while.", s.Flap.Relapses)
		}
		return text
	case lifecycle.Recovering:
		if s.Flap.Agreed {
			return fmt.Sprintf("Coming back: good since %s, but it flaps; %s.", clock(s.Flap.Good), told(f.View))
		}
		return fmt.Sprintf("Coming back: good since %s, so far seen by %s alone; another node is asked; %s.", clock(s.Flap.Good), s.Node, told(f.View))
	case lifecycle.Paused:
		return "Paused: it is not checked."
	}
	return "Unknown."
}

// nobodyTold says that a failure has not been told, and what was told of an earlier URL.
func (f Facts) nobodyTold() string {
	if f.View.State.Inherited {
		return "Nobody has been told of it; of an earlier URL " + told(f.View) + "."
	}
	return "Nobody has been told."
}

// neverChecked describes a site that has not been judged since this coordinator took it
// over, or since it was resumed or edited. Its last check may be older than that, or
// UNKNOWN.
func (f Facts) neverChecked() string {
	const since = "since it was taken over, resumed or edited"
	switch last := f.View.Last; {
	case last == nil:
		return fmt.Sprintf("Not checked yet %s; %s.", since, told(f.View))
	case !tells(last):
		return fmt.Sprintf("No check could tell yet %s; %s.", since, told(f.View))
	}
	return fmt.Sprintf("Not judged yet %s; %s.", since, told(f.View))
}

// tells reports whether an observation is UP or DOWN.
func tells(o *check.Observation) bool {
	return o.Outcome == check.OutcomeUp || o.Outcome == check.OutcomeDown
}

// judged reports whether the state rests on the last check. A check is not judged while a
// change of status waits for the database, or while the site is paused.
func (f Facts) judged() bool { return f.View.State.Observed.Equal(f.View.LastCheck) }

// lastCheck describes the result of the last check.
func (f Facts) lastCheck() string {
	who := "last check"
	if n := f.View.LastNode; n != "" {
		who += ", by " + n + ","
	}
	switch o := f.View.Last; o.Outcome {
	case check.OutcomeUp:
		return who + " was good"
	case check.OutcomeDown:
		return who + " found it failing: " + failure(o)
	default:
		return who + " could not tell: " + failure(o)
	}
}

// failure describes the failure in an observation.
func failure(o *check.Observation) string {
	words := [...]string{"no failure", "dns", "connect", "tls", "timeout", "server", "blocked", "client", "redirect", "content", "partial", "protocol", "policy"}
	text := fmt.Sprintf("failure %d", o.Failure)
	if int(o.Failure) < len(words) {
		text = words[o.Failure]
	}
	if o.Reason != "" {
		text += " (" + o.Reason + ")"
	}
	if o.HTTPStatus != 0 {
		text += fmt.Sprintf(", HTTP status %d", o.HTTPStatus)
	}
	return text
}

// told describes the status that WordPress.com knows.
func told(v engine.View) string {
	what := map[check.Status]string{
		check.StatusDown: "down (status 0)", check.StatusRunning: "running (status 1)", check.StatusConfirmedDown: "confirmed down (status 2)",
	}[v.Status]
	switch {
	case v.Voice != shard.Telling && v.StatusSince.IsZero():
		return fmt.Sprintf("on record as %s, and WordPress.com is told nothing (%s)", what, silence(v.Voice))
	case v.Voice != shard.Telling:
		return fmt.Sprintf("on record as %s since %s, and WordPress.com is told nothing (%s)", what, clock(v.StatusSince), silence(v.Voice))
	case v.StatusSince.IsZero():
		return "WordPress.com knows it as " + what
	}
	return fmt.Sprintf("WordPress.com was told %s at %s", what, clock(v.StatusSince))
}

// silence names the flag because of which WordPress.com is told nothing.
func silence(v shard.Voice) string {
	if v == shard.OnTrial {
		return "--trial"
	}
	return "--no-notify"
}

// Withheld describes what is not reported, and why; empty when nothing is withheld.
func (f Facts) Withheld() string {
	s := f.View.State
	switch {
	case f.View.Pending:
		return "a change of status is decided and waits for the database; it is reported when it is stored"
	case s.Held:
		return "a possible outage: " + f.View.UndecidedReason
	case s.Stage == lifecycle.Suspect || s.Stage == lifecycle.Verifying:
		return "a possible outage: it is not confirmed yet"
	case s.Stage == lifecycle.Recovering && s.Flap.Agreed:
		return fmt.Sprintf("a recovery: a site that flaps must be good for %s", f.Policy.FlapHold)
	case s.Stage == lifecycle.Recovering:
		return "a recovery: one node alone does not end an outage"
	case f.View.Regional != nil:
		return fmt.Sprintf("a regional failure: down from %v, up from %v", f.View.Regional.Down, f.View.Regional.Up)
	case f.View.Voice != shard.Telling:
		return fmt.Sprintf("every change: delivery to WordPress.com is switched off (%s)", silence(f.View.Voice))
	}
	return ""
}

// WouldChange lists the events that would change the state.
func (f Facts) WouldChange() []string {
	if f.View.Pending {
		return []string{"the database storing the change that waits: no check is judged before"}
	}
	if f.View.Uncheckable != "" {
		return []string{"another URL of the site"}
	}
	s, p := f.View.State, f.Policy
	confirm := fmt.Sprintf("%d of %d verifliers in %d regions that see it down: an outage is opened and told (status 0)",
		f.Rule.Need, f.Rule.Voters, f.Rule.Regions)
	good := "a good check: it is up"
	if s.Inherited {
		confirm = fmt.Sprintf("%d of %d verifliers in %d regions that see it down: an outage of this URL is opened, and nobody is told again",
			f.Rule.Need, f.Rule.Voters, f.Rule.Regions)
		good = "a good check, and one by another node: it is up and told (status 1)"
	}
	reject := fmt.Sprintf("%d of %d verifliers that see it up: a false alarm, nobody is told", f.Rule.Voters-f.Rule.Need+1, f.Rule.Voters)
	switch s.Stage {
	case lifecycle.NeverChecked, lifecycle.Up:
		fail := fmt.Sprintf("%d failing checks, %s apart and by different checkers: the verifliers are asked", p.Failures, p.Between)
		if s.Stage == lifecycle.NeverChecked {
			return []string{good, fail, confirm}
		}
		return []string{fail, confirm}
	case lifecycle.Suspect:
		fail := fmt.Sprintf("%d more failing checks, %s apart: the verifliers are asked", p.Failures-min(s.Failures, p.Failures), p.Between)
		if s.Held {
			fail = "the next failing check: the verifliers are asked anew"
		}
		if !s.Inherited {
			good += ", nobody is told"
		}
		return []string{good, fail, confirm}
	case lifecycle.Verifying:
		return []string{confirm, reject, "neither: a new round, and after the last one the site is undecided"}
	case lifecycle.Down:
		fail := "the next failing check"
		if end := s.StatusSince.Add(p.NoticeWindow); end.After(f.Now) {
			fail = "a failing check after " + clock(end)
		}
		return []string{f.recovery(), fail + ": it is told as confirmed down (status 2)"}
	case lifecycle.ConfirmedDown:
		return []string{f.recovery()}
	case lifecycle.Recovering:
		if s.Flap.Agreed {
			return []string{fmt.Sprintf("a good check after %s: the outage is over and told (status 1)", clock(s.Flap.Good.Add(p.FlapHold))), "a failing check: it is still down"}
		}
		return []string{fmt.Sprintf("a good check by another node than %s: the outage is over and told (status 1)", s.Node), "a failing check: it is still down"}
	case lifecycle.Paused:
		return []string{"being resumed"}
	}
	return nil
}

// recovery describes the event that would end the outage.
func (f Facts) recovery() string {
	if f.View.Flapping {
		return fmt.Sprintf("good checks by two nodes for %s, since it flaps: the outage is over and told (status 1)", f.Policy.FlapHold)
	}
	return "a good check, and one by another node: the outage is over and told (status 1)"
}

// Suspended describes in a sentence an outage whose site is paused; empty when it is not.
func Suspended(o record.Outage) string {
	if o.Suspended.IsZero() {
		return ""
	}
	return fmt.Sprintf("Its outage %d is suspended since %s: until the site is resumed, no downtime is counted.", o.ID, clock(o.Suspended))
}

// Past describes in a sentence the state at an earlier moment, from the newest ballot and
// outage stored up to then; each is nil when there was none.
func Past(at time.Time, b *record.Ballot, o *record.Outage) string {
	if o != nil && (o.End.IsZero() || o.End.After(at)) {
		return fmt.Sprintf("Down at %s: outage %d, which began at %s and was confirmed at %s.", clock(at), o.ID, clock(o.Start), clock(o.Confirmed))
	}
	if b != nil && (o == nil || o.End.Before(b.Decided)) {
		return decided(at, b)
	}
	if o == nil {
		return fmt.Sprintf("No outage and no ballot is known up to %s.", clock(at))
	}
	switch o.EndReason {
	case record.EndDeleted:
		return fmt.Sprintf("Not down at %s: outage %d ended at %s because the site was deleted.", clock(at), o.ID, clock(o.End))
	case record.EndChanged:
		return fmt.Sprintf("Not known as down at %s: outage %d ended at %s because the site got another URL.", clock(at), o.ID, clock(o.End))
	}
	return fmt.Sprintf("Not down at %s: outage %d was over at %s.", clock(at), o.ID, clock(o.End))
}

// decided describes a ballot that no known outage followed.
func decided(at time.Time, b *record.Ballot) string {
	switch b.Verdict {
	case quorum.Confirmed:
		return fmt.Sprintf("Perhaps down at %s: the verifliers confirmed a suspicion at %s, and no outage was stored.", clock(at), clock(b.Decided))
	case quorum.Rejected:
		return fmt.Sprintf("Not down at %s: a suspicion was rejected by the verifliers at %s.", clock(at), clock(b.Decided))
	case quorum.Inconclusive:
		return fmt.Sprintf("Not reported as down at %s: the verifliers could not decide at %s.", clock(at), clock(b.Decided))
	}
	return fmt.Sprintf("Not reported as down at %s: the verifliers had not decided at %s.", clock(at), clock(b.Decided))
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

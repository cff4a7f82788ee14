package lifecycle

import (
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/internal/check"
)

// Stage is where a site stands.
type Stage uint8

// The stages, numbered as SiteState in site.proto.
const (
	NeverChecked Stage = iota + 1
	Up
	Suspect
	Verifying
	Down
	ConfirmedDown
	Recovering
	Paused
)

// String returns the stage's name.
func (s Stage) String() string {
	names := [...]string{"Stage(0)", "NeverChecked", "Up", "Suspect", "Verifying", "Down", "ConfirmedDown", "Recovering", "Paused"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("Stage(%d)", uint8(s))
}

// State is the memory of one site. Initial makes one.
type State struct {
	Stage Stage
	// Status is the status last reported to WordPress.com, since StatusSince (zero: never
	// changed). In a muted coordinator it is the status on record.
	Status      check.Status
	StatusSince time.Time
	// Unsettled marks a site whose Status is running although an outage is on record that
	// was not reported to WordPress.com, or although WordPress.com may have received a
	// notification that was withdrawn. The next good check settles it with a Change.
	Unsettled bool
	// Inherited marks a Status other than running that was reported of an earlier URL of the
	// site: no outage of this URL is open. The next verdict about this URL replaces it.
	Inherited bool
	// Failures counts the failing checks of the current run, up to Policy.Failures.
	Failures uint8
	// FirstFailure is the end of the run's first failing check. It is kept while the
	// site is down, unless the coordinator has restarted since; zero outside a run.
	FirstFailure time.Time
	// Ballot numbers the ballots of this site; Round counts the rounds of one
	// verification, from 1, and is 0 outside one.
	Ballot uint32
	Round  uint8
	// Held marks an undecided suspect: the panel could not decide. Nothing is sent and
	// nothing is closed; the next failing check begins a new verification.
	Held bool
	// Node made the newest observation that was not UNKNOWN, at Observed. Older
	// observations change nothing, nor do UNKNOWN ones.
	Node     string
	Observed time.Time
	// Flap is the memory of a flapping site.
	Flap Flap
}

// Policy holds the thresholds and times of the rules.
type Policy struct {
	// Failures is the number of failing checks that lead to verification (NUM_OF_CHECKS);
	// 0 means 1.
	Failures uint8
	// Between is the time between those checks (TIME_BETWEEN_CHECKS_SEC).
	Between time.Duration
	// NoticeWindow is the time from status 0 to status 2 (TIME_BETWEEN_NOTICES_MIN).
	NoticeWindow time.Duration
	// RoundWaits are the waits before the second and later rounds of verification.
	// There are len(RoundWaits)+1 rounds.
	RoundWaits []time.Duration
	// FlapWindow and FlapHold are the hysteresis of Flap; a FlapWindow of 0 turns it off.
	FlapWindow, FlapHold time.Duration
}

// DefaultPolicy returns the policy of the founding design.
func DefaultPolicy() Policy {
	return Policy{
		Failures:     3,
		Between:      20 * time.Second,
		NoticeWindow: 59 * time.Minute,
		RoundWaits:   []time.Duration{5 * time.Second, 15 * time.Second},
		FlapWindow:   time.Hour,
		FlapHold:     10 * time.Minute,
	}
}

// Event is something that happened to a site: Observed, Decided, Pause or Resume.
type Event interface{ event() }

// Observed is the end of a check, by a checker or as a second look by a veriflier.
type Observed struct {
	At      time.Time
	Node    string
	Outcome check.Outcome
}

// Decided is the end of ballot number Ballot. Verdict is never Pending.
type Decided struct {
	At      time.Time
	Ballot  uint32
	Verdict quorum.Verdict
}

// Pause stops the checks of a site; the status that was reported stands.
type Pause struct{}

// Resume starts the checks of a site again.
type Resume struct{}

func (Observed) event() {}
func (Decided) event()  {}
func (Pause) event()    {}
func (Resume) event()   {}

// Effect is something that the engine must do: Recheck, SecondLook, Verify,
// Abandon, Change, Blip or FalseAlarm.
type Effect interface{ effect() }

// Recheck asks for another check after a while, by a node other than Avoid if there is one.
type Recheck struct {
	After time.Duration
	Avoid string
}

// SecondLook asks for a check at once by any node but Avoid: another checker, else a veriflier.
type SecondLook struct{ Avoid string }

// Verify opens ballot number Ballot after a while.
type Verify struct {
	Ballot uint32
	Round  uint8
	After  time.Duration
}

// Abandon closes ballot number Ballot without a decision.
type Abandon struct{ Ballot uint32 }

// Change is a change of status to commit and to report. An outage opens with To down and
// closes with To running; a change that settles a site has From down. A change from a down
// status to itself opens an outage of a site whose status was inherited: nobody is told what
// WordPress.com already believes. Start is the end of
// the outage's first failing check; in changes from a down status it is zero if the
// coordinator has restarted since.
type Change struct {
	From, To  check.Status
	Start, At time.Time
	// Relapses counts the good stretches of the outage that did not last.
	Relapses uint16
}

// Blip is a run of failures that ended before anyone was told.
type Blip struct{ Failures uint8 }

// FalseAlarm is a suspicion that the panel rejected in ballot number Ballot; its evidence
// is kept.
type FalseAlarm struct{ Ballot uint32 }

func (Recheck) effect()    {}
func (SecondLook) effect() {}
func (Verify) effect()     {}
func (Abandon) effect()    {}
func (Change) effect()     {}
func (Blip) effect()       {}
func (FalseAlarm) effect() {}

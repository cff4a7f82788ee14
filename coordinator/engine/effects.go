package engine

import (
	"log/slog"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// effects collects the calls to the ports and the log lines of one engine call, in order.
// They are written under the engine's lock and read without it; their memory is reused.
type effects struct {
	// order lists the effects, each by its kind and its index in the slice of that kind.
	order     []effect
	questions []Question
	abandoned []abandoned
	changes   []record.Change
	ballots   []record.Ballot
	handouts  []handout
	// targets holds the targets of all handouts, one handout after the other.
	targets []target
	revoked []revoked
	ended   []ended
	lines   []line
	steps   []Step
}

type effect struct {
	kind effectKind
	at   uint32
}

type effectKind uint8

const (
	askEffect effectKind = iota
	lookEffect
	abandonEffect
	recordEffect
	keepEffect
	assignEffect
	revokeEffect
	endEffect
	logEffect
	stepEffect
)

// abandoned is a ballot that the panel must stop.
type abandoned struct {
	site   check.SiteID
	ballot uint32
}

// handout is a batch for a session, assigned at a time under a term.
type handout struct {
	to    *outlet
	batch dispatch.Batch
	term  uint64
	at    time.Time
	// first is the index of its first target; there is one target for each check.
	first int
}

type revoked struct {
	from *outlet
	ref  dispatch.Ref
}

type ended struct {
	session *outlet
	why     string
}

// line is one log line.
type line struct {
	level slog.Level
	text  string
	args  []any
}

func (e *effects) empty() bool { return len(e.order) == 0 }

func (e *effects) add(kind effectKind, at int) { e.order = append(e.order, effect{kind, uint32(at)}) }

func (e *effects) ask(q Question) {
	e.add(askEffect, len(e.questions))
	e.questions = append(e.questions, q)
}

func (e *effects) look(q Question) {
	e.add(lookEffect, len(e.questions))
	e.questions = append(e.questions, q)
}

func (e *effects) abandon(site check.SiteID, ballot uint32) {
	e.add(abandonEffect, len(e.abandoned))
	e.abandoned = append(e.abandoned, abandoned{site, ballot})
}

func (e *effects) record(c record.Change) {
	e.add(recordEffect, len(e.changes))
	e.changes = append(e.changes, c)
}

func (e *effects) keep(b record.Ballot) {
	e.add(keepEffect, len(e.ballots))
	e.ballots = append(e.ballots, b)
}

// assign hands a batch out. Its targets are those added from h.first on.
func (e *effects) assign(h handout) {
	e.add(assignEffect, len(e.handouts))
	e.handouts = append(e.handouts, h)
}

func (e *effects) revoke(from *outlet, ref dispatch.Ref) {
	e.add(revokeEffect, len(e.revoked))
	e.revoked = append(e.revoked, revoked{from, ref})
}

func (e *effects) end(session *outlet, why string) {
	e.add(endEffect, len(e.ended))
	e.ended = append(e.ended, ended{session, why})
}

// step records a step of a trace.
func (e *effects) step(s Step) {
	e.add(stepEffect, len(e.steps))
	e.steps = append(e.steps, s)
}

func (e *effects) log(level slog.Level, text string, args ...any) {
	e.add(logEffect, len(e.lines))
	e.lines = append(e.lines, line{level, text, args})
}

func (e *effects) info(text string, args ...any) { e.log(slog.LevelInfo, text, args...) }

func (e *effects) warn(text string, args ...any) { e.log(slog.LevelWarn, text, args...) }

// Capacities up to which reset keeps a slice's memory for reuse.
const (
	keepTargets = 1 << 16
	keepOthers  = 1 << 12
)

// reset clears all effects. It keeps no reference to what they pointed at.
func (e *effects) reset() {
	*e = effects{
		order: emptied(e.order, keepOthers), questions: emptied(e.questions, keepOthers), abandoned: emptied(e.abandoned, keepOthers),
		changes: emptied(e.changes, keepOthers), ballots: emptied(e.ballots, keepOthers),
		handouts: emptied(e.handouts, keepOthers), targets: emptied(e.targets, keepTargets),
		revoked: emptied(e.revoked, keepOthers), ended: emptied(e.ended, keepOthers), lines: emptied(e.lines, keepOthers),
		steps: emptied(e.steps, keepOthers),
	}
}

func emptied[T any](s []T, most int) []T {
	if cap(s) > most {
		return nil
	}
	clear(s)
	return s[:0]
}

package alarm

import "time"

// Book knows since when each condition holds. The zero value is an empty one. It is not
// safe for concurrent use.
type Book struct {
	raised map[id]Alarm
}

// Edges are what changed between two looks.
type Edges struct {
	// Began and Ended are the alarms that are new, and those that are over.
	Began, Ended []Alarm
}

// Note takes in what is wrong at a moment. It returns an alarm for each condition, in
// their order, and what changed since the last call.
//
// An alarm was raised when the facts say that its condition began, or else when Note
// first saw it; facts that change their mind while it lasts do not move it to a later
// moment.
func (b *Book) Note(now time.Time, conditions []Condition) ([]Alarm, Edges) {
	next := make(map[id]Alarm, len(conditions))
	alarms := make([]Alarm, 0, len(conditions))
	var edges Edges
	for _, c := range conditions {
		a := Alarm{Condition: c, Raised: c.Since}
		if a.Raised.IsZero() {
			a.Raised = now
		}
		if before, known := b.raised[c.id()]; !known {
			edges.Began = append(edges.Began, a)
		} else if before.Raised.Before(a.Raised) {
			a.Raised = before.Raised
		}
		next[c.id()] = a
		alarms = append(alarms, a)
	}
	for key, a := range b.raised {
		if _, still := next[key]; !still {
			edges.Ended = append(edges.Ended, a)
		}
	}
	inOrder(edges.Ended)
	b.raised = next
	return alarms, edges
}

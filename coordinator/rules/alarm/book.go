package alarm

import "time"

// Book records since when each condition holds. The zero value is ready to use. It is not
// safe for concurrent use.
type Book struct {
	raised map[id]Alarm
}

// Edges are the changes between two calls of Note.
type Edges struct {
	// Began holds the new alarms, Ended those that are over.
	Began, Ended []Alarm
}

// Note records the conditions that hold at a moment. It returns an alarm for each of them,
// in their order, and the changes since the last call.
//
// Raised is when the condition began according to the facts, or else when Note first saw
// it. While the condition lasts, later facts may move Raised to an earlier moment but
// never to a later one.
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

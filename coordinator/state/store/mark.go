package store

import "time"

// OutageMark is a position in a list of outages: right after the outage that it names.
type OutageMark struct {
	Confirmed time.Time
	ID        int64
}

// Mark returns the position right after an outage.
func (o Outage) Mark() OutageMark { return OutageMark{Confirmed: o.Confirmed, ID: o.ID} }

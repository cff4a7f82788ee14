package advisory

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/internal/check"
)

// Pace is how quick a site was in an hour, beside what is usual for it.
type Pace uint8

// The paces.
const (
	// PaceUnknown: nobody can say. It counts for nothing.
	PaceUnknown Pace = iota
	// PaceUsual: less than twice the usual time, or nothing that anybody would notice.
	PaceUsual
	// PaceBetween is neither usual nor slower.
	PaceBetween
	// PaceSlower: more than three times the usual time.
	PaceSlower
)

const (
	// A site is slower at more than slowerTimes its usual time, and usual at less than usualTimes.
	slowerTimes = 3
	usualTimes  = 2
	// Unnoticed is the longest time that is usual for every site: from 3 ms to 10 ms is more than
	// three times as much, and nobody waits.
	Unnoticed = 200 * time.Millisecond
	// LeastChecks is how many good checks an hour has that says something.
	LeastChecks = 6
	// LeastDays is for how many days a site is known whose usual time is.
	LeastDays = 3
)

// PaceOf judges an hour by its times: by their median and that of the week before, which ended
// with yesterday. Without a week a site is usual only at Unnoticed or less.
func PaceOf(hour *history.Tally, week history.Code) Pace {
	if hour.Times() < LeastChecks {
		return PaceUnknown
	}
	const half = 50
	took, usual := hour.Percentile(half).Time(), week.Time()
	switch {
	case took <= Unnoticed:
		return PaceUsual
	case !week.IsTime():
		return PaceUnknown
	case took > slowerTimes*usual:
		return PaceSlower
	case took < usualTimes*usual:
		return PaceUsual
	}
	return PaceBetween
}

// NotePace takes an hour into account, and reports whether AdvisorySlowerThanUsual opened or
// closed by it.
func (s *State) NotePace(p Pace) (opened, closed bool) {
	const a = check.AdvisorySlowerThanUsual
	open := s.open&bit(a) != 0
	switch p {
	case PaceUnknown:
		return false, false
	case PaceBetween: // says what is said already
		s.see(a, open)
		return false, false
	}
	changed := s.see(a, p == PaceSlower)
	return changed && !open, changed && open
}

package parity

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// Near is the greatest distance between a change of v1 and one of ours that can have the same
// cause. v1 looks at a site every 5 minutes and then needs two and a half at most; a site that
// another row of v1 keeps waiting may take longer.
const Near = 30 * time.Minute

// Site is one site as both see it.
type Site struct {
	ID     check.SiteID
	BlogID check.BlogID
	Bucket check.BucketID
	URL    string
	// Interval is the time between two checks.
	Interval time.Duration
	// V1 is the last change in the legacy row, Ours our own status.
	V1, Ours Side
	// Cause is why our open outage began; zero when there is none.
	Cause Cause
	// Changes are ours during the trial, in any order.
	Changes []Side
	// Trial is that of the site's shard.
	Trial shard.Trial
}

// Side is a status and when it began; zero when it has never changed, as far as is known.
type Side struct {
	Status check.Status
	Since  time.Time
}

// down reports whether the status is one of the two of a site that is down.
func (s Side) down() bool { return s.Status != check.StatusRunning }

// Cause is the failure that opened an outage.
type Cause struct {
	Failure    check.FailureKind
	Reason     string
	HTTPStatus int
}

// Agreement is whether v1 and we call a site down.
type Agreement uint8

// The agreements.
const (
	BothUp Agreement = iota
	BothDown
	OnlyV1Down
	OnlyOursDown
	// Unwatched sites are not in the sample, or on trial for less than twice their
	// interval: what we say of them means nothing.
	Unwatched
	agreements // how many there are
)

// Compare compares the two statuses of a site at a moment.
func (s *Site) Compare(now time.Time) Agreement {
	switch {
	case !s.Trial.Has(s.ID) || now.Sub(s.Trial.Since) < 2*s.Interval:
		return Unwatched
	case s.V1.down() && s.Ours.down():
		return BothDown
	case s.V1.down():
		return OnlyV1Down
	case s.Ours.down():
		return OnlyOursDown
	default:
		return BothUp
	}
}

// Timing is who noticed a change first.
type Timing struct {
	// Change is the status that v1 decided last during the trial.
	Change check.Status
	// Matched means that we decided the same within Near; Lead is how much earlier we did,
	// negative when v1 was the earlier.
	Matched bool
	Lead    time.Duration
}

// Timing compares v1's last change with ours. ok is false when v1 changed nothing during the
// trial.
func (s *Site) Timing() (t Timing, ok bool) {
	if s.V1.Since.Before(s.Trial.Since) || s.V1.Since.After(s.Trial.Until) {
		return Timing{}, false
	}
	t.Change = s.V1.Status
	for _, c := range s.Changes {
		lead := s.V1.Since.Sub(c.Since)
		if c.Status == s.V1.Status && lead.Abs() <= Near && (!t.Matched || lead.Abs() < t.Lead.Abs()) {
			t.Matched, t.Lead = true, lead
		}
	}
	return t, true
}

// Alone counts our outages that began after v1's last change, and of which v1 knew nothing
// within Near: either v1 missed them, or we were wrong.
func (s *Site) Alone(now time.Time) (n int) {
	for _, c := range s.Changes {
		if c.Status == check.StatusDown && c.Since.Sub(s.V1.Since) > Near && now.Sub(c.Since) > Near {
			n++
		}
	}
	return n
}

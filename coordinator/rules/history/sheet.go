package history

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// Strip has the codes of successive turns of one site, under one interval.
type Strip struct {
	Site check.SiteID
	// Interval is the site's, of whole seconds.
	Interval time.Duration
	// First is the number of the first turn; see schedule.Turn.
	First int64
	Codes []Code
	// Regions says where each check was made, as numbers of the sheet; nil when none is known.
	Regions []uint8
}

// Start returns when the turn number i of the strip was.
func (s *Strip) Start(i int) time.Time {
	return schedule.TurnTime(s.Site, s.Interval, s.First+int64(i))
}

// Sheet has the codes of many sites over some time.
type Sheet struct {
	// Regions has the name of each number in the strips, of a region or of a place; number 0 is ''.
	Regions []string
	// Strips are by rising site, and of a site by rising first turn, by time. Those of a site do
	// not overlap: a strip ends where the site's interval changed.
	Strips []Strip
}

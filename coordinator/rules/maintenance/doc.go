// Package maintenance works out when sites are in maintenance.
//
//	Check     refuses plans that cannot be meant
//	Plan      has the windows of one maintenance
//	Calendar  finds the window in which a site is
//
// A window begins at the same time of day in its zone, whatever the clocks do: a rule is unfolded
// in the time of the wall, and each beginning is then looked up in the zone. A time that the wall
// skips in spring is taken as if the clocks had not been put forward yet (02:30 is then 03:30); of
// one that comes twice in autumn the first counts. A window lasts as long as it lasts: two hours
// that begin at 01:00 on such a night end at 04:00, or at 02:00.
//
// The package is pure. It must not know what a window means for a site.
package maintenance

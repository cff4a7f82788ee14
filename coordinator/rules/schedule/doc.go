// Package schedule decides when a site is due. Next computes the site's phase within its
// interval from its id, Wheel is a timing wheel that holds millions of due times, and
// Agenda combines the routine turns and the real times of a coordinator's sites.
//
// The phase is fixed in absolute time, so that load is flat, a restart does not bunch
// checks, and two coordinators agree on when a site is due. A missed turn is made up for
// once, never in a burst.
//
// The package is pure: the time arrives as a value. It must not know what a site is, nor
// whether a due site can be checked.
package schedule

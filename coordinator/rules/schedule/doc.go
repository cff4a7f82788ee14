// Package schedule says when a site is due: a phase inside its interval that follows
// from its id (Next), a timing wheel that holds millions of due times (Wheel), and the
// agenda of a coordinator's sites, which puts turns and real times side by side (Agenda).
//
// The phase is fixed in absolute time, so that load is flat, a restart does not bunch
// checks, and two coordinators agree on when a site is due. What was missed is made up
// for once, never in a burst.
//
// It is pure: the time arrives as a value. It must not know what a site is, nor
// whether a due site can be checked.
package schedule

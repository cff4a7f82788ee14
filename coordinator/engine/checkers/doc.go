// Package checkers decides how far to trust each checker. A checker that cannot reach its
// own anchors, or whose failures jump across unrelated networks, is not trusted: its
// failures count as UNKNOWN.
//
// Package dispatch tracks connections, names and draining; this package judges a checker
// by its self-checks and results.
//
// It is pure: the time arrives as a value. It must not know what a result means for the
// site.
package checkers

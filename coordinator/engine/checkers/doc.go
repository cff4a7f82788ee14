// Package checkers says what the word of a checker is worth. A checker that does not reach
// its own anchors, or whose failures jump across unrelated networks, is no witness: a
// failure that it sees counts as unknown.
//
// Who is connected, under which name, and who is leaving is dispatch's to know; here is
// what follows from a checker's self-checks and results.
//
// It is pure: the time arrives as a value. It must not know what a result means for the
// site.
package checkers

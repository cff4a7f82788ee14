// Package explain says in words why a site is believed to be what it is, what is held
// back, and what would change that. It reads the engine's view and the rule; it decides
// nothing, and what it says follows from lifecycle's and quorum's rules only.
package explain

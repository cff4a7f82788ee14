// Package explain describes in words why a site has its present state, what is withheld from
// WordPress.com, and what would change that. It reads the engine's view and the rule. It
// decides nothing: its sentences follow from the rules of lifecycle and quorum alone.
package explain

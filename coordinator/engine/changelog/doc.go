// Package changelog knows what has changed while a table was read: whether what was read
// of a site is older than its last edit, and so would undo it, and whether a shard was
// given up meanwhile, so that what was read of it is void.
//
// An edit is a change of a site other than by a Reading: through the API, or by a commit
// that the store refused. It is pure but for the nouns of the store: times arrive as values.
package changelog

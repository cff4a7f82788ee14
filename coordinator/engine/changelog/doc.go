// Package changelog tracks what changes while a table is being read: whether a row is older
// than the last edit of its site, and so would undo the edit, and whether a shard was given
// up during the reading, so that the rows of that shard are void.
//
// An edit is a change of a site other than by a Reading: through the API, or by a commit
// that the store refused. The package is pure, apart from the store's types: times arrive
// as values.
package changelog

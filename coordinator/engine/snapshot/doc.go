// Package snapshot keeps the state of sites in trouble, so that the next owner of a shard
// continues where the last one ended: with the failures counted so far, and the checks that
// are their evidence.
//
// Journal tracks which snapshots in the store are outdated, and which an earlier owner of a
// shard has left there. Snapshot is the stored form; Recalled is the part of it that still
// counts.
//
// The package decides and does no I/O: the engine fills a snapshot, and package checkpoint
// writes it.
package snapshot

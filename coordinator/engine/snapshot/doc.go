// Package snapshot keeps what is known of sites in trouble, so that a process can go on
// where another one ended: with the failures counted so far, and the checks that are
// evidence of them.
//
// Journal knows whose snapshot in the store is outdated, and what an earlier owner of a
// shard has left there. Snapshot is what is stored, and its encoding; Recalled is what of
// it still counts.
//
// It decides, and does nothing: the engine says what a snapshot is to hold, and package
// checkpoint writes it.
package snapshot

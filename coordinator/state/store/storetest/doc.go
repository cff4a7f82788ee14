// Package storetest is the conformance suite of store.Store: what every
// implementation does on every engine, races included. An implementation's test calls
// Run with a function that opens a fresh database.
//
// The suite speaks to a database through the interface, and behind its back where the
// interface is not enough: to be WordPress.com that writes to the legacy table, to
// damage a row, and to count what a refused call left behind. For that it knows the
// names of the tables, which are the same on every engine.
package storetest

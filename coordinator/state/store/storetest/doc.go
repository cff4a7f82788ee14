// Package storetest is the conformance suite of store.Store: the behaviour that every
// implementation must have on every engine, races included. An implementation's test calls
// Run with a function that opens a fresh database.
//
// The suite uses the interface, and SQL where the interface is not enough: to write to the
// legacy table as WordPress.com does, to damage a row, and to count the rows that a refused
// call left behind. For that it knows the names of the tables, which are the same on every
// engine.
package storetest

// Package storetest is the conformance suite of store.Store: what every
// implementation does on every engine, races included. An implementation's test calls
// Run with a function that opens a fresh database.
//
// The suite speaks to a database only through the interface, but for what others do to
// it behind our back: WordPress.com writing to the legacy table.
package storetest

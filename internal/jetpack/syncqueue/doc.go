// Package syncqueue is the queue from which Jetpack Sync sends the changes of a site. A
// sender checks items out in buffers, one buffer at a time; closing the buffer removes
// them.
//
// It keeps the rules that are visible from outside, with Jetpack's error names and texts.
// It does not keep the races: taking the lock is one step, a checkout that finds nothing
// leaves no lock behind, and waiting for the lock ends in time whatever the timeout is. A
// test runs random operations on Jetpack's own class too, for whoever has it.
// It stores nothing on disk and sends nothing.
package syncqueue

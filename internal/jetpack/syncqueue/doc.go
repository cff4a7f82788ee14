// Package syncqueue is the queue that Jetpack Sync sends changes of a site from: items
// are checked out in buffers, one buffer at a time, and are gone when the buffer is
// closed.
//
// It keeps the rules that can be observed from outside, with Jetpack's error names and
// texts. It does not keep the races: taking the lock is one step, a checkout that finds
// nothing leaves no lock behind, and waiting for the lock ends in time whatever the time
// is. It stores nothing on disk and sends nothing.
package syncqueue

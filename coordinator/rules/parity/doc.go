// Package parity compares what v1 and we have decided about the same sites during a trial:
// whom of the two calls a site down, who noticed a change first, and which sites WordPress.com
// will hear of as soon as we take over.
//
// # What can be compared
//
// v1 keeps one thing of a site, its last change of status and when that was. We keep every
// change of the trial. So of each site the last change of v1 is compared with that of our
// changes which says the same and is nearest in time; earlier changes of v1 are lost, and so
// are changes of ours before v1's last one left alone.
//
// The package is pure. It must not know where sites come from or how a report is printed.
package parity

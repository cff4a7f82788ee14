// Package roster holds the table of the sites that a coordinator watches: millions of
// them, at 64 bytes each beside their URL and their entry in the index.
//
// A record stands for a site as long as it is calm: up, or not checked yet, and nothing
// under way. What a record cannot hold, the caller keeps beside it, as a Site that was
// loaded and that is saved again after each change.
//
//	Add -> Find -> Good, good check after good check    nothing but the record changes
//	          '--> Load -> the caller's case -> Save
//	Free
//
// Slots number the records. A slot is a site's until it is freed, and then another's.
//
// The package decides nothing about a site but whether a good check is one that a record
// can take in alone (Good). It has no clock and no lock.
package roster

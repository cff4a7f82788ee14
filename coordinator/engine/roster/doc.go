// Package roster holds the table of the sites that a coordinator watches: millions of
// them, at 64 bytes each plus the URL and the index entry.
//
// An entry holds the whole state of a compact site: one that is up, or not checked yet, and
// has nothing in progress. For any other site the caller loads a Site, keeps it as a case,
// and saves it to the entry after each change.
//
//	Add -> Find -> Good, good check after good check    nothing but the entry changes
//	          '--> Load -> the caller's case -> Save
//	Free
//
// Slots number the entries. A slot belongs to a site until it is freed, and then to another.
//
// The package makes one decision about a site: whether its entry alone can absorb a good
// check (Good). It has no clock and no lock.
package roster

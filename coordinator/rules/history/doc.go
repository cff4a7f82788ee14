// Package history says what became of every turn of every site, a byte each, and what that
// comes to. A turn is a moment at which a site's interval asks for a check; see package schedule.
//
//	engine ---Note--> Book ---Sheet--> journal ---merge--> hours ---fold--> days, Summary
//
// A Code is the byte: how long a good check took, on a logarithmic scale, or why there is no
// such time. A turn of which nothing is noted is None: nobody knows. So what is lost is None,
// never a failure.
//
// A Strip has the codes of successive turns of one site, a Sheet the strips of many. Sheets are
// merged: of two codes of a turn, the one that knows more counts, and of two that know as much
// the earlier one. So merging a sheet twice, or two owners' sheets of the same turns, is as good
// as once.
//
// A Summary sums up a site's day; it keeps how often each code came, so that percentiles over
// any days are those of the checks, within a step of the scale.
//
// The package is pure: times arrive as values, and blobs are bytes. It must not know where blobs
// are kept, nor how they are compressed. Planned work, pauses and outages are known elsewhere,
// and are laid over the codes by whoever reads them.
package history

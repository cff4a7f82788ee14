// Package hush tells the engine which sites are in maintenance, of those about which WordPress.com
// does not know all: it keeps them quiet until their maintenance is over, and not longer. Which
// change happens in maintenance, and is not told therefore, each commit decides for itself.
//
// It asks the engine every second which sites those are. While there are none, it asks nobody
// else. The tags of a site are asked for every ten seconds. While the database is away, nothing
// changes.
//
// Goroutines: none; Run is one, and ends with ctx.
package hush

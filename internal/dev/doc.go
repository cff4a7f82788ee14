// Package dev is the system that `jetmon dev` runs: all roles in one process
// (internal/cluster), with an embedded database, web sites to watch and an inbox that
// plays WordPress.com (internal/demo), and a line on the terminal for each status change.
//
// It is a composition root, as internal/cluster is: it knows the roles, and no role and
// nothing else in internal may import it. It reads no flag and no environment; cmd/jetmon
// turns those into Options.
//
// Goroutines, all of Run, which waits for them: the cluster, the demo, the anchor and the
// ticker. The cluster ends with ctx, the others once the cluster has ended.
package dev

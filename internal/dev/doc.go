// Package dev is the system that `jetmon dev` runs: all roles in one process
// (internal/cluster), an embedded database, web sites to monitor, an inbox that plays
// WordPress.com (internal/demo), and a line on the terminal for each status change.
//
// Like internal/cluster it is a composition root: it knows the roles, so no role and nothing
// else in internal may import it. It reads no flag and no environment; cmd/jetmon
// turns those into Options.
//
// Goroutines: Run starts the cluster, the demo, the anchor and the ticker, and waits for
// them. The cluster ends with ctx, the others once the cluster has ended.
package dev

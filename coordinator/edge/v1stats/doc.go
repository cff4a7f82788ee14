// Package v1stats serves what watched v1: its StatsD metrics, its three stats files and its
// status-change.log, under v1's names and in v1's form. names.go lists every metric of v1 and
// what becomes of it.
//
// The package only reads. Nothing waits for it: a StatsD server that is away loses packets, a
// full disk loses lines, and both are logged when they begin and end.
package v1stats

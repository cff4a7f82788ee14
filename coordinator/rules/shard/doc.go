// Package shard is the unit of ownership: the buckets of sites are shared between
// coordinators in shards of sixteen, and whoever owns one proves it with a fence.
//
// It places new sites: one rule, whoever adds them.
//
// The package is pure. It must not know how leases are kept.
package shard

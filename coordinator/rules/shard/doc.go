// Package shard has the unit of ownership: the coordinators share the buckets of sites in
// shards of sixteen, and the owner of a shard proves its ownership with a fence.
//
// It also has the one rule by which new sites get their bucket.
//
// The package is pure. It must not know how leases are kept.
package shard

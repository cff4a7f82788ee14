// Package check is the vocabulary that all roles share: what is asked of a site
// (Target), what a node saw (Observation), and the names of sites and buckets.
// It is pure: values only. It must not read a clock, do I/O or know protobuf;
// internal/check/checkpb converts.
package check

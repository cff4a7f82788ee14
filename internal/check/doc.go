// Package check is the vocabulary that all roles share: the description of a check
// (Target), its result (Observation), and the ids of sites and buckets.
// It is pure: values only. It must not read a clock, do I/O or know protobuf;
// internal/check/checkpb converts.
package check

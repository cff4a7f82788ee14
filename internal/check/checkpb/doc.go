// Package checkpb converts the vocabulary of package check to and from its wire
// form, jetmon.check.v1 and the settings of jetmon.monitor.v1. Here bytes from other
// processes become values that the rest of the system may trust.
//
// A target and settings are instructions, so the package refuses wrong ones with a
// [FieldError] that names the field. An observation is evidence about a site that may be
// hostile, so the package never refuses one. Both directions limit it: valid UTF-8, no
// control characters, limited counts and lengths. A contradiction makes it weaker, never
// stronger: an unknown outcome is UNKNOWN.
//
// The package keeps no state, does no I/O and reads no clock.
package checkpb

// Package checkpb converts the vocabulary of package check to and from its wire
// form, jetmon.check.v1 and the settings of jetmon.monitor.v1. It is where bytes of
// other processes become values that the rest of the system may trust.
//
// A target and settings are orders, so wrong ones are refused with a [FieldError] that names
// the field. An observation is a testimony about a site that may be hostile, so it
// is never refused: both directions bound it (valid UTF-8, no control characters,
// counts and lengths limited), and what contradicts itself becomes weaker, never
// stronger: an outcome that is not understood is UNKNOWN.
//
// The package keeps no state, does no I/O and reads no clock.
package checkpb

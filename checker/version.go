package checker

import (
	"fmt"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

// The protocol versions that this package speaks. minVersion is also the offer to a
// coordinator that does not know ranges: such a one speaks only version 1.
const (
	minVersion = 1
	maxVersion = 1
)

// spoken returns our range in words.
func spoken() string {
	if minVersion == maxVersion {
		return fmt.Sprintf("%d", maxVersion)
	}
	return fmt.Sprintf("%d to %d", minVersion, maxVersion)
}

// chosen returns the version of the session that w begins. A coordinator that does not
// know ranges accepts the offer.
func chosen(w *coordinatorv1.Welcome) uint32 {
	if v := w.GetProtocolVersion(); v != 0 {
		return v
	}
	return minVersion
}

// admit refuses a session with a version that we do not speak.
func admit(w *coordinatorv1.Welcome) error {
	if v := chosen(w); v < minVersion || v > maxVersion {
		return fmt.Errorf("%w: the coordinator chose %d, this checker speaks %s", errVersion, v, spoken())
	}
	return nil
}

// otherVersion returns the error for a coordinator that speaks none of our versions.
func otherVersion(theirs map[string]string, err error) error {
	return fmt.Errorf("%w: the coordinator speaks %s to %s, this checker %s; upgrade the older one: %w", errVersion,
		theirs["min_protocol_version"], theirs["max_protocol_version"], spoken(), err)
}

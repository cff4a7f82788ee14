package checker

import (
	"fmt"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

// The protocol versions that this package speaks. minVersion is also the one that a
// coordinator is offered which knows no ranges: it speaks none but version 1.
const (
	minVersion = 1
	maxVersion = 1
)

// spoken is our range in words.
func spoken() string {
	if minVersion == maxVersion {
		return fmt.Sprintf("%d", maxVersion)
	}
	return fmt.Sprintf("%d to %d", minVersion, maxVersion)
}

// chosen is the version of the session that w begins. A coordinator that knows no
// ranges takes what it was offered.
func chosen(w *coordinatorv1.Welcome) uint32 {
	if v := w.GetProtocolVersion(); v != 0 {
		return v
	}
	return minVersion
}

// admit refuses a session in a version that we do not speak.
func admit(w *coordinatorv1.Welcome) error {
	if v := chosen(w); v < minVersion || v > maxVersion {
		return fmt.Errorf("%w: the coordinator chose %d, this checker speaks %s", errVersion, v, spoken())
	}
	return nil
}

// otherVersion is the error of a coordinator that speaks no version of ours, in words.
func otherVersion(theirs map[string]string, err error) error {
	return fmt.Errorf("%w: the coordinator speaks %s to %s, this checker %s; upgrade the older one: %w", errVersion,
		theirs["min_protocol_version"], theirs["max_protocol_version"], spoken(), err)
}

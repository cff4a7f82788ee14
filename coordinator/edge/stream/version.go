package stream

import (
	"fmt"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

// versions is a range of protocol versions, both ends included.
type versions struct{ lowest, highest uint32 }

// spoken returns the versions that this package speaks. A checker has a range of its own;
// raise the two one after the other, never together.
func spoken() versions { return versions{lowest: 1, highest: 1} }

func (v versions) String() string {
	if v.lowest == v.highest {
		return strconv.FormatUint(uint64(v.lowest), 10)
	}
	return fmt.Sprintf("%d to %d", v.lowest, v.highest)
}

// common returns the highest version in both ranges; false when there is none.
func (v versions) common(other versions) (uint32, bool) {
	highest := min(v.highest, other.highest)
	return highest, highest >= max(v.lowest, other.lowest)
}

// negotiate chooses the version of the session that h opens. It comes before all other
// checks, since the version determines what a valid Hello is.
func (v versions) negotiate(h *coordinatorv1.Hello) (uint32, error) {
	if h == nil {
		return 0, fault.InvalidField("hello", "must be the first message")
	}
	theirs, err := readVersions(h)
	if err != nil {
		return 0, err
	}
	chosen, ok := v.common(theirs)
	if !ok {
		return 0, fault.New(fault.Fenced, "protocol version %s is not supported; supported: %s", theirs, v).With(&errdetails.ErrorInfo{
			Domain: errorDomain, Reason: "VERSION_UNSUPPORTED",
			Metadata: map[string]string{
				"min_protocol_version": strconv.FormatUint(uint64(v.lowest), 10),
				"max_protocol_version": strconv.FormatUint(uint64(v.highest), 10),
			},
		})
	}
	return chosen, nil
}

// readVersions returns the range that a checker speaks. A checker older than the ranges
// names a single version.
func readVersions(h *coordinatorv1.Hello) (versions, error) {
	v := versions{lowest: h.GetMinProtocolVersion(), highest: h.GetMaxProtocolVersion()}
	switch {
	case v == versions{} && h.GetProtocolVersion() == 0:
		return versions{}, fault.InvalidField("hello.max_protocol_version", "must be set, versions count from 1")
	case v == versions{}:
		return versions{lowest: h.GetProtocolVersion(), highest: h.GetProtocolVersion()}, nil
	case v.lowest == 0:
		return versions{}, fault.InvalidField("hello.min_protocol_version", "must be from 1")
	case v.highest < v.lowest:
		return versions{}, fault.InvalidField("hello.max_protocol_version", "must not be less than min_protocol_version %d, is %d", v.lowest, v.highest)
	}
	return v, nil
}

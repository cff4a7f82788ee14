package checkpb

import (
	"math"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// maxAnchors limits the number of anchors that a peer may claim; no node probes more.
const maxAnchors = 1000

// SelfCheckToProto converts a node's report about itself to its wire form.
func SelfCheckToProto(s check.SelfCheck) *checkv1.SelfCheck {
	return &checkv1.SelfCheck{
		Healthy:   s.Healthy,
		Anchors:   uint32(min(max(s.Anchors, 0), maxAnchors)),
		AgeMillis: millisUp(s.Age),
		Detail:    boundText(s.Detail, check.MaxDetailBytes),
	}
}

// SelfCheckFromProto converts a node's report about itself from its wire form. An absent
// report is not healthy: a node without a self-check must not report failures.
func SelfCheckFromProto(p *checkv1.SelfCheck) check.SelfCheck {
	if p == nil {
		return check.SelfCheck{Age: math.MaxUint32 * time.Millisecond, Detail: "the node sent no self-check"}
	}
	return check.SelfCheck{
		Healthy: p.GetHealthy(),
		Anchors: int(min(p.GetAnchors(), maxAnchors)),
		Age:     time.Duration(p.GetAgeMillis()) * time.Millisecond,
		Detail:  boundText(p.GetDetail(), check.MaxDetailBytes),
	}
}

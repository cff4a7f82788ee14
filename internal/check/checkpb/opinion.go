package checkpb

import (
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// SecondOpinionToProto converts both readings of a site to their wire form; nil stays nil.
func SecondOpinionToProto(s *check.SecondOpinion) *checkv1.SecondOpinion {
	if s == nil {
		return nil
	}
	return &checkv1.SecondOpinion{Engine: ObservationToProto(s.Engine), Reader: ObservationToProto(s.Reader)}
}

// SecondOpinionFromProto converts both readings of a site from their wire form; nil stays
// nil.
func SecondOpinionFromProto(p *checkv1.SecondOpinion) *check.SecondOpinion {
	if p == nil {
		return nil
	}
	return &check.SecondOpinion{Engine: ObservationFromProto(p.GetEngine()), Reader: ObservationFromProto(p.GetReader())}
}

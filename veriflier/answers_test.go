package veriflier

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	checkv1 "github.com/Automattic/jetmon/gen/jetmon/check/v1"
	veriflierv1 "github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
)

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	small := &veriflierv1.VerifyResponse{}
	large := &veriflierv1.VerifyResponse{Observation: &checkv1.Observation{Detail: strings.Repeat("x", 1<<20)}}
	tests := []struct {
		name   string
		answer *veriflierv1.VerifyResponse
		asked  int
		kept   int
	}{
		{"by number", small, maxAnswers + 500, maxAnswers},
		{"by size", large, 40, 15},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, now := newAnswers(1), time.Unix(0, 0)
			for i := range tt.asked {
				f, started, err := a.join(t.Context(), fmt.Sprint(i), sha256.Sum256(nil), now)
				if err != nil || !started {
					t.Fatalf("question %d: started %v, %v", i, started, err)
				}
				a.end(f, tt.answer, nil, now)
				a.leave(f)
			}
			if len(a.byID) != tt.kept || a.ended.Len() != tt.kept || a.bytes > maxAnswerBytes {
				t.Errorf("%d ids, %d answers, %d bytes are kept, want %d", len(a.byID), a.ended.Len(), a.bytes, tt.kept)
			}
			if _, started, _ := a.join(t.Context(), fmt.Sprint(tt.asked-1), sha256.Sum256(nil), now); started {
				t.Error("the newest answer was forgotten")
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			a.forget(now.Add(keepFor))
			if len(a.byID) != 0 || a.bytes != 0 {
				t.Errorf("%d ids, %d bytes are kept after a minute", len(a.byID), a.bytes)
			}
		})
	}
}

package veriflier

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
)

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	small := &veriflierv1.VerifyResponse{}
	large := &veriflierv1.VerifyResponse{Observation: &checkv1.Observation{Detail: strings.Repeat("x", maxAnswerBytes/16)}}
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
			if len(a.kept) != tt.kept || len(a.flying) != 0 || a.bytes > maxAnswerBytes {
				t.Errorf("%d answers, %d bytes are kept, want %d; %d checks run", len(a.kept), a.bytes, tt.kept, len(a.flying))
			}
			f, started, err := a.join(t.Context(), fmt.Sprint(tt.asked-1), sha256.Sum256(nil), now)
			if started || err != nil || !proto.Equal(f.answer, tt.answer) {
				t.Errorf("the newest answer was forgotten, or is another one: %v", err)
			}
			a.leave(f)
			a.mu.Lock()
			defer a.mu.Unlock()
			a.forget(now.Add(keepFor))
			if len(a.kept) != 0 || a.bytes != 0 || a.oldest != nil || a.newest != nil {
				t.Errorf("%d answers, %d bytes are kept after a minute", len(a.kept), a.bytes)
			}
		})
	}
}

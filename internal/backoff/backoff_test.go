package backoff

import (
	"testing"
	"time"
)

func TestTheRangeOfAWaitDoublesUpToItsBound(t *testing.T) {
	t.Parallel()
	p := Policy{Base: time.Second, Most: 5 * time.Minute}
	for _, tt := range []struct {
		failures int
		luck     float64
		want     time.Duration
	}{
		{1, 0, 0}, {1, 0.5, 500 * time.Millisecond}, {2, 0.5, time.Second}, {3, 0.5, 2 * time.Second},
		{9, 0.5, 128 * time.Second}, {10, 0.5, 150 * time.Second}, {11, 0.5, 150 * time.Second},
		{1 << 30, 0.999, time.Duration(0.999 * float64(5*time.Minute))}, {0, 0.5, 500 * time.Millisecond},
	} {
		if got := p.Wait(tt.failures, tt.luck); got != tt.want {
			t.Errorf("after %d failures with luck %v: %s, want %s", tt.failures, tt.luck, got, tt.want)
		}
	}
}

func TestTheLongestWaitIsTheWholeRange(t *testing.T) {
	t.Parallel()
	p := Policy{Base: time.Second, Most: 5 * time.Second}
	for failures, want := range []time.Duration{1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 4: 5 * time.Second, 5: 5 * time.Second} {
		if got := p.Range(failures); failures > 0 && got != want {
			t.Errorf("after %d failures: %s, want %s", failures, got, want)
		}
	}
}

func TestNoWaitIsShorterThanTheLeast(t *testing.T) {
	t.Parallel()
	p := Policy{Base: time.Second, Most: time.Minute, Least: 50 * time.Millisecond}
	if got := p.Wait(1, 0); got != p.Least {
		t.Errorf("it is %s", got)
	}
}

package schedule_test

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/schedule"
)

func TestDueIsTheTimeAtWhichTheSlotComesUp(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_700_000_000, 0)
	w := schedule.New(start, 100*time.Millisecond, 16)
	if _, ok := w.Due(3); ok {
		t.Error("a slot that is not on the wheel is due")
	}
	w.Add(3, start.Add(1234*time.Millisecond))
	due, ok := w.Due(3)
	if want := start.Add(1300 * time.Millisecond); !ok || !due.Equal(want) {
		t.Fatalf("due %v %v, want %v", due, ok, want)
	}
	if got := w.Advance(due.Add(-time.Millisecond), nil); len(got) != 0 {
		t.Error("it came up before it was due")
	}
	if got := w.Advance(due, nil); len(got) != 1 {
		t.Error("it did not come up when it was due")
	}
	if _, ok := w.Due(3); ok {
		t.Error("it is due after it came up")
	}
}

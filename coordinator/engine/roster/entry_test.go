package roster

import (
	"testing"
	"time"
	"unsafe"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
)

func TestARecordFillsOneCacheLine(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(Entry{}); size != 64 {
		t.Errorf("an entry takes %d bytes, want 64", size)
	}
}

func TestAMomentHoldsATimeInMilliseconds(t *testing.T) {
	t.Parallel()
	for _, want := range []time.Time{
		{}, time.UnixMilli(1), time.UnixMilli(-1), time.UnixMilli(1_700_000_000_123), time.Date(1001, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(5999, 12, 31, 23, 59, 59, 999e6, time.UTC),
	} {
		if got := momentOf(want).time(); !got.Equal(want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

func TestTheFlagsOfARecordHoldItsStage(t *testing.T) {
	t.Parallel()
	for stage := lifecycle.NeverChecked; stage <= lifecycle.Paused; stage++ {
		var r Entry
		r.set(flagGet, true)
		r.setStage(lifecycle.Paused)
		r.setStage(stage)
		r.set(flagUrgent, true)
		r.set(flagUrgent, false)
		if r.Stage() != stage || !r.has(flagGet) || r.has(flagUrgent|flagHeadHostile) {
			t.Errorf("stage %v, flags %b, want %v with get", r.Stage(), r.flags, stage)
		}
	}
}

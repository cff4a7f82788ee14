//go:build linux

package machine

import (
	"os"
	"testing"
	"time"
)

func TestAStatLineIsRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		line string
		want time.Duration
	}{
		"a plain one":               {"12 (jetmon) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 9 0 1", 1750 * time.Millisecond},
		"a name of blanks, bracket": {"12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 1 1 0 0", 20 * time.Millisecond},
		"one cut short":             {"12 (jetmon) S 1 2", -1},
		"one without numbers":       {"12 (jetmon) S 1 2 3 4 5 6 7 8 9 10 x y 0 0", -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseStat([]byte(tt.line))
			if (err != nil) != (tt.want < 0) || err == nil && got != tt.want {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

func TestThisProcessIsRead(t *testing.T) {
	t.Parallel()
	cpu, err := CPUOf(os.Getpid())
	if err != nil || cpu < 0 || cpu > time.Hour {
		t.Errorf("CPU time is %s, %v", cpu, err)
	}
	m, err := MemoryOf(os.Getpid())
	if err != nil || m.Now < 1<<20 || m.Peak < m.Now || m.Peak > 1<<36 {
		t.Errorf("memory is %+v, %v", m, err)
	}
	if _, err := MemoryOf(-1); err == nil {
		t.Error("a process that is not there has memory")
	}
}

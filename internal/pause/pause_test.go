package pause

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPauseEndsAtItsTimeOrWithWhatCutsIt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		wait, end, cut time.Duration // 0: never
		goesOn         bool
		took           time.Duration
	}{
		"its time":                   {time.Second, 0, 0, true, time.Second},
		"the context":                {time.Minute, time.Second, 0, false, time.Second},
		"what cuts it":               {time.Minute, 0, time.Second, true, time.Second},
		"no time":                    {0, 0, 0, true, 0},
		"a time that has passed":     {-time.Second, 0, 0, true, 0},
		"the context before the cut": {time.Minute, time.Second, 2 * time.Second, false, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.end > 0 {
					time.AfterFunc(tt.end, cancel)
				}
				var cut chan struct{}
				if tt.cut > 0 {
					cut = make(chan struct{})
					time.AfterFunc(tt.cut, func() { close(cut) })
				}
				began := time.Now()
				if got := Or(ctx, tt.wait, cut); got != tt.goesOn {
					t.Errorf("it reports %v", got)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("it took %s, want %s", took, tt.took)
				}
			})
		})
	}
}

func TestAPauseWithAnEndedContextSaysSoAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if For(ctx, 0) || For(ctx, time.Hour) || Until(ctx, time.Now().Add(time.Hour)) {
		t.Error("it goes on")
	}
}

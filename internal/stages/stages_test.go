package stages

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// diary notes what happens, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// step ends after a while when it is asked to, or by itself with err if fails is not 0.
func (d *diary) step(name string, ending, fails time.Duration, err error) Step {
	return Step{Name: name, Run: func(ctx context.Context) error {
		var failing <-chan time.Time
		if fails > 0 {
			failing = time.After(fails)
		}
		select {
		case <-ctx.Done():
			time.Sleep(ending)
			err = nil
		case <-failing:
		}
		d.note(name)
		return err
	}}
}

func TestStagesEndOneAfterTheOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		err := Run(ctx, slog.New(slog.DiscardHandler),
			Stage{Steps: []Step{d.step("server", time.Second, 0, nil), d.step("clock", 0, 0, nil)}},
			Stage{Steps: []Step{d.step("committer", time.Second, 0, nil)}},
			Stage{Steps: []Step{d.step("ownership", 0, 0, nil)}})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"clock", "server", "committer", "ownership"}; !slices.Equal(d.lines, want) {
			t.Errorf("they ended in the order %q, want %q", d.lines, want)
		}
		if took := time.Since(began); took != time.Minute+2*time.Second {
			t.Errorf("the end came after %s", took)
		}
	})
}

func TestAStepThatFailsEndsAllInOrderAndIsNamed(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, stage := range map[string]int{"in the first stage": 0, "in the last stage": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var d diary
				all := []Stage{{Steps: []Step{d.step("front", 0, 0, nil)}}, {Steps: []Step{d.step("back", 0, 0, nil)}}}
				all[stage].Steps = append(all[stage].Steps, d.step("bad", 0, time.Second, broken))
				err := Run(t.Context(), slog.New(slog.DiscardHandler), all...)
				if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "bad: ") {
					t.Errorf("it failed with %v", err)
				}
				if front, back := slices.Index(d.lines, "front"), slices.Index(d.lines, "back"); front < 0 || back < front {
					t.Errorf("they ended in the order %q", d.lines)
				}
			})
		})
	}
}

func TestAStepThatHangsIsNamedAndHoldsUpTheNextStageForItsBoundOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		var text bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		err := Run(ctx, slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelWarn})),
			Stage{Steps: []Step{d.step("quick", 0, 0, nil), d.step("hangs", time.Minute, 0, nil)}},
			Stage{Steps: []Step{d.step("writer", 0, 0, nil)}, Within: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"quick", "writer", "hangs"}; !slices.Equal(d.lines, want) {
			t.Errorf("they ended in the order %q, want %q", d.lines, want)
		}
		lines := strings.Split(text.String(), "\n")
		if !strings.Contains(lines[0], `"still ending"`) || !strings.Contains(lines[0], `steps="hangs, writer" after=2s`) {
			t.Errorf("after 2 s the log says %q", lines[0])
		}
		if !strings.Contains(lines[3], "steps=hangs after=8s") {
			t.Errorf("after 8 s the log says %q", lines[3])
		}
	})
}

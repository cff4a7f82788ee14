// Package stages runs the parts of a role as named steps, and ends them in order.
//
// The steps of all stages start together. When the end is asked for, or a step fails, the
// first stage is asked to end; when all of its steps have ended, the second one is, and so
// on: what the front decided is still written, and what was written is still delivered.
// A step that takes its time is named in the log.
//
// Goroutines: one a step, which ends when the step returns; one that watches the end, which
// ends with Run. Run returns when all steps have returned.
package stages

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Step is one part of a role.
type Step struct {
	Name string
	// Run works until its context ends, then ends in order. It returns nil unless it failed.
	Run func(context.Context) error
}

// Stage is a group of steps that end at the same time.
type Stage struct {
	Steps []Step
	// Within bounds the wait for the stages before: this one is asked to end so long after
	// the end was asked for, whether they have ended or not. 0 is no bound.
	Within time.Duration
}

// stillAfter is when, and how often, steps that have not ended are named.
const stillAfter = 2 * time.Second

// Run runs the stages until ctx ends or a step fails. It returns the first failure, with
// the name of its step.
func Run(ctx context.Context, log *slog.Logger, all ...Stage) error {
	asked, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if len(all) == 0 {
		return nil
	}
	running := &presence{log: log}

	ends := make([]context.CancelFunc, len(all))
	groups := make([]*errgroup.Group, len(all))
	for i, stage := range all {
		own, end := context.WithCancel(context.WithoutCancel(ctx))
		ends[i], groups[i] = end, new(errgroup.Group)
		for _, step := range stage.Steps {
			running.add(step.Name)
			groups[i].Go(func() error {
				defer running.remove(step.Name)
				if err := step.Run(own); err != nil {
					err = fmt.Errorf("%s: %w", step.Name, err)
					fail(err)
					return err
				}
				return nil
			})
		}
	}

	stop := context.AfterFunc(asked, func() {
		ends[0]()
		for i, stage := range all {
			if stage.Within > 0 {
				time.AfterFunc(stage.Within, ends[i])
			}
		}
	})
	defer stop()
	watching, watched := context.WithCancel(context.WithoutCancel(ctx))
	var watcher sync.WaitGroup
	watcher.Go(func() { running.watch(watching, asked) })
	defer watcher.Wait()
	defer watched()

	var first error
	for i, group := range groups {
		err := group.Wait()
		if first == nil {
			first = err
		}
		ends[i]()
		if i+1 < len(ends) {
			ends[i+1]()
		}
	}
	return first
}

// presence knows which steps run.
type presence struct {
	log *slog.Logger

	mu    sync.Mutex
	steps map[string]int
}

func (p *presence) add(step string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.steps == nil {
		p.steps = map[string]int{}
	}
	p.steps[step]++
}

func (p *presence) remove(step string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.steps[step]--; p.steps[step] == 0 {
		delete(p.steps, step)
	}
	p.log.Debug("step ended", "step", step)
}

// watch names the steps that still run, from time to time after the end was asked for,
// until ctx ends.
func (p *presence) watch(ctx, asked context.Context) {
	select {
	case <-asked.Done():
	case <-ctx.Done():
		return
	}
	began := time.Now()
	ticker := time.NewTicker(stillAfter)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			p.mu.Lock()
			names := slices.Sorted(maps.Keys(p.steps))
			p.mu.Unlock()
			p.log.Warn("still ending", "steps", strings.Join(names, ", "), "after", now.Sub(began).Round(time.Second))
		}
	}
}

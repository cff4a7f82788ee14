package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/alecthomas/kong"
)

// reload is how a role takes new settings while it runs.
type reload struct {
	// live lists the flags that it takes. The others need a restart.
	live []string
	// apply takes the settings of a new reading. An error changes nothing.
	apply func(next *commands, p *program) error
	// flags returns the process's flags of a reading.
	flags func(next *commands) processFlags
}

// reloader returns what a process does at SIGHUP: it reads the command line's files again,
// applies what can be applied, and names what needs a restart. A mistake changes nothing.
func (p *program) reloader(proc *process, r reload) func() {
	live := append([]string{"log-level"}, r.live...)
	proc.renewal = newRenewal(p, proc, func() error { return r.apply(p.table, p) })
	return func() {
		sum := proc.renewal.sum() // before they are read
		next, fresh, err := p.again()
		if err == nil {
			err = r.apply(next, fresh)
		}
		if err != nil {
			proc.log.Error("configuration not reloaded, nothing changed", "error", err)
			return
		}
		_ = r.flags(next).setLevel(proc.level) // the parser took it
		var changed, restart []string
		for name, value := range fresh.values {
			switch {
			case p.values[name] == value:
			case slices.Contains(live, name):
				changed = append(changed, name)
				p.values[name] = value
			default:
				restart = append(restart, name)
			}
		}
		p.table, p.files = next, fresh.files
		proc.renewal.took(sum, time.Now())
		slices.Sort(changed)
		proc.log.Info("configuration reloaded, with its tokens and certificates", "changed", changed)
		slices.Sort(restart)
		for _, name := range restart {
			proc.log.Warn("changed, but only a restart applies it", "flag", name)
		}
	}
}

// again reads the command line, the environment and the files anew.
func (p *program) again() (*commands, *program, error) {
	fresh := &program{LookupEnv: p.LookupEnv, Out: io.Discard, Err: io.Discard, args: p.args}
	table, values := &commands{}, &settings{program: fresh}
	parser, err := newParser(fresh, table, values)
	if err != nil {
		return nil, nil, err
	}
	chosen, err := parser.Parse(p.args)
	if values.err != nil {
		err = values.err
	}
	if err != nil {
		return nil, nil, err
	}
	fresh.values = flagValues(chosen)
	return table, fresh, nil
}

// flagValues returns the values of the command's flags, whoever set them.
func flagValues(chosen *kong.Context) map[string]string {
	values := map[string]string{}
	if chosen.Selected() == nil {
		return values
	}
	for _, flag := range chosen.Selected().Flags {
		if flag.Name != "help" && flag.Target.IsValid() {
			values[flag.Name] = fmt.Sprintf("%v", flag.Target.Interface())
		}
	}
	return values
}

package dispatch_test

import (
	"errors"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
)

// process joins as a process of node a.
func (d *desk) process(instance string) (dispatch.SessionID, error) {
	id, _, err := d.Join(d.now, dispatch.Hello{Node: "a", Instance: instance, Region: "r" + instance, MaxInFlight: 10}, nil)
	return id, err
}

// wantTaken wants that a process is refused, and for how long the name is kept.
func (d *desk) wantTaken(instance string, left time.Duration) {
	d.t.Helper()
	id, err := d.process(instance)
	taken, ok := errors.AsType[*dispatch.NameTaken](err)
	if !ok || taken.Left != left || id != 0 {
		d.t.Errorf("process %s: session %d, %+v; want that the name is taken for %s", instance, id, err, left)
	}
}

// wantRival wants that the only session has a rival.
func (d *desk) wantRival(instance string, since, last float64) {
	d.t.Helper()
	r := d.Sessions()[0].Rival
	if r.Hello.Instance != instance || !r.Since.Equal(at(since)) || !r.Last.Equal(at(last)) {
		d.t.Errorf("the rival is %+v, want process %q from %v to %v s", r, instance, since, last)
	}
}

var naming = map[string]func(*desk){
	"a process that is heard keeps its name": func(d *desk) {
		a, _ := d.process("1")
		for range 100 {
			d.wait(9.9)
			d.wantTaken("2", 100*time.Millisecond)
			if _, err := d.Heartbeat(d.now, a, nil); err != nil {
				d.t.Fatal(err)
			}
			d.wantTaken("2", 10*time.Second)
		}
		d.wantRival("2", 9.9, 990)
	},
	"a process that is silent for two heartbeats loses it, and what it had out": func(d *desk) {
		a, _ := d.process("1")
		if err := d.Grant(a, 10); err != nil {
			d.t.Fatal(err)
		}
		d.sites(1, 3)
		d.one()
		d.wait(10)
		b, superseded, err := d.Join(d.now, dispatch.Hello{Node: "a", Instance: "2", MaxInFlight: 10}, nil)
		if err != nil || !slices.Equal(superseded, []dispatch.SessionID{a}) || d.Queued() != 3 {
			d.t.Errorf("session %d, supersedes %v, %v; %d queued", b, superseded, err, d.Queued())
		}
		d.wantTaken("1", 10*time.Second) // it was only asleep
		d.wantRival("1", 10, 10)
	},
	"a process that has said that it leaves gives its name away": func(d *desk) {
		a, _ := d.process("1")
		d.Drain(a)
		if _, err := d.process("2"); err != nil {
			d.t.Error(err)
		}
		d.wantTaken("1", 10*time.Second)
	},
	"a name is free when its session is over": func(d *desk) {
		a, _ := d.process("1")
		d.Leave(d.now, a)
		if _, err := d.process("2"); err != nil {
			d.t.Error(err)
		}
	},
	"a process that comes back does not end the quarrel": func(d *desk) {
		_, _ = d.process("1")
		d.wantTaken("2", 10*time.Second)
		d.wait(1)
		if _, err := d.process("1"); err != nil {
			d.t.Error(err)
		}
		d.wantRival("2", 0, 0)
	},
	"a rival that gives up is forgotten": func(d *desk) {
		a, _ := d.process("1")
		d.wantTaken("2", 10*time.Second)
		for range 6 {
			d.wait(5)
			if _, err := d.Heartbeat(d.now, a, nil); err != nil {
				d.t.Fatal(err)
			}
		}
		if r := d.Sessions()[0].Rival; r != (dispatch.Rival{}) {
			d.t.Errorf("the rival is %+v", r)
		}
		d.wantTaken("3", 10*time.Second)
		d.wantRival("3", 30, 30)
	},
	"two names are two checkers": func(d *desk) {
		_, _ = d.process("1")
		if _, _, err := d.Join(d.now, dispatch.Hello{Node: "b", Instance: "2"}, nil); err != nil {
			d.t.Error(err)
		}
	},
}

package checker

import (
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

// departure is how a session is left: said once, then what runs may finish for a
// while, then what still runs is given back, then the acknowledgements are waited for.
type departure struct {
	session *session
	// drain and shutdown are what it may begin by; nil after it has.
	drain    <-chan struct{}
	shutdown <-chan struct{}

	begun, forced, late bool
	// cause is why the session ends; nil when the checker itself goes.
	cause error
	alarm *time.Timer
}

// begin announces it. Nothing that has not begun is begun any more.
func (d *departure) begin(cause error) error {
	d.begun, d.cause, d.drain, d.shutdown = true, cause, nil, nil
	d.alarm = time.NewTimer(finishWithin)
	d.session.patience = lastWordWithin
	err := d.session.say(&coordinatorv1.StreamAssignmentsRequest{
		Message: &coordinatorv1.StreamAssignmentsRequest_Leaving{Leaving: &coordinatorv1.Leaving{}},
	})
	d.session.account.leave(time.Now())
	return err
}

// timer rings when patience ends; nil, which never does, before begin.
func (d *departure) timer() <-chan time.Time {
	if d.alarm == nil {
		return nil
	}
	return d.alarm.C
}

// press goes one step on when patience has ended.
func (d *departure) press() {
	if d.forced {
		d.late = true
		return
	}
	d.forced = true
	d.session.account.force(time.Now())
	d.alarm.Reset(ackWithin)
}

func (d *departure) stop() {
	if d.alarm != nil {
		d.alarm.Stop()
	}
}

package checker

import (
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

// departure is the graceful end of a session. It is announced once. Then running checks may
// finish for a while, the remaining ones are released, and the sender waits for the
// acknowledgements.
type departure struct {
	session *session
	// drain and shutdown are the signals that begin it; nil after it has begun.
	drain    <-chan struct{}
	shutdown <-chan struct{}

	begun, forced, late bool
	// cause is the reason why the session ends; nil when the checker itself stops.
	cause error
	alarm *time.Timer
}

// begin announces the departure. No further check starts.
func (d *departure) begin(cause error) error {
	d.begun, d.cause, d.drain, d.shutdown = true, cause, nil, nil
	d.alarm = time.NewTimer(finishWithin)
	d.session.patience = lastWordWithin
	err := d.session.say(&coordinatorv1.StreamAssignmentsRequest{
		Message: &coordinatorv1.StreamAssignmentsRequest_Leaving{Leaving: &coordinatorv1.Leaving{}},
	})
	d.session.quota.leave(time.Now())
	return err
}

// timer returns the channel that fires when patience ends; before begin it is nil, which
// never fires.
func (d *departure) timer() <-chan time.Time {
	if d.alarm == nil {
		return nil
	}
	return d.alarm.C
}

// press takes the next step when patience has ended.
func (d *departure) press() {
	if d.forced {
		d.late = true
		return
	}
	d.forced = true
	d.session.quota.force(time.Now())
	d.alarm.Reset(ackWithin)
}

func (d *departure) stop() {
	if d.alarm != nil {
		d.alarm.Stop()
	}
}

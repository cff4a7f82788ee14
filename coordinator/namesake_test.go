package coordinator_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// process is the Hello of a process that calls itself c.
func process(instance string) *coordinatorv1.StreamAssignmentsRequest {
	return hello(func(h *coordinatorv1.Hello) { h.InstanceId = instance })
}

// enter opens a stream and wants to be welcomed.
func (r *rig) enter(t *testing.T, instance string) wire {
	t.Helper()
	st := r.open(t, process(instance))
	if hear(t, st).GetWelcome() == nil {
		t.Fatalf("process %s is not welcome", instance)
	}
	return st
}

// refused opens a stream and wants to be refused; it answers when to try again.
func (r *rig) refused(t *testing.T, instance string) time.Duration {
	t.Helper()
	_, err := r.open(t, process(instance)).Recv()
	if status.Code(err) != codes.AlreadyExists {
		t.Fatalf("process %s: %v, want ALREADY_EXISTS", instance, err)
	}
	reason, again := "", time.Duration(0)
	for _, d := range status.Convert(err).Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			reason = d.GetDomain() + " " + d.GetReason() + " " + d.GetMetadata()["node"]
		case *errdetails.RetryInfo:
			again = d.GetRetryDelay().AsDuration()
		}
	}
	if reason != "jetmon.coordinator NODE_NAME_TAKEN c" {
		t.Errorf("the reason is %q", reason)
	}
	return again
}

func beat(t *testing.T, st wire) {
	t.Helper()
	say(t, st, &coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Heartbeat{Heartbeat: &coordinatorv1.Heartbeat{}}})
	if hear(t, st).GetHeartbeatAck() == nil {
		t.Fatal("a heartbeat is not answered")
	}
}

// nameAlarms are the messages of alarms about names that are taken, with their times.
func (r *rig) nameAlarms(t *testing.T) (messages []string, since []time.Time) {
	t.Helper()
	resp, err := monitorv1.NewFleetServiceClient(r.conn).GetFleet(t.Context(), &monitorv1.GetFleetRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range resp.GetFleet().GetAlarms() {
		if a.GetKind() == monitorv1.AlarmKind_ALARM_KIND_NAME_TAKEN {
			messages, since = append(messages, a.GetMessage()), append(since, a.GetRaiseTime().AsTime())
		}
	}
	return messages, since
}

// logged is a log to look into.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// warnings counts the lines of level WARN that have a text.
func (l *logged) warnings(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, "level=WARN") && strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func startLogged(t *testing.T) (*rig, *logged) {
	t.Helper()
	log := &logged{}
	return startWith(t, func(o *coordinator.Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) }), log
}

func TestANameIsTakenWhileItsSessionIsHeard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, log := startLogged(t)
		first := r.enter(t, "1")
		began := time.Now()
		for range 60 { // five minutes of two processes that want one name
			time.Sleep(5 * time.Second)
			beat(t, first)
			if again := r.refused(t, "2"); again != 10*time.Second {
				t.Fatalf("try again after %s", again)
			}
		}
		messages, since := r.nameAlarms(t)
		if len(messages) != 1 || !strings.Contains(messages[0], "checker c") || since[0].Sub(began) != 5*time.Second {
			t.Errorf("alarms %q since %v, began %v", messages, since, began)
		}
		if n := log.warnings("checker=c "); n < 1 || n > 6 {
			t.Errorf("%d warnings in five minutes, want one a minute", n)
		}
		// The second process gives up.
		for range 5 {
			time.Sleep(5 * time.Second)
			beat(t, first)
		}
		if messages, _ := r.nameAlarms(t); len(messages) != 1 {
			t.Errorf("25 s after the last attempt: %q", messages)
		}
		time.Sleep(6 * time.Second)
		beat(t, first)
		if messages, _ := r.nameAlarms(t); len(messages) != 0 {
			t.Errorf("31 s after the last attempt: %q", messages)
		}
	})
}

func TestARestartedProcessTakesOverWhenTheOldOneIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := startLogged(t)
		old := r.enter(t, "1")
		time.Sleep(5 * time.Second)
		beat(t, old) // its last: the machine is off, the connection is not closed
		time.Sleep(4 * time.Second)
		again := r.refused(t, "2")
		if again != 6*time.Second {
			t.Errorf("try again after %s, want 6s", again)
		}
		time.Sleep(again - time.Millisecond)
		r.refused(t, "2")
		time.Sleep(time.Millisecond)
		r.enter(t, "2")
		if _, err := old.Recv(); status.Code(err) != codes.Aborted {
			t.Errorf("the old session: %v, want ABORTED", err)
		}
		time.Sleep(2 * time.Second) // the watchdog looks each second
		if messages, _ := r.nameAlarms(t); len(messages) != 0 {
			t.Errorf("the new process has the name, and there is %q", messages)
		}
		// The old process was only asleep. It does not take the name back.
		r.refused(t, "1")
	})
}

func TestANameIsFreeAtOnceWhenItsProcessLeftOrComesBackItself(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, next string
		leave      func(*testing.T, wire)
	}{
		{"it said that it leaves", "2", func(t *testing.T, st wire) {
			say(t, st, &coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Leaving{Leaving: &coordinatorv1.Leaving{}}})
		}},
		{"its stream is closed", "2", func(t *testing.T, st wire) {
			if err := st.CloseSend(); err != nil {
				t.Fatal(err)
			}
		}},
		{"it comes back itself, its connection half open", "1", func(*testing.T, wire) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, log := startLogged(t)
				old := r.enter(t, "1")
				tt.leave(t, old)
				synctest.Wait()
				r.enter(t, tt.next)
				if n := log.warnings("checker=c "); n != 0 {
					t.Errorf("%d warnings", n)
				}
			})
		})
	}
}

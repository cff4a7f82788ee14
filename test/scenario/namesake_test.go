package scenario

import (
	"context"
	"regexp"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// twin is the common name of two checkers.
const twin = "twin"

// takesOver is the time after the last word of a vanished checker within which another one of
// its name must work.
const takesOver = 12 * time.Second

// twins is a coordinator and its report of the checkers named twin.
type twins struct {
	conn *grpc.ClientConn
}

func (w twins) fleet(t *testing.T) *monitorv1.Fleet {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	resp, err := monitorv1.NewFleetServiceClient(w.conn).GetFleet(ctx, &monitorv1.GetFleetRequest{})
	if err != nil {
		t.Error(err)
	}
	return resp.GetFleet()
}

// holder returns the instance that has the name, "" if none has.
func (w twins) holder(t *testing.T) string {
	t.Helper()
	for _, c := range w.fleet(t).GetCheckers() {
		if c.GetNode() == twin {
			return c.GetInstanceId()
		}
	}
	return ""
}

func (w twins) alarmed(t *testing.T) bool {
	t.Helper()
	for _, a := range w.fleet(t).GetAlarms() {
		if a.GetKind() == monitorv1.AlarmKind_ALARM_KIND_NAME_TAKEN {
			return true
		}
	}
	return false
}

// looks is the time within which an alarm follows its cause: the watchdog looks once a second.
const looks = 2 * time.Second

// keeps checks that an instance keeps the name for a while, and that the alarm is raised.
func (w twins) keeps(t *testing.T, instance string, d time.Duration) {
	t.Helper()
	await(t, "there is an alarm", looks+busy, func() bool { return w.alarmed(t) })
	for end := time.Now().Add(d); time.Now().Before(end); {
		if got := w.holder(t); got != instance {
			t.Fatalf("the name went from instance %s to %q", instance, got)
		}
		if !w.alarmed(t) {
			t.Fatal("there is no alarm")
		}
		timer := time.NewTimer(100 * time.Millisecond)
		<-timer.C
	}
}

// Two checkers start with the same name by mistake; then the machine of the first vanishes
// without a word; then it returns.
func TestTwoCheckersOfOneNameDoNotTakeItFromOneAnother(t *testing.T) {
	t.Parallel()
	s := begin(t, asRoles(), setup{})
	h, ok := s.harness.(*roles)
	if !ok {
		t.Fatal("these are no processes")
	}
	w := twins{dial(t, h.coordinatorAddr())}
	line := newWire(t, h.coordinatorAddr())
	instance := func(n node) string {
		t.Helper()
		return regexp.MustCompile(`msg=started.* role=checker.* instance=(\S+)`).FindStringSubmatch(h.log(n))[1]
	}
	h.run(t, "first", `session open()`, "checker", "--node="+twin, "--allow-private", "--coordinator="+line.address())
	h.run(t, "second", `another process works under the name of this checker()`, "checker", "--node="+twin, "--allow-private", "--coordinator="+h.coordinatorAddr())
	await(t, "there is an alarm", patience, func() bool { return w.alarmed(t) })
	w.keeps(t, instance("first"), 20*time.Second)

	line.cut()
	gone := time.Now()
	h.crash(t, "first")
	await(t, "the second has the name", patience, func() bool { return w.holder(t) == instance("second") })
	took := time.Since(gone)
	t.Logf("the second has the name %s after the first vanished", took.Round(time.Millisecond))
	if took > takesOver+busy {
		t.Errorf("the second has the name %s after the first vanished, want %s", took, takesOver)
	}
	await(t, "the alarm is over", looks+busy, func() bool { return !w.alarmed(t) })

	line.heal()
	h.processes["first"].ready = regexp.MustCompile(`another process works under the name of this checker()`)
	h.processes["first"].start(t)
	w.keeps(t, instance("second"), 10*time.Second)

	// Killed where the machine lives, it leaves its name at once.
	h.crash(t, "second")
	killed := time.Now()
	await(t, "the first has the name again", patience, func() bool { return w.holder(t) == instance("first") })
	t.Logf("the first has the name again %s after the second was killed", time.Since(killed).Round(time.Millisecond))
	if took := time.Since(killed); took > takesOver/2+busy {
		t.Errorf("the first has the name %s after the second was killed, want %s", took, takesOver/2)
	}
	restarted := time.Now()
	h.crash(t, "first")
	h.processes["first"].ready = regexp.MustCompile(`session open()`)
	h.processes["first"].start(t)
	t.Logf("killed and started again it works after %s", time.Since(restarted).Round(time.Millisecond))
	if took := time.Since(restarted); took > busy {
		t.Errorf("killed and started again it works after %s", took)
	}
}

package checker_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/checker"
)

// taken is a coordinator's refusal of a process whose name another one has.
func taken(t *testing.T, again time.Duration) error {
	t.Helper()
	st, err := status.New(codes.AlreadyExists, "another process works").WithDetails(
		&errdetails.ErrorInfo{Domain: "jetmon.coordinator", Reason: "NODE_NAME_TAKEN", Metadata: map[string]string{"node": "fra-1"}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(again)},
	)
	if err != nil {
		t.Fatal(err)
	}
	return st.Err()
}

// TestARefusedProcessTakesOverSoonAfterItsNameIsFree shows that a process that replaces a
// vanished one works within 12 s.
func TestARefusedProcessTakesOverSoonAfterItsNameIsFree(t *testing.T) {
	t.Parallel()
	for _, silent := range []time.Duration{0, 3 * time.Second, 9990 * time.Millisecond} {
		t.Run(silent.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log := &logged{}
				c, r := pair(t, &sites{answer: up}, func(o *checker.Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
				free := time.Now().Add(10*time.Second - silent)
				for tries := 0; ; tries++ {
					k := <-c.sessions
					left := time.Until(free)
					if left > 0 {
						k.end <- taken(t, left)
						continue
					}
					k.end <- nil
					if -left > 1200*time.Millisecond || tries > 3 {
						t.Errorf("it came %s after its name was free, after %d tries", -left, tries)
					}
					break
				}
				log.await(t, `level=WARN msg="no session" checker=fra-1 coordinator=coordinator error="wait for the welcome: another process works under the name of this checker and answers the coordinator; each checker needs a name of its own"`)
				if err := r.Ready(); err == nil {
					t.Error("it is ready")
				}
			})
		})
	}
}

func TestAProcessWhoseNameIsTakenKeepsTrying(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r := pair(t, &sites{answer: up}, nil)
		begin, last := time.Now(), time.Now()
		for time.Since(begin) < 10*time.Minute {
			k := <-c.sessions
			if gap := time.Since(last); last != begin && (gap < 5*time.Second || gap > 6*time.Second) {
				t.Fatalf("%s between two tries", gap)
			}
			last = time.Now()
			k.end <- taken(t, 10*time.Second)
		}
		synctest.Wait()
		if err := r.Ready(); err == nil || !strings.Contains(err.Error(), "another process works under the name of this checker") {
			t.Errorf("ready: %v", err)
		}
		c.accept(t).awaitCredit()
	})
}

// TestTheWaitForATakenNameIsBounded shows that a checker limits the delay that a coordinator asks
// for.
func TestTheWaitForATakenNameIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, &sites{answer: up}, nil)
		for _, again := range []time.Duration{0, -time.Hour, time.Nanosecond, 100 * time.Hour} {
			(<-c.sessions).end <- taken(t, again)
			begin := time.Now()
			k := <-c.sessions
			if gap := time.Since(begin); gap < 10*time.Millisecond || gap > 10*time.Second {
				t.Errorf("asked for %s it waited for %s", again, gap)
			}
			k.end <- nil
		}
	})
}

package checker_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/checker"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
)

func refs(batches ...uint64) []*coordinatorv1.BatchRef {
	var out []*coordinatorv1.BatchRef
	for _, b := range batches {
		out = append(out, &coordinatorv1.BatchRef{BatchId: b, CheckoutId: b * 1000})
	}
	return out
}

// bySeconds is a site that fails after the time in its path: /5s.
func bySeconds(ctx context.Context, t check.Target) check.Observation {
	d, err := time.ParseDuration(t.URL[strings.LastIndex(t.URL, "/")+1:])
	if err != nil {
		panic(err)
	}
	return after(d, down)(ctx, t)
}

func TestALostStreamLosesNoResult(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sites{answer: bySeconds}
		c, _ := pair(t, s, nil)
		k := c.accept(t)
		k.next(true)
		synctest.Wait()
		k.assign(1, "https://a.example/1s")
		k.assign(2, "https://b.example/2s", "https://c.example/2s")
		k.assign(3, "https://d.example/8s")
		k.ack(k.results())
		unacknowledged := 0
		for unacknowledged < 2 { // of batch 2, whose acknowledgements get lost
			unacknowledged += len(k.results().GetResults())
		}
		k.end <- status.Error(codes.Internal, "broken")
		broke := time.Now()

		k = c.accept(t)
		if r := k.hello.GetResume(); len(r) != 2 || r[0].GetCheckoutId() != 2000 || r[1].GetCheckoutId() != 3000 {
			t.Errorf("resumes %v, want batch 2 and 3", r)
		}
		again := k.results()
		if again.GetBatch().GetCheckoutId() != 2000 || len(again.GetResults()) != 2 {
			t.Errorf("again came %v, want batch 2", again)
		}
		if age := time.Duration(again.GetResults()[0].GetAgeMillis()) * time.Millisecond; age != time.Since(broke).Truncate(time.Millisecond) {
			t.Errorf("the result is said to be %s old, is %s", age, time.Since(broke))
		}
		k.ack(again)
		if last := k.results(); last.GetBatch().GetBatchId() != 3 {
			t.Errorf("then came %v, want batch 3", last)
		}
		if probed, _, _ := s.seen(); len(probed) != 4 {
			t.Errorf("%d probes for 4 checks", len(probed))
		}
	})
}

func TestResultsAreKeptWhileTheyCanStillCount(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		away  time.Duration
		comes bool
	}{
		"after a minute they are sent":           {time.Minute, true},
		"after three minutes they are forgotten": {3 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				network := rpc.NewMemory()
				c, addr := serve(t, network, "coordinator")
				start(t, network, &sites{answer: bySeconds}, nil, addr)
				k := c.accept(t)
				k.next(true)
				synctest.Wait()
				k.assign(1, "https://a.example/1s")
				k.results()
				k.assign(2, "https://b.example/5s") // ends while nobody is there
				synctest.Wait()
				k.end <- nil
				c.stop()
				time.Sleep(tt.away)
				c, _ = serve(t, network, "coordinator")
				k = c.accept(t)
				if n := len(k.hello.GetResume()); (n == 2) != tt.comes || (n == 0) == tt.comes {
					t.Errorf("resumes %v", k.hello.GetResume())
				}
				if tt.comes {
					k.ack(k.results())
					k.ack(k.results())
				}
				for range 2 {
					if m := k.next(true); m.GetHeartbeat() == nil || len(m.GetHeartbeat().GetOpenBatches()) != 0 {
						t.Errorf("then came %v", m)
					}
				}
			})
		})
	}
}

func TestACoordinatorThatNeverAcknowledgesGetsNoMoreCredit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, &sites{answer: down}, func(o *checker.Options) { o.MaxInFlight = 8 })
		k := c.accept(t)
		k.next(true)
		assigned := uint32(0)
		for range 50 {
			synctest.Wait()
			k.overhear()
			if k.granted > assigned {
				assigned++
				k.assign(uint64(assigned), "https://a.example/")
			}
		}
		if assigned < 32 || assigned > 48 {
			t.Errorf("%d checks were taken without an acknowledgement, want 4 to 5 shares of 8", assigned)
		}
	})
}

func TestBatchesUnknownToTheCoordinatorAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, &sites{answer: bySeconds}, func(o *checker.Options) { o.MaxInFlight = 2 })
		k := c.accept(t)
		k.next(true)
		synctest.Wait()
		k.assign(1, "https://a.example/3s")
		k.assign(2, "https://b.example/3s")
		synctest.Wait()
		k.say(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_HeartbeatAck{
			HeartbeatAck: &coordinatorv1.HeartbeatAck{UnknownBatches: refs(1, 99)},
		}})
		r := k.results()
		if r.GetBatch().GetBatchId() != 2 {
			t.Errorf("got %v, want batch 2 only", r)
		}
		k.ack(r)
		if m := k.next(true); m.GetHeartbeat() == nil || len(m.GetHeartbeat().GetOpenBatches()) != 0 {
			t.Errorf("got %v, want a heartbeat without batches", m)
		}
		if k.granted != 4 {
			t.Errorf("%d were granted in all, want the room of both checks back", k.granted)
		}
	})
}

func TestAFinishedResultIsSentEvenIfItsBatchWasReassigned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, &sites{answer: after(time.Second, up)}, nil)
		k := c.accept(t)
		k.next(true)
		synctest.Wait()
		k.assign(1, "https://a.example/")
		time.Sleep(1100 * time.Millisecond) // finished, and waiting for company
		k.say(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_HeartbeatAck{
			HeartbeatAck: &coordinatorv1.HeartbeatAck{UnknownBatches: refs(1)},
		}})
		k.ack(k.results())
		if m := k.next(true); m.GetHeartbeat() == nil || len(m.GetHeartbeat().GetOpenBatches()) != 0 {
			t.Errorf("then came %v", m)
		}
	})
}

func TestARefusedBatchDoesNotEndTheStream(t *testing.T) {
	t.Parallel()
	for reason, restFollows := range map[string]bool{
		"BATCH_NOT_CHECKED_OUT": false,
		"BATCH_MISMATCH":        false,
		"TERM_STALE":            true, // of other shards
		"BATCH_INVALID":         true,
		"A_REASON_OF_TOMORROW":  true,
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, _ := pair(t, &sites{answer: bySeconds}, nil)
				k := c.accept(t)
				k.next(true)
				synctest.Wait()
				k.assign(1, "https://a.example/1s", "https://b.example/3s")
				first := k.results()
				refusal, err := status.New(codes.FailedPrecondition, "no").WithDetails(
					&errdetails.ErrorInfo{Domain: "jetmon.coordinator", Reason: reason})
				if err != nil {
					t.Fatal(err)
				}
				k.answer(&coordinatorv1.ResultsAck{Batch: first.GetBatch(), Error: refusal.Proto()})
				m := k.next(true)
				if rest := m.GetResults(); (rest != nil) != restFollows || restFollows && rest.GetResults()[0].GetSiteId() != 2 {
					t.Errorf("then came %v", m)
				} else if restFollows {
					k.ack(rest)
				}
				if m := k.next(true); len(m.GetHeartbeat().GetOpenBatches()) != 0 || m.GetHeartbeat() == nil {
					t.Errorf("at last came %v, want a heartbeat without batches", m)
				}
			})
		})
	}
}

func TestABatchAssignedTwiceIsCheckedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sites{answer: bySeconds}
		c, _ := pair(t, s, nil)
		k := c.accept(t)
		k.next(true)
		synctest.Wait()
		k.assign(1, "https://a.example/1s")
		k.assign(1, "https://a.example/1s")
		k.ack(k.results())
		if m := k.next(true); m.GetHeartbeat() == nil {
			t.Errorf("then came %v", m)
		}
		if probed, _, _ := s.seen(); len(probed) != 1 {
			t.Errorf("%d probes", len(probed))
		}
	})
}

func TestABatchBeyondTheCreditIsReleasedUnchecked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sites{answer: bySeconds}
		c, _ := pair(t, s, func(o *checker.Options) { o.MaxInFlight = 3 })
		k := c.accept(t)
		k.next(true)
		synctest.Wait()
		k.assign(1, "https://a.example/1s", "https://b.example/1s")
		k.assign(2, "https://c.example/1s", "https://d.example/1s")
		k.released(2)
		k.assign(3, "https://e.example/1s")
		for n := 0; n < 3; {
			n += len(k.results().GetResults())
		}
		if probed, _, top := s.seen(); len(probed) != 3 || top != 3 {
			t.Errorf("%d probes, %d at once, want 3", len(probed), top)
		}
	})
}

// crowd starts two coordinators. The first takes all four places for ten seconds with batch
// 1, so that the second one's checks have to wait.
func crowd(t *testing.T, s *sites, paths ...string) (a, b *session, r *running) {
	t.Helper()
	network := rpc.NewMemory()
	one, first := serve(t, network, "one")
	r = start(t, network, s, func(o *checker.Options) { o.MaxInFlight = 4 }, first, "two")
	a = one.accept(t)
	a.next(true)
	synctest.Wait()
	two, _ := serve(t, network, "two")
	b = two.accept(t)
	b.next(true)
	synctest.Wait()
	if len(a.in) > 0 {
		a.next(true) // adds the credit up
	}
	a.assign(1, paths...)
	synctest.Wait()
	if probed, _, _ := s.seen(); len(probed) != 4 {
		t.Fatalf("%d probes run, want 4", len(probed))
	}
	return a, b, r
}

func TestARevokeCancelsOnlyChecksThatHaveNotBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sites{answer: bySeconds}
		a, b, _ := crowd(t, s, "https://a.example/2s", "https://b.example/2s", "https://c.example/2s", "https://d.example/2s")
		b.assign(2, "https://e.example/1s", "https://f.example/1s")
		synctest.Wait()
		b.say(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Revoke{Revoke: &coordinatorv1.Revoke{Batches: refs(2, 77)}}})
		a.say(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Revoke{Revoke: &coordinatorv1.Revoke{Batches: refs(1)}}})
		b.released(2)
		for n := 0; n < 4; { // what runs still counts
			n += len(a.results().GetResults())
		}
		if m := a.next(true); m.GetHeartbeat() == nil {
			t.Errorf("then came %v", m)
		}
		if probed, _, _ := s.seen(); len(probed) != 4 {
			t.Errorf("%d probes, want none of the revoked batch", len(probed))
		}
	})
}

func TestShutdownFinishesRunningChecksAndReleasesTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sites{answer: bySeconds}
		a, b, r := crowd(t, s, "https://a.example/2s", "https://b.example/2s", "https://slow.example/50s", "https://slow.example/51s")
		b.assign(2, "https://e.example/1s", "https://f.example/1s")
		synctest.Wait()
		begin := time.Now()
		r.stop()
		b.leaving()
		b.released(2)
		b.closed()
		if took := time.Since(begin); took != 0 {
			t.Errorf("who has nothing running was left after %s", took)
		}
		a.leaving()
		a.assign(3, "https://late.example/1s") // crossed the announcement on its way
		a.released(3)
		for n := 0; n < 2; {
			results := a.results()
			n += len(results.GetResults())
			for _, r := range results.GetResults() {
				if r.GetSiteId() > 2 {
					t.Errorf("a check that was cut is reported: %v", r)
				}
			}
			a.ack(results)
		}
		a.released(1)
		if took := time.Since(begin); took != 8*time.Second {
			t.Errorf("what ran on was given back after %s", took)
		}
		a.closed()
		<-r.ended
		if took := time.Since(begin); took > 9*time.Second {
			t.Errorf("shutdown took %s", took)
		}
		if _, running, _ := s.seen(); running != 0 {
			t.Errorf("%d probes run on", running)
		}
	})
}

func TestShutdownWaitsForAcknowledgementsButNotForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r := pair(t, &sites{answer: bySeconds}, nil)
		k := c.accept(t)
		k.next(true)
		synctest.Wait()
		k.assign(1, "https://a.example/1s")
		synctest.Wait()
		begin := time.Now()
		r.stop()
		k.leaving()
		results := k.results()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		select {
		case m, ok := <-k.in:
			t.Errorf("before the acknowledgement came %v, %v", m, ok)
		default:
		}
		k.ack(results)
		k.closed()
		<-r.ended
		if took := time.Since(begin); took != 4*time.Second {
			t.Errorf("shutdown took %s, want it to end with the acknowledgement", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c, r := pair(t, &sites{answer: bySeconds}, nil)
		k := c.accept(t)
		k.next(true)
		synctest.Wait()
		k.assign(1, "https://a.example/1s")
		synctest.Wait()
		begin := time.Now()
		r.stop() // and the coordinator neither acknowledges nor closes
		<-r.ended
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("shutdown took %s", took)
		}
	})
}

func TestADrainingCoordinatorIsLeftInOrderAndRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sites{answer: bySeconds}
		a, b, _ := crowd(t, s, "https://a.example/2s", "https://b.example/2s", "https://c.example/2s", "https://d.example/2s")
		b.assign(2, "https://e.example/1s")
		synctest.Wait()
		drain := &coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Drain{Drain: &coordinatorv1.Drain{Reason: "deploy"}}}
		for _, k := range []*session{a, a, b} { // said twice does no harm
			k.say(drain)
		}
		b.leaving()
		b.released(2)
		b.closed()
		a.leaving()
		for n := 0; n < 4; {
			results := a.results()
			n += len(results.GetResults())
			a.ack(results)
		}
		a.closed()
		if probed, _, _ := s.seen(); len(probed) != 4 {
			t.Errorf("%d probes, want none that had not begun", len(probed))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, &sites{answer: up}, nil)
		k := c.accept(t)
		k.say(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Drain{Drain: &coordinatorv1.Drain{}}})
		k.leaving()
		k.closed()
		k = c.accept(t)
		if len(k.hello.GetResume()) != 0 {
			t.Errorf("resumes %v", k.hello.GetResume())
		}
		k.next(true)
		synctest.Wait()
		k.assign(1, "https://a.example/")
		k.ack(k.results())
	})
}

func TestChecksThatOutlastADrainAreReleasedAndNotReportedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sites{answer: bySeconds}
		c, _ := pair(t, s, nil)
		k := c.accept(t)
		k.next(true)
		synctest.Wait()
		k.assign(1, "https://slow.example/12s")
		synctest.Wait()
		k.say(&coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Drain{Drain: &coordinatorv1.Drain{}}})
		k.leaving()
		k.released(1)
		k.closed()
		k = c.accept(t)
		if len(k.hello.GetResume()) != 0 {
			t.Errorf("resumes %v", k.hello.GetResume())
		}
		for range 4 { // 15 s
			if m := k.next(true); m.GetHeartbeat() == nil {
				t.Errorf("then came %v", m)
			}
		}
		if _, running, _ := s.seen(); running != 0 {
			t.Error("the probe has not ended")
		}
	})
}

func TestALeavingCheckerSendsItsLastResultsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r := pair(t, &sites{answer: after(time.Second, up)}, nil)
		k := c.accept(t)
		k.next(true)
		synctest.Wait()
		k.assign(1, "https://a.example/")
		synctest.Wait()
		begin := time.Now()
		r.stop()
		k.leaving()
		k.ack(k.results())
		k.closed()
		<-r.ended
		if took := time.Since(begin); took != time.Second {
			t.Errorf("shutdown took %s, want it to end with the check", took)
		}
	})
}

func TestCapacityIsDividedBetweenConnectedCoordinators(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		one, first := serve(t, network, "one")
		start(t, network, &sites{answer: up}, nil, first, "two")
		a := one.accept(t)
		a.next(true)
		a.next(true)
		if a.granted != 100 {
			t.Errorf("the only one was granted %d, want all 100", a.granted)
		}
		two, _ := serve(t, network, "two")
		b := two.accept(t)
		b.next(true)
		b.next(true)
		if b.granted != 50 {
			t.Errorf("the second one was granted %d, want half", b.granted)
		}
		a.end <- nil
		one.stop()
		b.next(true)
		b.next(true)
		if b.granted != 100 {
			t.Errorf("when it was alone it had been granted %d, want all 100", b.granted)
		}
	})
}

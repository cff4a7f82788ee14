package checker_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/checker"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

func TestHelloNamesOurVersions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, &sites{answer: up}, nil)
		h := c.accept(t).hello
		if h.GetProtocolVersion() != 1 || h.GetMinProtocolVersion() != 1 || h.GetMaxProtocolVersion() != 1 {
			t.Errorf("hello is %v", h)
		}
	})
}

func TestASessionUsesACommonVersion(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		welcome *coordinatorv1.Welcome
		served  bool
	}{
		"a coordinator that knows no ranges": {&coordinatorv1.Welcome{SessionId: "s"}, true},
		"one that speaks the same":           {&coordinatorv1.Welcome{SessionId: "s", ProtocolVersion: 1, MinProtocolVersion: 1, MaxProtocolVersion: 1}, true},
		"one that was upgraded first":        {&coordinatorv1.Welcome{SessionId: "s", ProtocolVersion: 1, MinProtocolVersion: 1, MaxProtocolVersion: 4}, true},
		"one that chose what we do not know": {&coordinatorv1.Welcome{SessionId: "s", ProtocolVersion: 2, MinProtocolVersion: 1, MaxProtocolVersion: 4}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log := &logged{}
				c, _ := pair(t, &sites{answer: up}, func(o *checker.Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
				k := c.acceptWith(t, tt.welcome)
				if tt.served {
					k.awaitCredit()
					k.assign(1, "https://a.example/")
					k.ack(k.results())
					return
				}
				if m := k.next(true); m != nil {
					t.Errorf("then came %v", m)
				}
				log.await(t, `level=ERROR msg="no session" checker=fra-1 coordinator=coordinator error="no common protocol version: the coordinator chose 2, this checker speaks 1"`)
				c.accept(t) // it tries again
			})
		})
	}
}

func TestAnIncompatibleCoordinatorIsRetriedUntilItIsUpgraded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &logged{}
		c, _ := pair(t, &sites{answer: up}, func(o *checker.Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
		st, err := status.New(codes.FailedPrecondition, "not spoken here").WithDetails(&errdetails.ErrorInfo{
			Domain: "jetmon.coordinator", Reason: "VERSION_UNSUPPORTED",
			Metadata: map[string]string{"min_protocol_version": "2", "max_protocol_version": "3"},
		})
		if err != nil {
			t.Fatal(err)
		}
		begin, tries := time.Now(), 0
		for time.Since(begin) < 10*time.Minute {
			(<-c.sessions).end <- st.Err()
			tries++
		}
		// Once it knows, it tries every 5 s on average.
		if tries < 60 || tries > 240 {
			t.Errorf("%d tries in ten minutes", tries)
		}
		log.await(t, `level=ERROR msg="no session" checker=fra-1 coordinator=coordinator error="wait for the welcome: no common protocol version: the coordinator speaks 2 to 3, this checker 1; upgrade the older one:`)
		c.accept(t).awaitCredit()
	})
}

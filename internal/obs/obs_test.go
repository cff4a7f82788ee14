package obs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/internal/obs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestALoggerWritesItsFormatFromItsLevelUp(t *testing.T) {
	t.Parallel()
	var text, object bytes.Buffer
	for _, log := range []*slog.Logger{
		obs.NewLogger(&text, slog.LevelInfo, "text"),
		obs.NewLogger(&object, slog.LevelInfo, "json"),
	} {
		log.Debug("quiet")
		log.Info("loud", "site", 7)
	}
	if got := text.String(); !strings.Contains(got, "msg=loud site=7\n") || strings.Contains(got, "quiet") {
		t.Errorf("text: %q", got)
	}
	var line struct {
		Msg  string
		Site int
	}
	if err := json.Unmarshal(object.Bytes(), &line); err != nil || line.Msg != "loud" || line.Site != 7 {
		t.Errorf("json: %q, %v", object.String(), err)
	}
}

func TestEqualCollectorsAreRegisteredOnce(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	counter := func(help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "c", Help: help})
	}
	first := obs.Register(r, counter("x"))
	if second := obs.Register(r, counter("x")); first != second {
		t.Error("the second is another collector")
	}
	if c := counter("y"); obs.Register(nil, c) != c {
		t.Error("without a registry, the collector is another")
	}
	defer func() {
		if recover() == nil {
			t.Error("contradicting collectors are no panic")
		}
	}()
	obs.Register(r, counter("other"))
}

func TestTheDebugListenerServesMetricsProfilesAndHealth(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	notReady := errors.New("the database does not answer")
	ready := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- obs.ServeDebug(ctx, obs.DebugOptions{
			Listener: l, Gatherer: obs.NewRegistry(), Ready: func() error { return <-ready },
		})
	}()
	client := &http.Client{Transport: &http.Transport{}}
	get := func(path string) (int, string) {
		resp, err := client.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	expect := func(path string, code int, text string) {
		t.Helper()
		if got, body := get(path); got != code || !strings.Contains(body, text) {
			t.Errorf("%s is %d %q, want %d %q", path, got, body, code, text)
		}
	}
	expect("/healthz", 200, "ok")
	expect("/metrics", 200, "go_goroutines")
	expect("/debug/pprof/", 200, "goroutine")
	expect("/debug/pprof/goroutine?debug=1", 200, "goroutine profile")
	expect("/nothing", 404, "")
	ready <- notReady
	expect("/readyz", 503, notReady.Error())
	ready <- nil
	expect("/readyz", 200, "ok")
	client.CloseIdleConnections()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("still listening")
	}
}

func TestADebugListenerThatIsClosedIsAnError(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := obs.ServeDebug(t.Context(), obs.DebugOptions{Listener: l}); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("got %v", err)
	}
}

// pipes is a listener of connections that are there already.
type pipes struct {
	net.Listener
	waiting chan net.Conn
	closed  chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.waiting:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	close(p.closed)
	return nil
}

// Whoever reaches --metrics-listen must not be able to take the descriptors that the role needs.
func TestConnectionsOfStrangersAreFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const all, most = 200, 64
		l := pipes{waiting: make(chan net.Conn, all), closed: make(chan struct{})}
		var strangers []net.Conn
		for range all {
			there, here := net.Pipe()
			l.waiting <- here
			strangers = append(strangers, there)
		}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- obs.ServeDebug(ctx, obs.DebugOptions{Listener: l, NoProfiles: true}) }()
		synctest.Wait()
		if taken := all - len(l.waiting); taken != most {
			t.Errorf("%d connections are open at once, want %d", taken, most)
		}
		for i, conn := range strangers {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			if i == 0 {
				synctest.Wait()
				if taken := all - len(l.waiting); taken != most+1 {
					t.Errorf("after one has left, %d were taken", taken)
				}
			}
		}
		synctest.Wait()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

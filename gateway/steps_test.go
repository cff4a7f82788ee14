package gateway_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

// ProbeURL sends a vote, and waits for next before it sends the ballot.
func (f *fake) ProbeURL(q *monitorv1.ProbeURLRequest, stream grpc.ServerStreamingServer[monitorv1.ProbeURLResponse]) error {
	if strings.HasPrefix(q.GetProbe().GetUrl(), "ftp:") {
		return fault.InvalidField("probe.url", "must be http or https")
	}
	vote := &monitorv1.Vote{Veriflier: q.GetProbe().GetUrl(), Value: monitorv1.VoteValue_VOTE_VALUE_UP}
	if err := stream.Send(&monitorv1.ProbeURLResponse{Step: &monitorv1.ProbeURLResponse_Vote{Vote: vote}}); err != nil {
		return err
	}
	if f.next != nil {
		if <-f.next {
			return fault.New(fault.Unavailable, "this coordinator stops")
		}
	}
	return stream.Send(&monitorv1.ProbeURLResponse{Step: &monitorv1.ProbeURLResponse_Ballot{Ballot: &monitorv1.Ballot{Verdict: monitorv1.Verdict_VERDICT_REJECTED}}})
}

// pause waits for as long as the fake is slow.
func (f *fake) pause(ctx context.Context) {
	select {
	case <-time.After(f.slow):
	case <-ctx.Done():
	}
}

func (f *fake) WatchDiagnosis(q *monitorv1.WatchDiagnosisRequest, stream grpc.ServerStreamingServer[monitorv1.WatchDiagnosisResponse]) error {
	if q.GetSiteId() != 7 {
		return fault.New(fault.NotFound, "there is no site %d", q.GetSiteId())
	}
	for range 2 {
		f.pause(stream.Context())
		if err := stream.Send(&monitorv1.WatchDiagnosisResponse{Step: &monitorv1.WatchDiagnosisResponse_Finding{Finding: &monitorv1.Finding{Check: "dns"}}}); err != nil {
			return err
		}
	}
	return stream.Send(&monitorv1.WatchDiagnosisResponse{Step: &monitorv1.WatchDiagnosisResponse_Diagnosis{Diagnosis: &monitorv1.Diagnosis{Conclusion: q.GetSymptom()}}})
}

func TestStepsArriveOneByOne(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]bool{"whole": false, "broken off": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.next = make(chan bool)
			h := open(t, f)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.base+"/v1/probes", strings.NewReader(`{"url":"http://a.example/"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := h.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			lines := bufio.NewScanner(resp.Body)
			if !lines.Scan() || lines.Text() != `{"vote":{"veriflier":"http://a.example/","region":"","value":"VOTE_VALUE_UP","unknown_reason":""}}` {
				t.Fatalf("%d %s, %v", resp.StatusCode, lines.Text(), lines.Err())
			}
			if kind := resp.Header.Get("Content-Type"); kind != "application/x-ndjson" || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Accel-Buffering") != "no" {
				t.Errorf("%s, %v", kind, resp.Header)
			}
			want := `{"ballot":{"ballot_id":"0","verdict":"VERDICT_REJECTED"`
			if f.next <- breaks; breaks {
				want = `{"error":{"code":14,"message":"this coordinator stops"`
			}
			if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) || lines.Scan() {
				t.Errorf("then %s, %v, want %s", lines.Text(), lines.Err(), want)
			}
		})
	}
}

func TestWhatIsWrongWithARequestForStepsIsSaid(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/v1/probes", ``, 400, `body`},
		{"/v1/probes", `[]`, 400, `body`},
		{"/v1/probes", `{"url":"ftp://a.example/"}`, 400, `"url: must be http or https"`},
		{"/v1/probes", `{"url":""}`, 400, `"field":"url"`},
		{"/v1/probes", `{"uri":"http://a.example/"}`, 400, `uri: unknown field`},
		{"/v1/probes", `{"url":"http://a.example/","timeout":"60s"}`, 400, `"field":"timeout"`},
		{"/v1/probes?url=x", `{"url":"http://a.example/"}`, 400, `unknown query parameter`},
		{"/v1/sites/8:watchDiagnosis", ``, 404, `there is no site 8`},
		{"/v1/sites/x:watchDiagnosis", ``, 400, `site_id`},
		{"/v1/sites/7:watchDiagnosis", `{"a":1}`, 400, `a: unknown field`},
		{"/v1/sites/7:watchDiagnosis?symptom=powering_up", ``, 200, `"conclusion":"powering_up"`},
	} {
		if a := h.send("POST", c.path, c.body); a.status != c.status || !strings.Contains(strings.ReplaceAll(a.body, `": "`, `":"`), c.want) {
			t.Errorf("POST %s %s: %d %s, want %d with %s", c.path, c.body, a.status, a.body, c.status, c.want)
		}
	}
}

func TestAStepMayTakeLongerThanAnAnswer(t *testing.T) {
	t.Parallel()
	takesItsTime(t, "POST", "/v1/sites/7:watchDiagnosis", 3)
}

// A store that is slow, or looks for what is rare, may have nothing to write for long.
func TestAnExportMayPauseLongerThanAnAnswerTakes(t *testing.T) {
	t.Parallel()
	takesItsTime(t, "GET", "/v1/sites:export", 100)
	takesItsTime(t, "GET", "/v1/sites/7/history:export?start_time=2026-05-01T00:00:00Z", 3)
}

// takesItsTime makes a request whose answer pauses for 45 s at times, and has so many lines.
func takesItsTime(t *testing.T, method, path string, want int) {
	t.Helper()
	server, client := certificates(t)
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.slow = 45 * time.Second
			h := open(t, f, func(o *gateway.Options) { o.TLS = server })
			transport := &http.Transport{
				TLSClientConfig: client.Clone(), ForceAttemptHTTP2: proto == "HTTP/2.0",
				DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return h.network.DialContext(ctx, addr) },
			}
			defer transport.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), method, "https://"+gatewayAddr+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := (&http.Client{Transport: transport}).Do(req)
			if err != nil {
				t.Fatalf("%s %s: %v", proto, path, err)
			}
			raw, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if lines := strings.Count(string(raw), "\n"); err != nil || resp.Proto != proto || lines != want {
				t.Errorf("%s %s: %s, %d lines, %v: %s", proto, path, resp.Proto, lines, err, raw)
			}
		})
	}
}

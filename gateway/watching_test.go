package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

// WatchChanges does what the test says.
func (f *fake) WatchChanges(req *monitorv1.WatchChangesRequest, stream watchStream) error {
	if f.watch != nil {
		return f.watch(req, stream)
	}
	return stream.Send(&monitorv1.WatchChangesResponse{ResumeToken: "begin"})
}

type watchStream = grpc.ServerStreamingServer[monitorv1.WatchChangesResponse]

func happened(token string, ids ...string) *monitorv1.WatchChangesResponse {
	m := &monitorv1.WatchChangesResponse{ResumeToken: token}
	for _, id := range ids {
		m.Events = append(m.Events, &monitorv1.Event{EventId: id, Type: monitorv1.EventType_EVENT_TYPE_SITE_DOWN})
	}
	return m
}

// listener is somebody who reads a stream over HTTP.
type listener struct {
	*http.Response
	lines *bufio.Scanner
}

func (h *house) listen(t *testing.T, ctx context.Context, query string, header ...string) listener {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", h.base+"/v1/changes:watch"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := h.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return listener{resp, bufio.NewScanner(resp.Body)}
}

func (l listener) line(t *testing.T) string {
	t.Helper()
	if !l.lines.Scan() {
		t.Fatalf("the stream has ended: %v", l.lines.Err())
	}
	return l.lines.Text()
}

func TestWhatHappensComesALineAtOnce(t *testing.T) {
	t.Parallel()
	f := newFake()
	next := make(chan *monitorv1.WatchChangesResponse)
	f.watch = func(_ *monitorv1.WatchChangesRequest, stream watchStream) error {
		if err := stream.Send(happened("t0")); err != nil {
			return err
		}
		for m := range next {
			if err := stream.Send(m); err != nil {
				return err
			}
		}
		return fault.New(fault.Exhausted, "too slow").With(&errdetails.ErrorInfo{Reason: "WATCHER_TOO_SLOW", Metadata: map[string]string{"resume_token": "t2"}})
	}
	l := open(t, f).listen(t, t.Context(), "")
	if kind := l.Header.Get("Content-Type"); l.StatusCode != 200 || kind != "application/x-ndjson" || l.Header.Get("Content-Encoding") != "" {
		t.Errorf("%d %v", l.StatusCode, l.Header)
	}
	if got := l.line(t); got != `{"events":[],"resume_token":"t0"}` {
		t.Errorf("it begins with %s", got)
	}
	for _, m := range []*monitorv1.WatchChangesResponse{happened("t1", "a", "b"), happened("t2")} {
		next <- m
		var got struct {
			Events []struct {
				ID string `json:"event_id"`
			}
			Token string `json:"resume_token"`
		}
		if line := l.line(t); json.Unmarshal([]byte(line), &got) != nil || got.Token != m.GetResumeToken() || len(got.Events) != len(m.GetEvents()) {
			t.Errorf("%v comes as %s", m, line)
		}
	}
	close(next)
	last := l.line(t)
	for _, part := range []string{`{"error":{"code":8,`, `"WATCHER_TOO_SLOW"`, `"resume_token":"t2"`} {
		if !strings.Contains(last, part) {
			t.Errorf("the last line is %s, without %s", last, part)
		}
	}
	if l.lines.Scan() || l.lines.Err() != nil {
		t.Errorf("then comes %q (%v)", l.lines.Text(), l.lines.Err())
	}
}

func TestABrowsersStreamGoesOnAfterItsLastEvent(t *testing.T) {
	t.Parallel()
	f := newFake()
	asked := make(chan *monitorv1.WatchChangesRequest, 1)
	f.watch = func(req *monitorv1.WatchChangesRequest, stream watchStream) error {
		asked <- req
		for _, m := range []*monitorv1.WatchChangesResponse{happened("t0"), happened("t1", "a"), happened("t2")} {
			if err := stream.Send(m); err != nil {
				return err
			}
		}
		return fault.New(fault.Unavailable, "it stops")
	}
	h := open(t, f)
	l := h.listen(t, t.Context(), "?from_start=true&tags=shop&tags=eu", "Accept", "text/event-stream", "Accept-Encoding", "gzip", "Last-Event-ID", "t-before")
	if kind := l.Header.Get("Content-Type"); l.StatusCode != 200 || kind != "text/event-stream" || l.Header.Get("Content-Encoding") != "" ||
		l.Header.Get("Cache-Control") != "no-store" || l.Header.Get("X-Accel-Buffering") != "no" || l.Header.Get("Etag") != "" {
		t.Errorf("%d %v", l.StatusCode, l.Header)
	}
	if req := <-asked; req.GetResumeToken() != "t-before" || req.GetFromStart() || len(req.GetTags()) != 2 {
		t.Errorf("the coordinator is asked for %v", req)
	}
	var all strings.Builder
	for l.lines.Scan() {
		all.WriteString(l.lines.Text() + "\n")
	}
	const want = ": nothing new\nretry: 2000\nid: t0\n\nid: t1\ndata: {\"events\":[{"
	text := all.String()
	if !strings.HasPrefix(text, want) || !strings.Contains(text, "\"resume_token\":\"t1\"}\n\n: nothing new\nid: t2\n\nevent: end\ndata: {\"error\":{\"code\":14,") || !strings.HasSuffix(text, "}}\n\n") {
		t.Errorf("the stream is\n%s", text)
	}
}

func TestWhoGetsWhichKindOfStream(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	const events, lines = "text/event-stream", "application/x-ndjson"
	for accept, want := range map[string]string{
		"": lines, "*/*": lines, "text/event-stream": events, "Text/Event-Stream; q=0.5": events, "application/json": lines,
		"application/x-ndjson, text/event-stream": lines, "application/x-ndjson;q=0.1, text/event-stream": events, "text/event-stream;q=0": lines,
	} {
		if l := h.listen(t, t.Context(), "", "Accept", accept); l.Header.Get("Content-Type") != want {
			t.Errorf("Accept: %s gets %s", accept, l.Header.Get("Content-Type"))
		}
	}
}

func TestAStreamThatCannotBeginIsRefusedAsAnyCallIs(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.watch = func(*monitorv1.WatchChangesRequest, watchStream) error {
		return fault.New(fault.Gone, "resume_token: events after it are no longer kept").With(&errdetails.ErrorInfo{Reason: "RESUME_TOKEN_EXPIRED"})
	}
	h := open(t, f)
	for name, c := range map[string]struct {
		query  string
		header []string
		want   int
	}{
		"an old token":           {"?resume_token=old", nil, http.StatusGone},
		"an unknown parameter":   {"?token=x", nil, http.StatusBadRequest},
		"two last events":        {"", []string{"Last-Event-ID", "a", "Last-Event-ID", "b"}, http.StatusBadRequest},
		"a last event too long":  {"", []string{"Last-Event-ID", strings.Repeat("a", 513)}, http.StatusBadRequest},
		"a last event in Latin1": {"", []string{"Last-Event-ID", "\xe4"}, http.StatusBadRequest},
		"a heartbeat of no time": {"?heartbeat=often", nil, http.StatusBadRequest},
		"a long heartbeat":       {"?heartbeat=60s", nil, http.StatusBadRequest},
		"a type that is none":    {"?types=DOWN", nil, http.StatusBadRequest},
	} {
		l := h.listen(t, t.Context(), c.query, append(c.header, "Accept", "text/event-stream")...)
		var s struct{ Code codes.Code }
		raw, err := io.ReadAll(l.Body)
		if l.StatusCode != c.want || err != nil || json.Unmarshal(raw, &s) != nil || s.Code == 0 || l.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", name, l.StatusCode, raw)
		}
	}
}

func TestABrowserIsPutOffWhileNoCoordinatorAnswers(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.watch = func(*monitorv1.WatchChangesRequest, watchStream) error {
		return fault.New(fault.Unavailable, "it stops")
	}
	h := open(t, f)
	if l := h.listen(t, t.Context(), ""); l.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("who wants lines gets %d", l.StatusCode)
	}
	l := h.listen(t, t.Context(), "", "Accept", "text/event-stream")
	raw, err := io.ReadAll(l.Body)
	const begin, end = "retry: 2000\nevent: end\ndata: {\"error\":{\"code\":14,", "}}\n\n"
	// A browser takes another status than 200 for the end of all.
	if err != nil || l.StatusCode != http.StatusOK || !strings.HasPrefix(string(raw), begin) || !strings.HasSuffix(string(raw), end) {
		t.Errorf("a browser gets %d (%v) %s", l.StatusCode, err, raw)
	}
}

func TestAStreamIsNotHeldByItsClientNorByItsGateway(t *testing.T) {
	t.Parallel()
	f := newFake()
	left := make(chan struct{}, 2)
	f.watch = func(_ *monitorv1.WatchChangesRequest, stream watchStream) error {
		if err := stream.Send(happened("t0")); err != nil {
			return err
		}
		<-stream.Context().Done()
		left <- struct{}{}
		return stream.Context().Err()
	}
	h := open(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	gone := h.listen(t, ctx, "")
	gone.line(t)
	cancel()
	await(t, left)

	stays := h.listen(t, t.Context(), "")
	stays.line(t)
	began := time.Now()
	h.stop()
	if last := stays.line(t); !strings.Contains(last, `"code":14`) || !strings.Contains(last, "this gateway stops") {
		t.Errorf("when the gateway stops, the last line is %s", last)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the gateway needed %s to stop", took)
	}
	await(t, left)
}

func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Fatal("the call to the coordinator goes on")
	}
}

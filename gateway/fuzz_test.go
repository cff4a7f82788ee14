package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// FuzzWhateverIsSentTheAnswerIsNoFaultOfOurs sends raw HTTP, as a misbehaving client would,
// and checks every answer against the contract: it is never a 5xx, and an error is a
// google.rpc.Status as JSON.
func FuzzWhateverIsSentTheAnswerIsNoFaultOfOurs(f *testing.F) {
	for _, s := range []struct{ method, target, kind, body string }{
		{"GET", "/v1/sites?page_size=5", "", ""},
		{"GET", "/v1/sites/7", "", ""},
		{"POST", "/v1/sites", "application/json", `{"url":"http://127.0.0.1:82/","settings":{"method":"METHOD_GET","headers":[{"name":"a"}]}}`},
		{"PATCH", "/v1/sites/7?update_mask=url", "application/json", `{"settings":{"slow_after":"1s"},"check_interval":null}`},
		{"PATCH", "/v1/sites/7", "application/json; charset=utf-8", `{"last_observation":{"headers":{"a":"b"},"hops":[{}]}}`},
		{"DELETE", "/v1/sites/9", "", ""},
		{"GET", "/wpcom/v2/sites/up.example/jetpack-monitor-status", "", ""},
		{"HEAD", "/v1/outages/3", "", ""},
		{"GET", "/v1/%00%ff:check", "", ""},
		{"GET", "//", "", ""},
		{"GET", "*", "", ""},
		{"GET", "http://other/v1/sites", "", ""},
		{"OPTIONS", "*", "", ""},
		{"CONNECT", "x:1", "", ""},
		{"POST", "/v1/sites", "application/json", "\x00{\"\\ud800\":[[[1e999]]]}"},
	} {
		f.Add(s.method, s.target, s.kind, s.body)
	}
	h := open(f, newFake())
	f.Fuzz(func(t *testing.T, method, target, kind, body string) {
		if strings.ContainsAny(method+kind, "\r\n") || strings.ContainsAny(target, "\r\n") {
			return // that would be another request
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		conn, err := h.network.DialContext(ctx, gatewayAddr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		defer stop()
		_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
			method, target, kind, len(body), body)
		if err != nil {
			return // the server had seen enough and closed
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode >= 500 {
			t.Fatalf("%d %s", resp.StatusCode, raw)
		}
		if method == "HEAD" || resp.StatusCode == http.StatusNoContent {
			return
		}
		var answer struct {
			Code    int               `json:"code"`
			Message string            `json:"message"`
			Details []json.RawMessage `json:"details"`
		}
		if err := json.Unmarshal(raw, &answer); err != nil {
			t.Fatalf("%d is not JSON: %v\n%s", resp.StatusCode, err, raw)
		}
		if resp.StatusCode >= 400 && (answer.Code == 0 || answer.Message == "" || answer.Details == nil) {
			t.Fatalf("%d is not a google.rpc.Status: %s", resp.StatusCode, raw)
		}
	})
}

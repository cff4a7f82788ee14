package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// importChunk is a chunk of a body of rows.
func importChunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

const importHead = "POST /v1/sites:import HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"

// What is left of the body of an import that ended early must not be taken for a request.
func TestTheRestOfAnImportIsNoRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.cut.Store(1)
		h := open(t, f)
		c := h.dial(t)
		row := importChunk(`{"url":"https://a.example/"}` + "\n")
		if _, err := io.WriteString(c, importHead+row+row); err != nil {
			t.Fatal(err)
		}
		answers := bufio.NewReader(c)
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || !strings.Contains(string(body), `{"error":{"code":14,`) {
			t.Fatalf("%d %q %v", resp.StatusCode, body, err)
		}
		_, _ = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n") // to a connection that may be closed
		if next, err := http.ReadResponse(answers, nil); err == nil {
			t.Errorf("the rest of the body is answered: %d", next.StatusCode)
		}
	})
}

// A client that sends nothing for a minute is told so.
func TestAnImportThatFallsSilentIsToldSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newFake())
		c := h.dial(t)
		began := time.Now()
		if _, err := io.WriteString(c, importHead+importChunk(`{"url":"https://a.example/"}`+"\n")); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || !strings.Contains(string(body), "body: must go on: nothing has come for 1m0s") {
			t.Errorf("%d %q %v", resp.StatusCode, body, err)
		}
		if d := time.Since(began); d < time.Minute || d > 2*time.Minute {
			t.Errorf("after %v", d)
		}
	})
}

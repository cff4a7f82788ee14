package gateway_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// fetch gets a path and returns the answer with its body as it is on the wire.
func (h *house) fetch(t *testing.T, method, path, accept string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept-Encoding", accept)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, raw
}

func TestLongAnswersAreCompressedForWhoWantsIt(t *testing.T) {
	t.Parallel()
	f := newFake()
	for id := range int64(50) {
		f.sites[id+10] = &monitorv1.Site{SiteId: id + 10, Url: fmt.Sprintf("https://site-%d.example/", id)}
	}
	h := open(t, f)
	_, plain := h.fetch(t, "GET", "/v1/sites", "")
	for accept, want := range map[string]bool{
		"": false, "identity": false, "br": false, "gzip;q=0": false, "*;q=0": false, "gzip; q=0.000": false, "gzip;q=x": false, "gzip;q=0, *": false,
		"gzip": true, "GZip": true, "br, gzip;q=0.1": true, "*": true, "x-gzip": true, "deflate,gzip": true,
	} {
		resp, raw := h.fetch(t, "GET", "/v1/sites", accept)
		if got := resp.Header.Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("%q: Content-Encoding is %q", accept, resp.Header.Get("Content-Encoding"))
		}
		if vary := strings.Join(resp.Header.Values("Vary"), ","); !strings.Contains(vary, "Accept-Encoding") {
			t.Errorf("%q: Vary is %q", accept, vary)
		}
		if want {
			z, err := gzip.NewReader(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if len(raw) > len(plain)/2 {
				t.Errorf("%q: %d bytes of %d", accept, len(raw), len(plain))
			}
			if raw, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(raw, plain) {
			t.Errorf("%q: %.100s, want %.100s", accept, raw, plain)
		}
		head, none := h.fetch(t, "HEAD", "/v1/sites", accept)
		if head.Header.Get("Content-Encoding") != resp.Header.Get("Content-Encoding") || head.ContentLength != -1 && head.ContentLength != int64(len(plain)) || len(none) > 0 {
			t.Errorf("%q: HEAD says %v, GET %v", accept, head.Header, resp.Header)
		}
	}
	for _, path := range []string{"/healthz", "/v1/sites/7", "/v1/sites/999", "/nothing"} {
		if resp, raw := h.fetch(t, "GET", path, "gzip"); resp.Header.Get("Content-Encoding") != "" || resp.ContentLength != int64(len(raw)) {
			t.Errorf("%s, which is short: %v", path, resp.Header)
		}
	}
}

func zip(t *testing.T, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestBodiesMayBeCompressed(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	good := zip(t, []byte(`{"url":"http://127.0.0.1:81/"}`))
	for _, coding := range []string{"gzip", "GZIP"} {
		if a := h.send("PATCH", "/v1/sites/7", zip(t, []byte(`{"paused":true}`)), "Content-Encoding", coding); a.status != 200 || a.json["paused"] != true {
			t.Errorf("%s: %d %s", coding, a.status, a.body)
		}
	}
	if a := h.send("POST", "/v1/sites", good, "Content-Encoding", "gzip"); a.status != 200 || a.json["url"] != "http://127.0.0.1:81/" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for name, c := range map[string]struct {
		body, coding string
		status       int
		message      string
	}{
		"a body that is not compressed": {`{"url":"http://127.0.0.1:82/"}`, "gzip", 400, "body: is not gzip"},
		"one that is cut short":         {good[:len(good)-9], "gzip", 400, "body: ends too early"},
		"one with a wrong sum":          {good[:len(good)-8] + "12345678", "gzip", 400, "body: is not gzip"},
		"one that is broken":            {good[:12] + "\xff\xff\xff\xff" + good[16:], "gzip", 400, "body: "},
		"an empty one":                  {zip(t, nil), "gzip", 400, "body: must be a JSON object, is empty"},
		"a bad one":                     {zip(t, []byte(`{"x":1}`)), "gzip", 400, "x: unknown field"},
		"a bomb":                        {zip(t, make([]byte, 20<<20)), "gzip", 413, "body: must be at most 1048576 bytes"},
		"one just too large":            {zip(t, []byte(strings.Repeat(" ", gateway.MaxBodyBytes+1))), "gzip", 413, "body: must be at most"},
		"twice compressed":              {zip(t, []byte(good)), "gzip, gzip", 415, "Content-Encoding"},
		"another coding":                {good, "deflate", 415, "Content-Encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := h.send("POST", "/v1/sites", c.body, "Content-Encoding", c.coding)
			checkRefusal(t, a, c.status, "", c.message)
			if want := map[bool]string{true: "gzip"}[c.status == 415]; a.header.Get("Accept-Encoding") != want {
				t.Errorf("Accept-Encoding is %q", a.header.Get("Accept-Encoding"))
			}
		})
	}
}

func TestABombTakesNoMoreMemoryThanALargeBody(t *testing.T) {
	h := open(t, newFake())
	bomb := zip(t, make([]byte, 20<<20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if a := h.send("POST", "/v1/sites", bomb, "Content-Encoding", "gzip"); a.status != 413 {
		t.Errorf("%d %s", a.status, a.body)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
		t.Errorf("%d bytes were allocated for a bomb of %d", used, len(bomb))
	}
}

// The bytes of an answer in gzip are others, so its tag is another, and either is good for
// asking again.
func TestAnAnswerInGzipHasATagOfItsOwn(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	plain, _ := h.fetch(t, "GET", "/openapi.json", "")
	zipped, _ := h.fetch(t, "GET", "/openapi.json", "gzip")
	tags := []string{plain.Header.Get("ETag"), zipped.Header.Get("ETag")}
	if tags[0] == "" || tags[1] != strings.TrimSuffix(tags[0], `"`)+`-gzip"` {
		t.Fatalf("tags %q", tags)
	}
	for _, tag := range tags {
		for _, coding := range []string{"gzip", "identity"} {
			a := h.send("GET", "/openapi.json", "", "If-None-Match", tag, "Accept-Encoding", coding)
			if a.status != 304 || a.body != "" || a.header.Get("ETag") != tag {
				t.Errorf("asked with %s for %s: %d %q", tag, coding, a.status, a.header.Get("ETag"))
			}
		}
	}
}

package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// useEvery is the time between two calls of one client.
	useEvery = 50 * time.Millisecond
	// retryFor is how long a client repeats a call that is refused for now, retryAfter the pause.
	retryFor, retryAfter = 10 * time.Second, 100 * time.Millisecond
)

// clients use the API through the gateway all the time, and repeat what fails for now as clients
// are told to: without an answer, and with 429, 502, 503 and 504.
type clients struct {
	base   string
	client *http.Client
	stop   context.CancelFunc
	work   sync.WaitGroup

	calls, repeated atomic.Int64
	// edits is how often the editor's site was edited, added how many sites were added.
	edits, added atomic.Int64

	mu sync.Mutex
	// longest is how long one call took, with all its repetitions; why is its first failure.
	longest time.Duration
	why     string
	failed  []string
}

// useAPI lets four clients call until the test ends, or halt.
func useAPI(t *testing.T, base string, edited row) *clients {
	t.Helper()
	c := &clients{base: base, client: &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}}
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	for _, next := range []func() error{
		func() error { return c.do(http.MethodGet, fmt.Sprintf("/v1/sites/%d", 1+c.calls.Load()%100), "", "") },
		func() error { return c.do(http.MethodGet, "/v1/outages?page_size=20", "", "") },
		func() error {
			n := c.edits.Add(1)
			return c.do(http.MethodPatch, fmt.Sprintf("/v1/sites/%d", edited.id), fmt.Sprintf(`{"tags":["edit-%d"]}`, n), "")
		},
		func() error {
			n := c.added.Add(1)
			return c.do(http.MethodPost, "/v1/sites", fmt.Sprintf(`{"url":"http://added-%d.example/","blog_id":%d,"paused":true}`, n, 900_000+n), fmt.Sprintf("added-%d", n))
		},
	} {
		c.work.Go(func() { c.loop(ctx, next) })
	}
	t.Cleanup(c.halt)
	return c
}

// halt ends the calls, each after its answer.
func (c *clients) halt() {
	c.stop()
	c.work.Wait()
	c.client.CloseIdleConnections()
}

func (c *clients) loop(ctx context.Context, next func() error) {
	tick := time.NewTicker(useEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := next(); err != nil {
			c.mu.Lock()
			c.failed = append(c.failed, time.Now().Format("15:04:05.000 ")+err.Error())
			c.mu.Unlock()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// do makes one call, and repeats it while it is refused for now.
func (c *clients) do(method, path, body, key string) error {
	c.calls.Add(1)
	began, first := time.Now(), error(nil)
	for {
		later, err := c.try(method, path, body, key)
		if err != nil && first == nil {
			first = err
		}
		if err == nil || !later || time.Since(began) > retryFor {
			c.mu.Lock()
			if took := time.Since(began); took > c.longest {
				c.longest, c.why = took, fmt.Sprint(method, " ", path, ": ", first)
			}
			c.mu.Unlock()
			return err
		}
		c.repeated.Add(1)
		time.Sleep(retryAfter)
	}
}

// try makes one attempt; later says that another one may go better.
func (c *clients) try(method, path, body, key string) (later bool, err error) {
	req, err := http.NewRequestWithContext(context.Background(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		return false, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return true, err
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return true, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
	return false, fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, text)
}

// verdict checks that every call was answered, each site added once, and no edit lost.
func (c *clients) verdict(t *testing.T, g *grid, edited row) {
	t.Helper()
	c.halt()
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Logf("%d calls of the API, %d attempts repeated, %d failed; the longest took %s (%s)",
		c.calls.Load(), c.repeated.Load(), len(c.failed), c.longest.Round(time.Millisecond), c.why)
	if len(c.failed) > 0 {
		t.Errorf("%d of %d calls failed for all their repetitions:\n%s", len(c.failed), c.calls.Load(), strings.Join(c.failed[:min(len(c.failed), 20)], "\n"))
	}
	added := strings.TrimSpace(g.server.Query(t, "SELECT COUNT(*), COUNT(DISTINCT monitor_url) FROM jetpack_monitor_sites WHERE blog_id > 900000"))
	if want := fmt.Sprintf("%d\t%d", c.added.Load(), c.added.Load()); added != want {
		t.Errorf("the sites that were added, and their URLs, are %q, want %q", added, want)
	}
	_, text, err := rest{c.base}.do(t, http.MethodGet, fmt.Sprintf("/v1/sites/%d", edited.id), "", "")
	var now struct{ Tags []string }
	if err := errors.Join(err, json.Unmarshal([]byte(text), &now)); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("[edit-%d]", c.edits.Load()); fmt.Sprint(now.Tags) != want {
		t.Errorf("the edited site has the tags %v, want %s, the last edit", now.Tags, want)
	}
}

package scenario

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// ear is somebody who listens as a browser's EventSource does, with curl: it keeps the last id,
// and comes back with it whenever the stream ends.
type ear struct {
	url string

	mu     sync.Mutex
	last   string
	keys   map[string][]string // of events, by site, as they came
	began  int                 // streams
	broken []string            // what was no event
}

// listen listens until the test ends.
func listen(t *testing.T, url string) *ear {
	t.Helper()
	e := &ear{url: url, keys: map[string][]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		for ctx.Err() == nil {
			e.once(ctx)
			select {
			case <-time.After(300 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	t.Cleanup(func() { cancel(); group.Wait() })
	return e
}

func (e *ear) once(ctx context.Context) {
	args := []string{"-sN", "-H", "Accept: text/event-stream"}
	e.mu.Lock()
	if e.last != "" {
		args = append(args, "-H", "Last-Event-ID: "+e.last)
	}
	e.began++
	e.mu.Unlock()
	cmd := exec.CommandContext(ctx, "curl", append(args, e.url)...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		e.note(err.Error())
		return
	}
	e.read(out)
	_ = cmd.Wait() // the stream was cut, or the gateway was away
}

// read reads events as the standard of HTML has it.
func (e *ear) read(stream io.Reader) {
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, 4<<20)
	id, data, kind := "", "", ""
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			id = value
		case "data":
			data += value
		case "event":
			kind = value
		case "", "retry": // an empty line, or a comment
			if lines.Text() == "" {
				e.dispatch(id, data, kind)
				data, kind = "", ""
			}
		default:
			e.note(lines.Text())
		}
	}
}

func (e *ear) dispatch(id, data, kind string) {
	if kind != "" {
		return // why the stream ends
	}
	var m struct {
		Events []struct {
			ID   string `json:"event_id"`
			Site struct {
				ID string `json:"site_id"`
			} `json:"site"`
		} `json:"events"`
	}
	if data != "" && json.Unmarshal([]byte(data), &m) != nil {
		e.note(data)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = id
	for _, one := range m.Events {
		e.keys[one.Site.ID] = append(e.keys[one.Site.ID], one.ID)
	}
}

func (e *ear) note(line string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.broken = append(e.broken, line)
}

// heard counts what was heard.
func (e *ear) heard() (events, streams int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, keys := range e.keys {
		events += len(keys)
	}
	return events, e.began
}

// committed reads the changes of status of each site, in order.
func (g *grid) committed(t *testing.T) (keys map[string][]string, n int) {
	t.Helper()
	keys = map[string][]string{}
	for line := range strings.Lines(g.server.Query(t, "SELECT site_id, change_key FROM jetmon_transitions WHERE from_status <> to_status ORDER BY site_id, site_seq")) {
		var site, key string
		if _, err := fmt.Sscan(line, &site, &key); err == nil {
			keys[site], n = append(keys[site], key), n+1
		}
	}
	return keys, n
}

// A coordinator is killed, and later the gateway, while sites go down and
// come back. Who listens through the gateway and comes back with its last id hears each
// committed change exactly once, those of a site in order; so does who begins only then.
func TestWhoeverComesBackWithItsTokenHearsEachChangeOnce(t *testing.T) {
	t.Parallel()
	g := lay(t, plan{coordinators: 2, sites: 40, interval: 2 * time.Second})
	g.run(t, gateway, `msg=started.* role=gateway.* address=(\S+)`, "gateway",
		"--coordinator="+g.addresses[g.coordinators[0]]+","+g.addresses[g.coordinators[1]])
	url := "http://" + g.addresses[gateway] + "/v1/changes:watch?heartbeat=1s"
	browser := listen(t, url)
	await(t, "a stream begins", patience, func() bool {
		browser.mu.Lock()
		defer browser.mu.Unlock()
		return browser.last != ""
	})
	g.balanced(t)
	g.checked(t, time.Now(), patience)
	for round, victim := range []node{g.coordinators[1], gateway} {
		_, before := g.committed(t)
		for i, r := range g.rows {
			if i%2 == round {
				g.farm.become(r.url, http.StatusServiceUnavailable)
			}
		}
		await(t, "half of the sites that fail are down", 2*patience, func() bool { _, n := g.committed(t); return n >= before+10 })
		p := g.processes[victim]
		p.kill(t)
		time.Sleep(time.Second) // somebody comes while it is away
		p.start(t)
		for i, r := range g.rows {
			if i%2 == round {
				g.farm.become(r.url, http.StatusOK)
			}
		}
	}
	var want map[string][]string
	var n int
	await(t, "all sites are up again, and heard of", 4*patience, func() bool {
		if g.server.Query(t, "SELECT COUNT(*) FROM jetmon_outages WHERE end_ms = 0") != "0\n" {
			return false
		}
		want, n = g.committed(t)
		events, _ := browser.heard()
		return events >= n
	})
	late := listen(t, url+"&from_start=true")
	await(t, "who begins now has heard as much", patience, func() bool { events, _ := late.heard(); return events >= n })
	time.Sleep(2 * time.Second) // what comes twice comes now
	for name, e := range map[string]*ear{"who has listened": browser, "who came late": late} {
		e.mu.Lock()
		if len(e.broken) > 0 {
			t.Errorf("%s got what is no event: %q", name, e.broken)
		}
		if got, all := fmt.Sprint(e.keys), fmt.Sprint(want); got != all {
			t.Errorf("%s heard\n%s\nand this was committed:\n%s", name, got, all)
		}
		e.mu.Unlock()
	}
	_, streams := browser.heard()
	t.Logf("%d changes over %d streams", n, streams)
	if streams < 3 {
		t.Errorf("the stream was broken %d times, want at least by the gateway and a coordinator", streams-1)
	}
}

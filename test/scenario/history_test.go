package scenario

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/fakesite"
)

// lookBack is what stories read of a site's uptime.
type lookBack struct {
	Site       string  `json:"site_id"`
	Uptime     float64 `json:"uptime"`
	Coverage   float64 `json:"coverage"`
	Down       string  `json:"down_time"`
	Watched    string  `json:"watched_time"`
	Paused     string  `json:"paused_time"`
	Outages    int     `json:"outages"`
	Ended      int     `json:"ended_outages"`
	Unobserved string  `json:"unobserved_time"`
	Turns      turns   `json:"turns"`
	Times      struct {
		Checks string `json:"checks"`
		P50    string `json:"p50"`
	} `json:"response_times"`
	Regions []struct {
		Region string `json:"region"`
	} `json:"regions"`
	Days []struct {
		Down string `json:"down_time"`
	} `json:"days"`
}

// turns are counts of turns, which are strings in JSON.
type turns map[string]string

func (n turns) of(t *testing.T, code string) int {
	t.Helper()
	v, err := strconv.Atoi(n[code])
	if err != nil {
		t.Fatalf("%s turns: %v", code, n)
	}
	return v
}

// seconds reads a span of time as JSON has it.
func seconds(t *testing.T, text string) float64 {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d.Seconds()
}

func (r rest) uptime(t *testing.T, id, query string) (u lookBack) {
	t.Helper()
	r.call(t, http.MethodGet, "/v1/sites/"+id+"/uptime"+query, "", &u)
	return u
}

// A farm of sites is checked every second. One is down for some seconds, another paused: the
// numbers say so, and those of the others do not.
func TestWhatBecameOfEveryCheckIsThere(t *testing.T) {
	t.Parallel()
	tell(t, setup{flags: []string{"--history-flush-every", "1s", "--interval", "1s"}}, func(t *testing.T, s system) {
		var targets []*fakesite.Site
		var ids []string
		for i := range 5 {
			targets = append(targets, fakesite.New(t))
			ids = append(ids, s.rest.create(t, targets[i].URL(), 700+i).SiteID)
			s.rest.awaitState(t, ids[i], "UP")
		}
		fails, paused, steady := ids[0], ids[1], ids[2]
		targets[0].SetStatus(http.StatusServiceUnavailable)
		s.hurry(t, fails)
		s.rest.awaitState(t, fails, "DOWN")
		s.rest.call(t, http.MethodPost, "/v1/sites/"+paused+":pause", "", &struct{}{})
		await(t, "some seconds of downtime are on record", patience, func() bool { return seconds(t, s.rest.uptime(t, fails, "").Down) >= 3 })
		targets[0].SetStatus(http.StatusOK)
		s.hurry(t, fails)
		s.rest.awaitState(t, fails, "UP")
		s.rest.call(t, http.MethodPost, "/v1/sites/"+paused+":resume", "", &struct{}{})
		await(t, "the outage is over", patience, func() bool { return !s.rest.outages(t, fails)[0].EndTime.IsZero() })

		await(t, "checks after it are kept", patience, func() bool {
			u := s.rest.uptime(t, fails, "")
			return u.Turns.of(t, "good") >= 3 && u.Turns.of(t, "failed") >= 2 && s.rest.uptime(t, steady, "").Turns.of(t, "good") >= 5
		})
		o := s.rest.outages(t, fails)[0]
		down := s.rest.uptime(t, fails, "?by_day=true")
		if whole := o.EndTime.Sub(o.StartTime).Seconds(); seconds(t, down.Down)+seconds(t, down.Unobserved) > whole+0.01 || down.Outages != 1 || down.Ended != 1 || down.Uptime >= 1 || down.Uptime <= 0 {
			t.Errorf("after an outage of %v s: %+v", whole, down)
		}
		if sum := 1 - seconds(t, down.Down)/seconds(t, down.Watched); down.Uptime-sum > 1e-9 || sum-down.Uptime > 1e-9 {
			t.Errorf("uptime is %v, by its times %v", down.Uptime, sum)
		}
		if u := s.rest.uptime(t, paused, ""); seconds(t, u.Paused) < 1 || u.Uptime != 1 || u.Outages != 0 || seconds(t, u.Down) != 0 {
			t.Errorf("the site that was paused: %+v", u)
		}
		u := s.rest.uptime(t, steady, "?by_region=true")
		if u.Uptime != 1 || u.Outages != 0 || u.Coverage <= 0 || u.Coverage > 1 || len(u.Regions) == 0 || seconds(t, u.Times.P50) <= 0 {
			t.Errorf("a steady site: %+v", u)
		}
		s.readsFiles(t, steady)
		s.readsMany(t, ids)
	}, inProcess(), asRolesMariaDB())
}

// readsFiles reads turns as pages, as NDJSON and as CSV.
func (s system) readsFiles(t *testing.T, id string) {
	t.Helper()
	var page struct {
		Points []struct {
			Code string `json:"code"`
		} `json:"points"`
		Next string `json:"next_page_token"`
	}
	from := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	s.rest.call(t, http.MethodGet, "/v1/sites/"+id+"/history?resolution=HISTORY_RESOLUTION_RAW&page_size=2&start_time="+from, "", &page)
	if len(page.Points) != 2 || page.Next == "" {
		t.Errorf("a page has %+v", page)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.rest.base+"/v1/sites/"+id+"/history:export?resolution=HISTORY_RESOLUTION_RAW&start_time="+from, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/csv")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	rows, err := csv.NewReader(resp.Body).ReadAll()
	if err != nil || len(rows) < 4 || rows[0][2] != "code" {
		t.Fatalf("%v, %v", rows, err)
	}
	good := 0
	for _, row := range rows[1:] {
		if row[2] == "good" && row[3] != "" && row[4] != "" {
			good++
		}
	}
	if good < 3 {
		t.Errorf("%d good checks with a time and a region are in %v", good, rows)
	}
}

// readsMany reads the sums of all sites at once, and of the fleet.
func (s system) readsMany(t *testing.T, ids []string) {
	t.Helper()
	var batch struct {
		Uptimes []lookBack `json:"uptimes"`
	}
	s.rest.call(t, http.MethodGet, "/v1/sites:batchGetUptimes?site_ids="+strings.Join(ids, "&site_ids=")+"&site_ids=99999999", "", &batch)
	if len(batch.Uptimes) != len(ids) {
		t.Fatalf("%d sites of %d", len(batch.Uptimes), len(ids))
	}
	for i, u := range batch.Uptimes {
		if u.Site != ids[i] || (u.Outages == 1) != (i == 0) || (u.Uptime < 1) != (i == 0) {
			t.Errorf("site %s: %+v", ids[i], u)
		}
	}
	var fleet struct {
		Points []any `json:"points"`
	}
	s.rest.call(t, http.MethodGet, "/v1/fleet/history", "", &fleet)
	for name, path := range map[string]string{
		"an inverted period": "/v1/sites/" + ids[0] + "/uptime?start_time=2026-11-30T00:00:00Z&end_time=2026-11-01T00:00:00Z",
		"a far future":       "/v1/sites/" + ids[0] + "/history?end_time=9999-01-01T00:00:00Z",
		"no day":             "/v1/sites:batchGetUptimes?site_ids=" + ids[0] + "&start_time=2026-11-01T00:00:01Z",
	} {
		code, body, err := s.rest.do(t, http.MethodGet, path, "", "")
		if err != nil || code != http.StatusBadRequest || !strings.Contains(body, "_time") {
			t.Errorf("%s: %d %s %v", name, code, body, err)
		}
	}
	code, body, err := s.rest.do(t, http.MethodGet, fmt.Sprintf("/v1/sites/%d/uptime", 99999999), "", "")
	if err != nil || code != http.StatusNotFound {
		t.Errorf("a site that is none: %d %s %v", code, body, err)
	}
}

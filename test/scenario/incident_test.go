package scenario

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
)

// hosted is the number of sites on each of two hosts.
const hosted = 150

// incidentView is an incident as far as stories read it.
type incidentView struct {
	Cause       string    `json:"cause"`
	Value       string    `json:"cause_value"`
	Members     int       `json:"members,string"`
	MembersDown int       `json:"members_down,string"`
	EndTime     time.Time `json:"end_time"`
}

// A host with many sites fails. Operators get one message, and another one when it is over;
// WordPress.com is told of each site, and of each recovery at once; the sites of another host are
// checked as ever.
func TestAHostThatFailsIsOneMessageToOperators(t *testing.T) {
	t.Parallel()
	f := newFarm(t, 2)
	var rows []row
	for i := range 2 * hosted {
		rows = append(rows, row{id: i + 1, blog: i + 1, bucket: i * 37 % 512, url: f.sow(i)})
	}
	const interval = 5 * time.Second
	s := begin(t, asRolesMariaDB(), setup{
		idle: true, recheck: time.Second, flags: []string{allowPrivate, "--interval=" + interval.String()},
		before: func(t *testing.T, dsn string) { execute(t, openSQL(t, dsn), strings.TrimSuffix(insert(rows), ";\n")) },
	})
	operators := newHook(t, newLedger("the operators' webhook", 1), bodyAsIs)
	s.subscribe(t, "operators", operators.server.URL,
		`,"filter":{"types":["EVENT_TYPE_INCIDENT_OPENED","EVENT_TYPE_INCIDENT_UPDATED","EVENT_TYPE_INCIDENT_RESOLVED"]}`)
	f.awaitAll(t, "every site is checked", urls(rows), time.Now(), patience)
	var fail, work []string
	for i, r := range rows {
		if i%2 == 0 {
			fail = append(fail, r.url)
		} else {
			work = append(work, r.url)
		}
	}
	failed := time.Now()
	for _, u := range fail {
		f.become(u, http.StatusServiceUnavailable)
	}
	await(t, "operators are told", 2*patience, func() bool { return len(operators.all()) > 0 })
	await(t, "WordPress.com is told of each", 2*patience, func() bool { return len(s.inbox.told()) == len(fail) })
	host, err := url.Parse(fail[0])
	if err != nil {
		t.Fatal(err)
	}
	await(t, "all are members", patience, func() bool {
		i := s.onlyIncident(t)
		return i.Members == len(fail) && i.MembersDown == len(fail) && i.Cause == "SHARED_CAUSE_ADDRESS" && i.Value == host.Hostname()
	})

	for _, u := range fail {
		f.become(u, http.StatusOK)
	}
	await(t, "WordPress.com is told of each recovery", 2*patience, func() bool { return len(s.inbox.told()) == 2*len(fail) })
	await(t, "operators are told that it is over", 3*patience, func() bool {
		return slices.Contains(operators.types(t), "INCIDENT_RESOLVED")
	})
	got := slices.DeleteFunc(operators.types(t), func(k string) bool { return k == "INCIDENT_UPDATED" })
	if !slices.Equal(got, []string{"INCIDENT_OPENED", "INCIDENT_RESOLVED"}) {
		t.Errorf("operators were told %v", operators.types(t))
	}
	if i := s.onlyIncident(t); i.EndTime.IsZero() || i.MembersDown != 0 || i.Members != len(fail) {
		t.Errorf("the incident is %+v, want it over with %d members", i, len(fail))
	}
	statuses := map[string]string{}
	for _, a := range s.inbox.told() {
		statuses[a.notification.MonitorURL] += fmt.Sprint(a.notification.StatusID)
	}
	for _, u := range fail {
		if statuses[u] != "01" {
			t.Errorf("WordPress.com was told %q of %s, want 01", statuses[u], u)
		}
	}
	if gap, u, since := f.gap(work, failed, time.Now()); gap > interval+2*busy {
		t.Errorf("%s was not checked for %s from %s on", u, gap, since.Format(time.TimeOnly))
	}
}

// types lists the types of the events that a webhook accepted, each event once.
func (h *hook) types(t *testing.T) (types []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range h.all() {
		e, err := event.Decode(r.body)
		if err != nil {
			t.Fatal(err)
		}
		if r.mode.accepts() && !seen[r.key] {
			seen[r.key], types = true, append(types, e.Type.String())
		}
	}
	return types
}

// onlyIncident reads the incident that there is.
func (s system) onlyIncident(t *testing.T) incidentView {
	t.Helper()
	var page struct{ Incidents []incidentView }
	s.rest.call(t, http.MethodGet, "/v1/incidents", "", &page)
	if len(page.Incidents) != 1 {
		t.Fatalf("the incidents are %+v, want one", page.Incidents)
	}
	return page.Incidents[0]
}

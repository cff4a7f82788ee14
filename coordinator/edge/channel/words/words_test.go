package words_test

import (
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel/words"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
)

func TestTitlesStandOnTheirOwn(t *testing.T) {
	t.Parallel()
	site := &event.Site{ID: 7, URL: "https://a.example/"}
	expiring := &event.AdvisoryChange{Advisory: "ADVISORY_TLS_EXPIRING"}
	incident := &event.IncidentChange{ID: 4, Cause: "SHARED_CAUSE_NAME_SERVER", Value: "ns1.example", Members: 12, MembersDown: 10}
	unknown := &event.IncidentChange{ID: 4, Cause: "SHARED_CAUSE_UNSPECIFIED", Members: 2, MembersDown: 2}
	for want, e := range map[string]event.Event{
		"https://a.example/ is down":                                              {Type: event.SiteDown, Site: site},
		"https://a.example/ is still down":                                        {Type: event.SiteConfirmedDown, Site: site},
		"https://a.example/ is up again":                                          {Type: event.SiteUp, Site: site},
		"https://a.example/: the certificate ends soon":                           {Type: event.AdvisoryOpened, Site: site, Advisory: expiring},
		"https://a.example/: no longer so: the certificate ends soon":             {Type: event.AdvisoryClosed, Site: site, Advisory: expiring},
		"Incident 4, name server ns1.example: 10 of 12 sites are down at once":    {Type: event.IncidentUpdated, Incident: incident},
		"Incident 4, name server ns1.example: over, none of its 12 sites is down": {Type: event.IncidentResolved, Incident: incident},
		"Incident 4: 2 of 2 sites are down at once":                               {Type: event.IncidentOpened, Incident: unknown},
		"This is a test of a subscription; nothing has happened":                  {Type: event.Test},
		"Event UNSPECIFIED":                                                       {},
		"https://a.example/: some remark of the future":                           {Type: event.AdvisoryOpened, Site: site, Advisory: &event.AdvisoryChange{Advisory: "ADVISORY_SOME_REMARK_OF_THE_FUTURE"}},
	} {
		if got := words.Title(&e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A remark of a kind that is added later still reads as words.
func TestEveryRemarkHasWords(t *testing.T) {
	t.Parallel()
	for number, name := range checkv1.Advisory_name {
		title := words.Title(&event.Event{Type: event.AdvisoryOpened, Site: &event.Site{URL: "x"}, Advisory: &event.AdvisoryChange{Advisory: name}})
		if number != 0 && (strings.Contains(title, "_") || strings.Contains(title, "ADVISORY")) {
			t.Errorf("%s reads %q", name, title)
		}
	}
}

func TestFactsOfAnOutage(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 13, 1, 2, 3, 0, time.UTC)
	e := event.Event{
		Type: event.SiteUp, Time: event.At(at.Add(time.Hour)), Site: &event.Site{ID: 7, BlogID: 9, Tags: []string{"a", "b"}},
		Status: &event.StatusChange{OutageID: 5, Start: event.At(at), MaintenanceID: 3, ResolvedAddress: "192.0.2.1"},
	}
	got := map[string]string{}
	for _, f := range words.Facts(&e) {
		got[f.Name] = f.Value
	}
	for name, want := range map[string]string{
		"Down since": "2026-05-13 01:02:03 UTC", "Down for": "1h0m0s", "Address": "192.0.2.1", "Outage": "5",
		"Began in maintenance": "3", "Time": "2026-05-13 02:02:03 UTC", "Site": "7", "Blog": "9", "Tags": "a, b",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if _, ok := got["Why"]; ok {
		t.Error("a site that is up has a failure")
	}
}

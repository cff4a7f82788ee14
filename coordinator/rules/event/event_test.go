package event_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

var at = time.Date(2026, 5, 13, 1, 2, 3, 4_500_000, time.FixedZone("", 2*3600))

// wentDown is the change of a site that two of three verifliers saw failing.
func wentDown() record.Change {
	down := check.Observation{
		Outcome: check.OutcomeDown, Failure: check.FailureServer, Reason: "r", HTTPStatus: 503,
		ResolvedAddress: "192.0.2.1:443", Detail: `503 "Service Unavailable"`,
	}
	return record.Change{
		Key: "7-10-00000000000000ff", SiteID: 7, BlogID: 99, URL: "https://example.com/?a=1&b=<2>",
		From: check.StatusRunning, To: check.StatusDown, Start: at.Add(-time.Minute), At: at, LastCheck: at.Add(-time.Second),
		Cause: down, Checks: []record.LocalCheck{{Node: "checker-1", Observation: down}},
		Ballot: &record.Ballot{Votes: []record.Vote{{Value: quorum.Down}, {Value: quorum.Down}, {Value: quorum.Up}}},
	}
}

func cameBack() record.Change {
	c := wentDown()
	c.From, c.To, c.Ballot = check.StatusDown, check.StatusRunning, nil
	c.Checks = []record.LocalCheck{{Observation: check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 204, ResolvedAddress: "192.0.2.2:443"}}}
	return c
}

func encoded(t *testing.T, c record.Change, at event.Place) string {
	t.Helper()
	e, ok := event.OfChange(c, at)
	if !ok {
		t.Fatal("no event")
	}
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The stored form is frozen: a change of these texts breaks receivers.
func TestTheFormOfEventsIsFrozen(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ got, want string }{
		"a site goes down": {
			encoded(t, wentDown(), event.Place{OutageID: 5, Sequence: 12, Tags: []string{"shop"}}),
			`{"version":1,"event_id":"7-10-00000000000000ff","type":"EVENT_TYPE_SITE_DOWN","event_time":"2026-05-12T23:02:03.004Z",` +
				`"sequence":"12","site":{"site_id":"7","blog_id":"99","url":"https://example.com/?a=1\u0026b=\u003c2\u003e","tags":["shop"]},` +
				`"status_change":{"status_id":0,"previous_status_id":1,"outage_id":"5","start_time":"2026-05-12T23:01:03.004Z",` +
				`"last_check_time":"2026-05-12T23:02:02.004Z","failure":"FAILURE_KIND_SERVER","reason":"r","http_status":503,` +
				`"resolved_address":"192.0.2.1:443","detail":"503 \"Service Unavailable\"","votes_down":2,"votes":3}}`,
		},
		"a site comes back from a status that another program had set; nobody is told": {
			encoded(t, cameBack(), event.Place{Sequence: 1, Muted: true}),
			`{"version":1,"event_id":"7-10-00000000000000ff","type":"EVENT_TYPE_SITE_UP","event_time":"2026-05-12T23:02:03.004Z",` +
				`"sequence":"1","site":{"site_id":"7","blog_id":"99","url":"https://example.com/?a=1\u0026b=\u003c2\u003e"},` +
				`"status_change":{"status_id":1,"previous_status_id":0,"last_check_time":"2026-05-12T23:02:02.004Z",` +
				`"http_status":204,"resolved_address":"192.0.2.2:443"},"muted":true}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, ok := event.OfChange(record.Change{From: check.StatusDown, To: check.StatusDown}, event.Place{}); ok {
		t.Error("the outage of an inherited status is an event")
	}
}

// An event with every field is a message of the API, and back.
func TestAStoredEventIsAMessageOfTheAPI(t *testing.T) {
	t.Parallel()
	e, _ := event.OfChange(wentDown(), event.Place{OutageID: 5, Sequence: 12, Tags: []string{"a", "b"}, Muted: true})
	e.Status.MaintenanceID, e.Status.CertificateIssuer = 3, "Some CA"
	e.Advisory = &event.AdvisoryChange{Advisory: "ADVISORY_TLS_EXPIRING", Detail: "d", Open: event.At(at), CertificateExpire: event.At(at)}
	e.Incident = &event.IncidentChange{
		ID: 1, Cause: "SHARED_CAUSE_ADDRESS", Value: "192.0.2.1:443", Members: 3, MembersDown: 2,
		Start: event.At(at), End: event.At(at), Examples: []event.Site{*e.Site},
	}
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var m monitorv1.Event
	if err := protojson.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	m.ProtoReflect().Range(everyFieldOf(t, &m))
	back, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := event.Decode(string(back))
	if err != nil {
		t.Fatal(err)
	}
	e.Version = event.Version
	if diff := cmp.Diff(e, got); diff != "" {
		t.Errorf("read back from the API's JSON: %s", diff)
	}
	var again monitorv1.Event
	if err := protojson.Unmarshal(back, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&m, &again, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

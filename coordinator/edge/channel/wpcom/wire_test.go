package wpcom

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

const testToken = "s3cret&token=%+#"

var at = time.Date(2026, 5, 13, 1, 2, 3, 4_500_000, time.FixedZone("", 2*3600))

func observation(o check.Outcome, f check.FailureKind, status int, total time.Duration) check.Observation {
	return check.Observation{Outcome: o, Failure: f, HTTPStatus: status, Timing: check.Timing{Total: total}}
}

// wentDown is the change of a site that two checkers and two of four verifliers saw failing.
func wentDown() record.Change {
	down := observation(check.OutcomeDown, check.FailureServer, 503, 1499*time.Microsecond)
	dns := observation(check.OutcomeDown, check.FailureDNS, 0, 20*time.Second)
	up := observation(check.OutcomeUp, check.FailureNone, 200, 1500*time.Microsecond)
	return record.Change{
		Key: "k", SiteID: 7, BlogID: 99, URL: "https://example.com/?a=1&b=2#c",
		From: check.StatusRunning, To: check.StatusDown,
		Since: at.Add(-time.Hour), Start: at.Add(-time.Minute), At: at, LastCheck: at.Add(-time.Second),
		Checks: []record.LocalCheck{
			{Node: "checker-1", Observation: down},
			{Node: "checker-2", Observation: dns},
			{Node: "checker-3", Observation: observation(check.OutcomeUnknown, check.FailurePolicy, 0, 0)},
		},
		Ballot: &record.Ballot{Votes: []record.Vote{
			{Veriflier: "eu", Value: quorum.Down, Observation: &down},
			{Veriflier: "us", Value: quorum.Up, Observation: &up},
			{Veriflier: "as", Value: quorum.Unknown, UnknownReason: "timeout"},
			{Veriflier: "au", Value: quorum.Unknown, UnknownReason: "self-check failing", Observation: &dns},
			{Veriflier: "sa", Value: quorum.Down, Observation: &dns},
		}},
	}
}

func stillDown() record.Change {
	c := wentDown()
	c.From, c.To, c.Ballot = check.StatusDown, check.StatusConfirmedDown, nil
	c.Checks = c.Checks[:1]
	return c
}

func cameBack() record.Change {
	c := wentDown()
	up := observation(check.OutcomeUp, check.FailureNone, 204, 30*time.Millisecond)
	c.From, c.To, c.Ballot = check.StatusDown, check.StatusRunning, nil
	c.Checks = []record.LocalCheck{
		{Node: "checker-1", Observation: up},
		{Node: "eu", Veriflier: true, Observation: up},
	}
	return c
}

func TestPayloadIsV1s(t *testing.T) {
	t.Parallel()
	withoutTimes := record.Change{BlogID: 1, URL: "http://a.example/"}
	for name, tt := range map[string]struct {
		change record.Change
		want   string
	}{
		"a site goes down: checks, then votes; who could not tell is left out": {wentDown(),
			`{"blog_id":99,"monitor_url":"https://example.com/?a=1&b=2#c","status_id":0,` +
				`"last_check":"2026-05-12T23:02:02.004Z","last_status_change":"2026-05-12T22:02:03.004Z","checks":[` +
				`{"type":1,"host":"checker-1","status":0,"rtt":1,"code":503,"error_code":0},` +
				`{"type":1,"host":"checker-2","status":0,"rtt":20000,"code":0,"error_code":995},` +
				`{"type":2,"host":"eu","status":0,"rtt":1,"code":503},` +
				`{"type":2,"host":"us","status":1,"rtt":2,"code":200},` +
				`{"type":2,"host":"v3.example.com","status":0,"rtt":20000,"code":0}],` +
				`"token":"s3cret&token=%+#"}`},
		"a site is still down: its check carries the new status": {stillDown(),
			`{"blog_id":99,"monitor_url":"https://example.com/?a=1&b=2#c","status_id":2,` +
				`"last_check":"2026-05-12T23:02:02.004Z","last_status_change":"2026-05-12T22:02:03.004Z","checks":[` +
				`{"type":1,"host":"checker-1","status":2,"rtt":1,"code":503,"error_code":0}],` +
				`"token":"s3cret&token=%+#"}`},
		"a site comes back: the second look may be a veriflier's": {cameBack(),
			`{"blog_id":99,"monitor_url":"https://example.com/?a=1&b=2#c","status_id":1,` +
				`"last_check":"2026-05-12T23:02:02.004Z","last_status_change":"2026-05-12T22:02:03.004Z","checks":[` +
				`{"type":1,"host":"checker-1","status":1,"rtt":30,"code":204,"error_code":0},` +
				`{"type":2,"host":"eu","status":1,"rtt":30,"code":204}],` +
				`"token":"s3cret&token=%+#"}`},
		"a time that is not known is null, and no checks are an empty list": {withoutTimes,
			`{"blog_id":1,"monitor_url":"http://a.example/","status_id":0,` +
				`"last_check":null,"last_status_change":null,"checks":[],"token":"s3cret&token=%+#"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			query, err := wire{token: testToken, hosts: map[string]string{"sa": "v3.example.com"}}.encode(tt.change)
			if err != nil {
				t.Fatal(err)
			}
			got, err := url.QueryUnescape(query)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCodesAreV1s(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		o                   check.Observation
		wantCode, wantError int
	}{
		"up keeps its status":                {check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 301}, 301, 0},
		"server error keeps its status":      {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer, HTTPStatus: 500}, 500, 0},
		"firewall keeps 403":                 {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureBlocked, HTTPStatus: 403}, 403, 0},
		"challenge page keeps 202":           {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureBlocked, HTTPStatus: 202}, 202, 0},
		"client error keeps its status":      {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureClient, HTTPStatus: 404}, 404, 0},
		"missing text keeps 200":             {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureContent, HTTPStatus: 200}, 200, 0},
		"name does not resolve":              {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureDNS}, 0, 995},
		"connection refused":                 {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureConnect}, 0, 995},
		"certificate expired":                {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureTLS}, 0, 995},
		"reset after the request":            {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureConnect, Reason: "reset", Phase: check.PhaseResponse}, 0, 998},
		"lost after the request":             {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureConnect, Reason: "lost", Phase: check.PhaseResponse, Hops: []check.Hop{{Status: 301}}}, 0, 998},
		"reset while connecting":             {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureConnect, Reason: "reset", Phase: check.PhaseConnect}, 0, 995},
		"closed without an answer":           {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureProtocol, Reason: "empty_reply"}, 0, 998},
		"connection refused after redirect":  {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureConnect, HTTPStatus: 301, Hops: []check.Hop{{Status: 301}}}, 0, 996},
		"redirect without Location":          {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureRedirect, Reason: "no_location", HTTPStatus: 302}, 0, 997},
		"redirect to a Location not a URL":   {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureRedirect, Reason: "bad_location", HTTPStatus: 302}, 0, 997},
		"redirect to no web page":            {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureRedirect, Reason: "scheme", HTTPStatus: 302}, 0, 997},
		"redirect to where nobody can go":    {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureRedirect, Reason: "unroutable", HTTPStatus: 302}, 0, 997},
		"redirect loop keeps its status":     {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureRedirect, Reason: "loop", HTTPStatus: 302}, 302, 0},
		"no answer in time":                  {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureTimeout}, 0, 998},
		"body that does not end in time":     {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureTimeout, HTTPStatus: 200}, 0, 998},
		"body that is cut short":             {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailurePartial, HTTPStatus: 200}, 0, 998},
		"answer that is not HTTP":            {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureProtocol}, 999, 999},
		"failure of a kind unknown here":     {check.Observation{Outcome: check.OutcomeDown, Failure: 200}, 0, 998},
		"up with an advisory is no failure":  {check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200, Advisories: []check.Advisory{check.AdvisorySlow}}, 200, 0},
		"redirect loop without status known": {check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureRedirect, Reason: "loop"}, 0, 998},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if code, e := Codes(&tt.o); code != tt.wantCode || e != tt.wantError {
				t.Errorf("codes = %d, %d, want %d, %d", code, e, tt.wantCode, tt.wantError)
			}
		})
	}
}

// v1 put unescaped JSON into the URL (A13.2) and counted UTF-16 units (A13.14).
func TestV1Defect2And14URLsArriveWhole(t *testing.T) {
	t.Parallel()
	for _, site := range []string{
		"https://example.com/?a=1&data=2&token=x",
		"https://example.com/#fragment",
		"https://example.com/a+b",
		"https://example.com/100%25/%zz",
		"https://example.com/with blank",
		`https://example.com/"quoted"\'back`,
		"https://bücher.example/straße?q=日本語&e=🙂",
		"https://example.com/<script>&lt;",
		"https://example.com/\u2028\u2029\x01\x7f",
	} {
		base := &url.URL{Scheme: "https", Host: "wpcom.example", Path: "/jetmon/", RawQuery: "v=1&w=a%26b"}
		query, err := wire{token: testToken}.encode(record.Change{BlogID: 1, URL: site})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(withData(base, query).String())
		if err != nil {
			t.Fatalf("%q: %v", site, err)
		}
		if strings.ContainsFunc(u.RawQuery, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`+#"<>\`, r) }) {
			t.Errorf("%q: query has bytes that must be encoded: %s", site, u.RawQuery)
		}
		q, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			t.Fatalf("%q: %v", site, err)
		}
		if len(q) != 3 || q.Get("v") != "1" || q.Get("w") != "a&b" {
			t.Errorf("%q: parameters are %v, want v, w and data", site, q)
		}
		var got payload
		if err := json.Unmarshal([]byte(q.Get("data")), &got); err != nil {
			t.Fatalf("%q: %v", site, err)
		}
		if got.MonitorURL != site || got.Token != testToken {
			t.Errorf("arrived as %q with token %q, sent %q", got.MonitorURL, got.Token, site)
		}
	}
}

func TestURLStaysBoundedHoweverManyChecks(t *testing.T) {
	t.Parallel()
	seeds.Check(t, []uint64{1}, func(t *rapid.T) {
		host := rapid.StringN(0, 300, 300)
		c := wentDown()
		c.URL = rapid.StringN(0, check.MaxURLBytes, check.MaxURLBytes).Draw(t, "url")
		c.Checks = nil
		for range rapid.IntRange(1, 60).Draw(t, "checks") {
			c.Checks = append(c.Checks, record.LocalCheck{
				Node:        host.Draw(t, "node"),
				Observation: observation(check.OutcomeDown, check.FailureServer, 503, time.Second),
			})
		}
		c.Ballot.Votes = nil
		for range rapid.IntRange(0, 60).Draw(t, "votes") {
			c.Ballot.Votes = append(c.Ballot.Votes, record.Vote{Veriflier: host.Draw(t, "veriflier"), Value: quorum.Down})
		}
		all := wire{}.entries(c)
		query, err := wire{token: testToken}.encode(c)
		if err != nil {
			t.Fatal(err)
		}
		if len(query) > maxQueryBytes {
			t.Fatalf("query has %d bytes", len(query))
		}
		text, err := url.QueryUnescape(query)
		if err != nil {
			t.Fatal(err)
		}
		var got payload
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		n := len(got.Checks)
		if n == 0 || n > maxChecks {
			t.Fatalf("%d checks arrived", n)
		}
		want := append(all[:1:1], all[len(all)-n+1:]...)
		if diff := cmp.Diff(want, got.Checks); diff != "" {
			t.Fatalf("not the first check and the newest ones: %s", diff)
		}
	})
}

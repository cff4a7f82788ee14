package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func historyTests() []test {
	return []test{
		{"an outage reads back with its ballot and checks throughout its life", outageLife},
		{"an outage without a ballot has none", outageWithoutBallot},
		{"outages page from the newest on, by site, and open ones", outagePages},
		{"a kept ballot reads back whole, the newest first", keptBallots},
		{"an unknown outage is not found", unknownOutage},
		{"text of any length and encoding is kept or cut, never refused", oddText},
	}
}

func outageLife(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	fence := own(t, s, "a", 7)
	open := opening(site, "k1")
	done := get[record.Committed](t)(Commit(t.Context(), s, fence, open))
	if done.OutageID <= 0 || done.TransitionID <= 0 {
		t.Fatalf("committed %+v", done)
	}
	ballot := *open.Ballot
	ballot.OutageID = done.OutageID
	want := record.Outage{
		ID: done.OutageID, SiteID: site.ID, BlogID: site.BlogID, Bucket: 7, URL: site.URL,
		Status: check.StatusDown, Start: open.Start, Confirmed: open.At,
		Failure: check.FailureServer, Reason: "overloaded", HTTPStatus: 503,
		Rule: ballot.Rule, Round: ballot.Round, Ballot: &ballot, Checks: open.Checks, Regions: open.Regions(),
	}
	read := func() record.Outage {
		t.Helper()
		o := get[record.Outage](t)(s.Outage(t.Context(), done.OutageID))
		if o.Ballot == nil || o.Ballot.ID <= 0 {
			t.Fatalf("ballot %+v", o.Ballot)
		}
		o.Ballot.ID = 0
		return o
	}
	wantEqual(t, read(), want)

	confirm := confirming(site, "k2")
	confirm.Checks = []record.LocalCheck{{Node: "later", At: confirm.At}}
	confirm.Relapses = 3
	got := get[record.Committed](t)(Commit(t.Context(), s, fence, confirm))
	if got.OutageID != done.OutageID || got.TransitionID == done.TransitionID {
		t.Errorf("confirmed as %+v after %+v", got, done)
	}
	want.Status, want.Relapses = check.StatusConfirmedDown, 3
	wantEqual(t, read(), want)

	end := closing(site, check.StatusConfirmedDown, "k3")
	end.Relapses, want.Relapses = 5, 5
	end.Checks = []record.LocalCheck{{Node: "last", At: end.At}}
	got = get[record.Committed](t)(Commit(t.Context(), s, fence, end))
	if got.OutageID != done.OutageID {
		t.Errorf("closed as %+v", got)
	}
	want.Status, want.End, want.EndReason = check.StatusRunning, end.At, record.EndRecovered
	wantEqual(t, read(), want)

	again := get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k4")))
	if again.OutageID <= 0 || again.OutageID == done.OutageID {
		t.Errorf("the next outage is %d after %d", again.OutageID, done.OutageID)
	}
	wantEqual(t, read(), want)
}

func outageWithoutBallot(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	c := opening(site, "k")
	c.Ballot, c.Checks = nil, nil
	done := get[record.Committed](t)(Commit(t.Context(), s, own(t, s, "a", 7), c))
	if o := get[record.Outage](t)(s.Outage(t.Context(), done.OutageID)); o.Ballot != nil || len(o.Checks) != 0 {
		t.Errorf("got %+v", o)
	}
}

func outagePages(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	a, b := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	var all, ofA, open []int64
	for i := range 7 {
		site := []record.Site{a, b}[i%2]
		done := get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "o"+url(i))))
		all = append(all, done.OutageID)
		if i%2 == 0 {
			ofA = append(ofA, done.OutageID)
		}
		if i >= 5 {
			open = append(open, done.OutageID)
			continue
		}
		get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "c"+url(i))))
	}
	for name, tt := range map[string]struct {
		q    store.OutageQuery
		want []int64
	}{
		"all":       {store.OutageQuery{}, all},
		"of a site": {store.OutageQuery{SiteID: a.ID}, ofA},
		"open":      {store.OutageQuery{OpenOnly: true}, open},
		"both":      {store.OutageQuery{OpenOnly: true, SiteID: a.ID}, ofA[3:]},
		"of nobody": {store.OutageQuery{SiteID: 12345}, nil},
	} {
		for _, limit := range []int{1, 2, 50} {
			tt.q.Limit = limit
			got := pageOutages(t, s, tt.q)
			slices.Reverse(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s, %d a page: %v, want %v reversed", name, limit, got, tt.want)
			}
		}
	}
}

// pageOutages reads all pages of a query, and returns the ids.
func pageOutages(t testing.TB, s store.Store, q store.OutageQuery) (ids []int64) {
	t.Helper()
	for {
		page := get[[]record.Outage](t)(s.ListOutages(t.Context(), q))
		for _, o := range page {
			ids = append(ids, o.ID)
			if o.Ballot != nil || o.Checks != nil || len(o.Regions) == 0 {
				t.Error("a list has ballots or checks, or does not have the regions")
			}
		}
		if len(page) < q.Limit {
			return ids
		}
		q.Before = page[len(page)-1].Mark()
	}
}

func keptBallots(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site, other := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	var want []record.Ballot
	for round := range uint8(3) {
		b := aBallot(site)
		b.Round, b.Decided = round+1, b.Decided.Add(time.Duration(round)*time.Second)
		must(t, s.KeepBallot(t.Context(), fence, b))
		must(t, s.KeepBallot(t.Context(), fence, aBallot(other)))
		want = append([]record.Ballot{b}, want...)
	}
	open := opening(site, "k")
	open.Ballot.Decided = open.At
	done := get[record.Committed](t)(Commit(t.Context(), s, fence, open))
	deciding := *open.Ballot
	deciding.OutageID = done.OutageID
	want = append([]record.Ballot{deciding}, want...)
	got := get[[]record.Ballot](t)(s.ListBallots(t.Context(), site.ID, 10))
	known := map[int64]bool{}
	for i := range got {
		if got[i].ID <= 0 || known[got[i].ID] {
			t.Errorf("id %d", got[i].ID)
		}
		known[got[i].ID], got[i].ID = true, 0
	}
	wantEqual(t, got, want)
	if n := len(get[[]record.Ballot](t)(s.ListBallots(t.Context(), site.ID, 2))); n != 2 {
		t.Errorf("%d ballots with a limit of 2", n)
	}
	_, err := s.ListBallots(t.Context(), site.ID, 0)
	wantKind(t, err, fault.Invalid)
}

func unknownOutage(t *testing.T, db Database) {
	s := db.Open(t, true)
	_, err := s.Outage(t.Context(), 77)
	wantKind(t, err, fault.NotFound)
}

func oddText(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	c := opening(site, strings.Repeat("k", 64))
	c.URL = strings.Repeat("ü", 300)
	editURL(t, db, site.ID, c.URL)
	c.Cause.Reason = strings.Repeat("\xff", 300)
	c.Cause.Detail = "\x00\xfe"
	c.Checks[0].Observation.Detail = "\x00\xfe" + strings.Repeat("🙂", 5000)
	done := get[record.Committed](t)(Commit(t.Context(), s, fence, c))
	o := get[record.Outage](t)(s.Outage(t.Context(), done.OutageID))
	if o.URL != c.URL {
		t.Errorf("URL of %d bytes", len(o.URL))
	}
	notification := due(t, s, after(time.Hour), 1)[0]
	must(t, Postpone(t.Context(), s, notification, after(2*time.Hour), strings.Repeat("\xff why", 1000)))
	if n := len(due(t, s, after(time.Hour), 1)); n != 0 {
		t.Error("the notification was not postponed")
	}
}

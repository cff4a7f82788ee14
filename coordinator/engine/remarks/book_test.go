package remarks_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/engine/remarks"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

var at = time.Unix(1e9, 0)

const (
	old  = check.AdvisoryTLSDeprecated
	ipv6 = check.AdvisoryIPv6Broken
)

func siteOf(id check.SiteID) remarks.Site {
	return remarks.Site{ID: id, BlogID: 1, Bucket: 7, URL: "https://example.com/"}
}

func saw(all ...check.Advisory) *check.Observation {
	return &check.Observation{Outcome: check.OutcomeUp, Advisories: all, Detail: "detail"}
}

// note notes a check three times, which opens and closes what is remarked of the network.
func note(b *remarks.Book, id check.SiteID, o *check.Observation) (remarked bool) {
	for range 3 {
		remarked = b.Note(siteOf(id), at, o)
	}
	return remarked
}

func marks(changes []record.Remark) (out []string) {
	for _, c := range changes {
		text := "-"
		if c.Open {
			text = "+"
		}
		out = append(out, text+string(rune('0'+c.SiteID))+"/"+string(rune('0'+c.Advisory)))
	}
	slices.Sort(out)
	return out
}

func TestABookHasOnlySitesAboutWhichThereIsSomethingToSay(t *testing.T) {
	t.Parallel()
	b := remarks.New()
	if b.Note(siteOf(1), at, saw()) || b.Has(1) {
		t.Error("a site without a remark is in the book")
	}
	if !b.Note(siteOf(1), at, saw(old)) || !b.Has(1) || len(b.Take(0, 10)) != 0 {
		t.Error("a remark that is about to open is not in the book, or is written already")
	}
	if b.Note(siteOf(1), at, saw()) || b.Has(1) {
		t.Error("a remark that came to nothing is still in the book")
	}
	if !note(b, 1, saw(old)) || !slices.Equal(b.Open(1), []check.Advisory{old}) {
		t.Errorf("open are %v", b.Open(1))
	}
	want := []record.Remark{{
		SiteID: 1, BlogID: 1, Bucket: 7, URL: "https://example.com/", Advisory: old, Open: true, At: at, Detail: "detail",
	}}
	if diff := cmp.Diff(want, b.Take(0, 10)); diff != "" {
		t.Error(diff)
	}
	if note(b, 1, saw()) || b.Has(1) {
		t.Error("a remark that is closed is still in the book")
	}
	want[0].Open, want[0].Detail = false, ""
	if diff := cmp.Diff(want, b.Take(0, 10)); diff != "" {
		t.Error(diff)
	}
}

func TestChangesAreTakenOnceAndAtMostOneASite(t *testing.T) {
	t.Parallel()
	b := remarks.New()
	for id := check.SiteID(1); id <= 3; id++ {
		note(b, id, saw(old, ipv6))
	}
	first := b.Take(0, 2)
	if len(first) != 2 || first[0].SiteID == first[1].SiteID {
		t.Fatalf("taken %v, want a change of two sites each", marks(first))
	}
	note(b, first[0].SiteID, saw()) // newer than what was taken
	b.GiveBack(first)
	var all []record.Remark
	for batch := b.Take(0, 10); len(batch) > 0; batch = b.Take(0, 10) {
		all = append(all, batch...)
	}
	want := []string{"+1/2", "+1/4", "+2/2", "+2/4", "+3/2", "+3/4"}
	for i, mark := range want {
		if check.SiteID(mark[1]-'0') == first[0].SiteID {
			want[i] = "-" + mark[1:]
		}
	}
	slices.Sort(want)
	if got := marks(all); !slices.Equal(got, want) {
		t.Errorf("taken in all %v, want %v", got, want)
	}
}

func TestRemarksOfSitesThatAreGoneAreClosed(t *testing.T) {
	t.Parallel()
	b := remarks.New()
	b.Recall([]record.Remark{
		{SiteID: 1, Bucket: 7, Advisory: old}, {SiteID: 1, Bucket: 7, Advisory: ipv6},
		{SiteID: 2, Bucket: 8, Advisory: old}, {SiteID: 3, Bucket: 100, Advisory: old},
	})
	if got := b.Open(1); !slices.Equal(got, []check.Advisory{old, ipv6}) {
		t.Errorf("recalled %v", got)
	}
	b.Recalled(0, at, func(id check.SiteID) bool { return id == 1 })
	if got := marks(b.Take(0, 10)); !slices.Equal(got, []string{"-2/2"}) || b.Has(2) || !b.Has(3) {
		t.Errorf("closed after the recall: %v", got)
	}
	b.Gone(siteOf(1), at)
	if got := append(b.Take(0, 10), b.Take(0, 10)...); !slices.Equal(marks(got), []string{"-1/2", "-1/4"}) {
		t.Errorf("closed of a site that is gone: %v", marks(got))
	}
	note(b, 4, saw(old))
	b.Drop(shard.Of(7))
	if b.Has(4) || len(b.Take(0, 10)) > 0 || !b.Has(3) {
		t.Error("a shard that was lost is not forgotten, or another one is")
	}
}

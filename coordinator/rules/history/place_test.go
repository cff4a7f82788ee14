package history_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
)

func TestAPlaceIsARegionAndAChecker(t *testing.T) {
	t.Parallel()
	for _, tt := range [][2]string{{"eu", "checker-1"}, {"", "checker-1"}, {"eu", ""}, {"", ""}, {"north, west", "a/b"}} {
		if region, checker := history.SplitPlace(history.Place(tt[0], tt[1])); region != tt[0] || checker != tt[1] {
			t.Errorf("%q became %q, %q", tt, region, checker)
		}
	}
	if region, checker := history.SplitPlace(history.Place("eu", "odd\x1fname")); region != "eu" || checker != "" {
		t.Errorf("a checker that cannot be told from its region is %q, %q", region, checker)
	}
}

func TestOfTooManyCheckersABookKnowsTheRegions(t *testing.T) {
	t.Parallel()
	book := history.NewBook()
	for i := range 1000 {
		region, checker := fmt.Sprint("region ", i%5), fmt.Sprint("checker ", i)
		n := book.Place(region, checker)
		gotRegion, gotChecker := history.SplitPlace(book.Take(0).Regions[n])
		if gotRegion != region || gotChecker != checker && (i < 200 || gotChecker != "") || n != book.Place(region, checker) {
			t.Fatalf("%s of %s is number %d, %q of %q", checker, region, n, gotChecker, gotRegion)
		}
	}
}

// Sheets of many owners may name more places together than there are numbers.
func TestOfTooManyPlacesSheetsKeepTheRegions(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	var sheets []*history.Sheet
	for i := range 2 {
		s := &history.Sheet{Regions: []string{""}}
		for j := range 200 {
			s.Regions = append(s.Regions, history.Place(fmt.Sprint("region ", j%3), fmt.Sprint("checker ", i, j)))
		}
		strip := history.Strip{Site: 7, Interval: time.Minute, First: start.Unix()/60 + int64(i*200)}
		for j := range 200 {
			strip.Codes, strip.Regions = append(strip.Codes, 50), append(strip.Regions, uint8(j+1))
		}
		s.Strips = []history.Strip{strip}
		sheets = append(sheets, s)
	}
	merged := history.Merge(start.Add(-time.Hour), start.Add(24*time.Hour), sheets...)
	turns := 0
	for _, x := range merged.Strips {
		for j := range x.Codes {
			if got, want := merged.Regions[x.Regions[j]], fmt.Sprint("region ", turns%200%3); got != want {
				t.Fatalf("turn %d was made in %q, want %q", turns, got, want)
			}
			turns++
		}
	}
	if turns != 400 {
		t.Errorf("%d turns", turns)
	}
	if one := history.Merge(start.Add(-time.Hour), start.Add(24*time.Hour), sheets[0]); one.Regions[one.Strips[0].Regions[0]] != sheets[0].Regions[1] {
		t.Errorf("of few places the checkers are lost: %q", one.Regions)
	}
}

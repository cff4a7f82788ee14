package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func updateTests() []test {
	return []test{
		{"of concurrent additions to a list none is lost", addersToAList},
		{"an update that changes nothing leaves an odd row as it is", oddRowsStay},
		{"a refused edit writes nothing and returns its error", refusedEdit},
		{"calls at once under a key add one site", keysAtOnce},
	}
}

func randomUpdateTests() []random {
	return []random{
		{"concurrent updates of any two fields are both kept", pairsOfUpdates},
		{"concurrent updates of many fields are all kept", manyUpdates},
		{"concurrent writes by WordPress.com stay", updatesBesideWordPress},
	}
}

// RunUpdates runs the part of the suite that is about updates, as for a database whose
// transactions see less of each other than usual.
func RunUpdates(t *testing.T, seed uint64, fresh func(t testing.TB) Database) {
	for _, one := range updateTests() {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			one.run(t, fresh(t))
		})
	}
	for _, one := range randomUpdateTests() {
		one.start(t, seed, fresh)
	}
}

// setters change one field each, by its name, to something made of a number.
func setters() map[string]func(*record.Site, int) {
	return map[string]func(*record.Site, int){
		"blog":      func(s *record.Site, n int) { s.BlogID = check.BlogID(n) },
		"url":       func(s *record.Site, n int) { s.URL = url(n) },
		"interval":  func(s *record.Site, n int) { s.Interval = time.Duration(1+n%255) * time.Minute },
		"paused":    func(s *record.Site, n int) { s.Paused = n%2 == 0 },
		"tags":      func(s *record.Site, n int) { s.Tags = texts(n) },
		"badges":    func(s *record.Site, n int) { s.PublicBadges = n%2 == 0 },
		"method":    func(s *record.Site, n int) { s.Settings.Method = check.Method(n % 4) },
		"redirect":  func(s *record.Site, n int) { s.Settings.RedirectPolicy = check.RedirectPolicy(n % 3) },
		"required":  func(s *record.Site, n int) { s.Settings.RequiredTexts = texts(n) },
		"forbidden": func(s *record.Site, n int) { s.Settings.ForbiddenTexts = texts(n) },
		"headers":   func(s *record.Site, n int) { s.Settings.Headers = []check.Header{{Name: "X-N", Value: fmt.Sprint(n)}} },
		"page":      func(s *record.Site, n int) { s.Settings.PageCheck = check.PageCheck(n % 3) },
		"tls":       func(s *record.Site, n int) { s.Settings.TLSErrors = check.TLSErrors(n % 3) },
		"slow":      func(s *record.Site, n int) { s.Settings.SlowAfter = time.Duration(n%1000) * time.Millisecond },
	}
}

// texts is none for some numbers: settings go away and come back.
func texts(n int) []string {
	if n%3 == 0 {
		return nil
	}
	return []string{fmt.Sprint(n)}
}

func fieldNames() []string {
	return []string{"blog", "url", "interval", "paused", "tags", "badges", "method", "redirect", "required", "forbidden", "headers", "slow"}
}

// set changes one field of a site, by its setter.
func set(t testing.TB, s store.Store, id check.SiteID, field string, n int) error {
	change := setters()[field]
	_, err := s.UpdateSite(t.Context(), id, noon(), func(site record.Site) (record.Site, error) {
		change(&site, n)
		return site, nil
	})
	return err
}

// updateTogether has some fields changed at once, and wants all of it kept and nothing else changed.
func updateTogether(t testing.TB, random *rand.Rand, handles []store.Store, id check.SiteID, fields ...string) {
	t.Helper()
	want := get[record.Site](t)(handles[0].Site(t.Context(), id))
	errs := make([]error, len(fields))
	start := make(chan struct{})
	var all sync.WaitGroup
	for i, field := range fields {
		n := 1 + random.IntN(1<<30)
		setters()[field](&want, n)
		all.Go(func() {
			<-start
			errs[i] = untilAnswered(t, func() error { return set(t, handles[i%len(handles)], id, field, n) })
		})
	}
	close(start)
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("of %v at once: %v", fields, err)
	}
	wantEqual(t, get[record.Site](t)(handles[0].Site(t.Context(), id)), want)
}

func twoHandles(t testing.TB, db Database) []store.Store {
	return []store.Store{db.Open(t, true), db.Open(t, false)}
}

func pairsOfUpdates(t *testing.T, db Database, random *rand.Rand) {
	handles := twoHandles(t, db)
	site := create(t, handles[0], aSite(url(0)))
	names := fieldNames()
	for range 3 {
		for i, a := range names {
			for _, b := range names[i+1:] {
				updateTogether(t, random, handles, site.ID, a, b)
			}
		}
	}
}

func manyUpdates(t *testing.T, db Database, random *rand.Rand) {
	handles := twoHandles(t, db)
	site := create(t, handles[0], aSite(url(0)))
	for range 30 {
		fields := fieldNames()
		random.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		updateTogether(t, random, handles, site.ID, fields[:3+random.IntN(len(fields)-2)]...)
	}
}

func addersToAList(t *testing.T, db Database) {
	site := create(t, db.Open(t, true), aSite(url(0)))
	for round := range 5 {
		won, lost := race(t, db, func(n int, s store.Store) error {
			_, err := s.UpdateSite(t.Context(), site.ID, noon(), func(site record.Site) (record.Site, error) {
				site.Settings.RequiredTexts = append(slices.Clone(site.Settings.RequiredTexts), fmt.Sprintf("%d-%d", round, n))
				return site, nil
			})
			return err
		})
		if won != racers {
			t.Errorf("%d of %d succeeded, the others failed as %v", won, racers, lost)
		}
		got := get[record.Site](t)(db.Open(t, true).Site(t.Context(), site.ID)).Settings.RequiredTexts
		if len(slices.Compact(slices.Sorted(slices.Values(got)))) != (round+1)*racers {
			t.Fatalf("after %d additions there are %v", (round+1)*racers, got)
		}
	}
}

// updatesBesideWordPress has WordPress.com change one column while we change another field.
func updatesBesideWordPress(t *testing.T, db Database, random *rand.Rand) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(0)))
	columns := map[string]string{
		"interval": "check_interval", "paused": "monitor_active", "blog": "blog_id", "": "bucket_no",
	}
	for _, theirs := range []string{"interval", "paused", "blog", ""} {
		for _, ours := range fieldNames() {
			if ours == theirs {
				continue
			}
			want := get[record.Site](t)(s.Site(t.Context(), site.ID))
			n := 1 + random.IntN(1<<30)
			setters()[ours](&want, n)
			value := 1 + random.IntN(255)
			switch theirs {
			case "interval":
				want.Interval = time.Duration(value) * time.Minute
			case "paused":
				value %= 2
				want.Paused = value == 0
			case "blog":
				want.BlogID = check.BlogID(value)
			default:
				want.Bucket = check.BucketID(value)
			}
			var both sync.WaitGroup
			both.Go(func() {
				if err := untilAnswered(t, func() error { return set(t, s, site.ID, ours, n) }); err != nil {
					t.Errorf("update of %s: %v", ours, err)
				}
			})
			both.Go(func() {
				db.Exec(t, "UPDATE jetpack_monitor_sites SET "+columns[theirs]+" = ? WHERE jetpack_monitor_site_id = ?", value, site.ID)
			})
			both.Wait()
			wantEqual(t, get[record.Site](t)(s.Site(t.Context(), site.ID)), want)
		}
	}
}

// oddRowsStay puts into a row what this store would not write.
func oddRowsStay(t *testing.T, db Database) {
	s := db.Open(t, true)
	odd := " http://x/ü" // no URL of ours
	for len(odd) < 400 {
		odd += "ü"
	}
	db.Exec(t, `INSERT INTO jetpack_monitor_sites (jetpack_monitor_site_id, blog_id, bucket_no, monitor_url, monitor_active, site_status, check_interval)
	VALUES (5, 42, 7, ?, 3, 7, 0)`, odd)
	site := get[record.Site](t)(s.Site(t.Context(), 5))
	must(t, rewrite(t.Context(), s, site))
	must(t, set(t, s, 5, "method", 1))
	site.Settings.Method = 1
	wantEqual(t, get[record.Site](t)(s.Site(t.Context(), 5)), site)
	for column, want := range map[string]int64{"monitor_active": 3, "site_status": 7, "check_interval": 0, "bucket_no": 7, "blog_id": 42} {
		if got := db.Int(t, "SELECT "+column+" FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = 5"); got != want {
			t.Errorf("%s is %d, want %d", column, got, want)
		}
	}
	must(t, set(t, s, 5, "interval", 8))
	if got := db.Int(t, "SELECT 100 * check_interval + monitor_active FROM jetpack_monitor_sites"); got != 903 {
		t.Errorf("after an update of the interval: %d", got)
	}
}

func refusedEdit(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	refusal := errors.New("no")
	_, err := s.UpdateSite(t.Context(), site.ID, noon(), func(s record.Site) (record.Site, error) {
		s.Paused = true
		return s, refusal
	})
	if !errors.Is(err, refusal) || err.Error() != refusal.Error() {
		t.Errorf("%v", err)
	}
	wantEqual(t, get[record.Site](t)(s.Site(t.Context(), site.ID)), site)
	wantKind(t, set(t, s, 99, "paused", 1), fault.NotFound)
}

package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
)

func keyTests() []test {
	return []test{
		{"a site is added once under a key", onceUnderAKey},
		{"a key is of one site, and known for a day", keysOfOneSite},
		{"what was refused leaves no key", refusedKeys},
		{"old keys are forgotten, a few at a time", keysExpire},
	}
}

func aKey(n byte, at time.Time) store.Key {
	return store.Key{Hash: [32]byte{n}, Request: [32]byte{7}, At: at}
}

func onceUnderAKey(t *testing.T, db Database) {
	s := db.Open(t, true)
	first := get[record.Site](t)(s.CreateSiteOnce(t.Context(), aKey(1, noon()), aSite(url(1))))
	edited := first
	edited.Paused = true
	must(t, rewrite(t.Context(), s, edited))
	again := get[record.Site](t)(s.CreateSiteOnce(t.Context(), aKey(1, after(time.Hour)), aSite(url(1))))
	wantEqual(t, again, edited)
	_, err := s.CreateSiteOnce(t.Context(), aKey(2, noon()), aSite(url(1)))
	wantKind(t, err, fault.AlreadyExists)
	must(t, s.DeleteSite(t.Context(), first.ID, noon(), nil))
	_, err = s.CreateSiteOnce(t.Context(), aKey(1, after(time.Hour)), aSite(url(1)))
	wantKind(t, err, fault.NotFound)
	if n := db.Int(t, "SELECT COUNT(*) FROM jetpack_monitor_sites"); n != 0 {
		t.Errorf("%d sites", n)
	}
}

func keysOfOneSite(t *testing.T, db Database) {
	s := db.Open(t, true)
	first := get[record.Site](t)(s.CreateSiteOnce(t.Context(), aKey(1, noon()), aSite(url(1))))
	other := aKey(1, after(24*time.Hour))
	other.Request[0]++
	_, err := s.CreateSiteOnce(t.Context(), other, aSite(url(2)))
	wantKind(t, err, fault.Invalid)
	other.At = other.At.Add(time.Millisecond)
	second := get[record.Site](t)(s.CreateSiteOnce(t.Context(), other, aSite(url(2))))
	if second.ID == first.ID || get[record.Site](t)(s.CreateSiteOnce(t.Context(), other, aSite(url(2)))).ID != second.ID {
		t.Errorf("the key led to %d and %d", first.ID, second.ID)
	}
}

func keysAtOnce(t *testing.T, db Database) {
	handles := twoHandles(t, db)
	for n := range byte(5) {
		ids := make([]record.Site, 6)
		start := make(chan struct{})
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() {
				<-start
				must(t, untilAnswered(t, func() (err error) {
					ids[i], err = handles[i%2].CreateSiteOnce(t.Context(), aKey(n, noon()), aSite(url(int(n))))
					return err
				}))
			})
		}
		close(start)
		all.Wait()
		for _, site := range ids {
			wantEqual(t, site, ids[0])
		}
	}
	if sites, keys := db.Int(t, "SELECT COUNT(*) FROM jetpack_monitor_sites"), db.Int(t, "SELECT COUNT(*) FROM jetmon_site_keys"); sites != 5 || keys != 5 {
		t.Errorf("%d sites and %d keys", sites, keys)
	}
}

func refusedKeys(t *testing.T, db Database) {
	s := db.Open(t, true)
	taken := create(t, s, aSite(url(1)))
	_, err := s.CreateSiteOnce(t.Context(), aKey(1, noon()), aSite(url(1)))
	wantKind(t, err, fault.AlreadyExists)
	must(t, s.DeleteSite(t.Context(), taken.ID, noon(), nil))
	get[record.Site](t)(s.CreateSiteOnce(t.Context(), aKey(1, noon()), aSite(url(1))))
}

func keysExpire(t *testing.T, db Database) {
	s := db.Open(t, true)
	for n := range byte(5) {
		get[record.Site](t)(s.CreateSiteOnce(t.Context(), aKey(n, after(time.Duration(n)*time.Hour)), aSite(url(int(n)))))
	}
	for _, want := range []int{2, 1, 0} {
		if n := get[int](t)(s.ExpireKeys(t.Context(), after(3*time.Hour), 2)); n != want {
			t.Fatalf("%d keys are forgotten, want %d", n, want)
		}
	}
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_site_keys"); n != 2 {
		t.Errorf("%d keys are left", n)
	}
	_, err := s.ExpireKeys(t.Context(), noon(), 0)
	wantKind(t, err, fault.Invalid)
}

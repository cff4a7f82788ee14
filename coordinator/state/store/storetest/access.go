package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func accessTests() []test {
	return []test{
		{"a token is read as it was created, and its making is on record", tokenCreated},
		{"a token is live until it is revoked or has expired", tokenLives},
		{"revoking twice is one revocation, on record once", tokenRevokedTwice},
		{"two tokens cannot have one secret", tokenTwice},
		{"a damaged token leaves the others good", tokenDamaged},
		{"only a later use of a token is noted", tokenUsed},
		{"tokens are listed by rising id, a page at a time", tokenPages},
		{"the audit trail is read the newest first, a page at a time", auditPages},
		{"an edit of a site is on record if there is a witness, and only if it is made", siteWitnessed},
		{"the outages of some blogs are listed", outagesOfBlogs},
		{"old records of the audit trail are deleted", auditExpires},
	}
}

// aToken is a token to create, with its own hash.
func aToken(n byte) record.Token {
	return record.Token{
		Name: fmt.Sprintf("token-%d", n), Hash: [32]byte{0: n, 31: 0xFF}, Scopes: []string{"sites:read", "outages:read"},
		Blogs: []check.BlogID{7, 1 << 60}, Creator: "operator on here", Created: noon(), Expires: after(time.Hour),
	}
}

// told makes a record of a token.
func told(method string, at time.Time) func(record.Token) record.Audit {
	return func(t record.Token) record.Audit {
		return record.Audit{
			At: at, Caller: "somebody", Method: method, Resource: fmt.Sprintf("tokens/%d", t.ID),
			Before: "", After: `{"name":"` + t.Name + `"}`, RequestID: "r-1",
		}
	}
}

func createToken(t testing.TB, s store.Store, k record.Token) record.Token {
	t.Helper()
	return get[record.Token](t)(s.CreateToken(t.Context(), k, told("create", k.Created)))
}

func trail(t testing.TB, s store.Store, q store.AuditQuery) []record.Audit {
	t.Helper()
	return get[[]record.Audit](t)(s.ListAudit(t.Context(), q))
}

func tokenCreated(t *testing.T, db Database) {
	s := db.Open(t, true)
	k := aToken(1)
	k.Used, k.Revoked = noon(), noon() // ignored
	made := createToken(t, s, k)
	want := aToken(1)
	want.ID = made.ID
	wantEqual(t, made, want)
	wantEqual(t, get[record.Token](t)(db.Open(t, true).Token(t.Context(), made.ID)), want)
	plain := record.Token{Name: "all", Hash: [32]byte{9}, Scopes: []string{"admin"}, Created: noon()}
	plain.ID = createToken(t, s, plain).ID
	wantEqual(t, get[record.Token](t)(s.Token(t.Context(), plain.ID)), plain)
	_, err := s.Token(t.Context(), plain.ID+made.ID)
	wantKind(t, err, fault.NotFound)
	records := trail(t, s, store.AuditQuery{Limit: 10, Resource: fmt.Sprintf("tokens/%d", made.ID)})
	a := told("create", noon())(made)
	a.ID = records[0].ID
	wantEqual(t, records, []record.Audit{a})
}

func tokenLives(t *testing.T, db Database) {
	s := db.Open(t, true)
	expires, forever := createToken(t, s, aToken(1)), aToken(2)
	forever.Expires = time.Time{}
	forever = createToken(t, s, forever)
	live := func(at time.Duration) []record.Token {
		return get[[]record.Token](t)(s.LiveTokens(t.Context(), after(at)))
	}
	wantEqual(t, live(0), []record.Token{expires, forever})
	wantEqual(t, live(time.Hour-time.Millisecond), []record.Token{expires, forever})
	wantEqual(t, live(time.Hour), []record.Token{forever})
	for _, k := range append(live(0), live(time.Hour)...) {
		if !k.Live(after(time.Minute)) {
			t.Errorf("%+v is not live", k)
		}
	}
	gone := get[record.Token](t)(s.RevokeToken(t.Context(), forever.ID, after(time.Minute), told("revoke", after(time.Minute))))
	if gone.Live(after(2*time.Minute)) || !gone.Revoked.Equal(after(time.Minute)) {
		t.Errorf("revoked: %+v", gone)
	}
	wantEqual(t, live(time.Hour), []record.Token(nil))
	wantEqual(t, get[[]record.Token](t)(s.ListTokens(t.Context(), 0, 10)), []record.Token{expires, gone})
}

func tokenRevokedTwice(t *testing.T, db Database) {
	s := db.Open(t, true)
	k := createToken(t, s, aToken(1))
	for i := range 2 {
		at := after(time.Duration(i+1) * time.Minute)
		got := get[record.Token](t)(s.RevokeToken(t.Context(), k.ID, at, told("revoke", at)))
		if !got.Revoked.Equal(after(time.Minute)) {
			t.Errorf("revoked since %v", got.Revoked)
		}
	}
	if n := len(trail(t, s, store.AuditQuery{Limit: 10})); n != 2 { // created, revoked
		t.Errorf("%d records", n)
	}
	_, err := s.RevokeToken(t.Context(), k.ID+1, noon(), told("revoke", noon()))
	wantKind(t, err, fault.NotFound)
}

func tokenTwice(t *testing.T, db Database) {
	s := db.Open(t, true)
	createToken(t, s, aToken(1))
	if _, err := s.CreateToken(t.Context(), aToken(1), told("create", noon())); err == nil {
		t.Error("a secret was taken twice")
	}
	if n := len(trail(t, s, store.AuditQuery{Limit: 10})); n != 1 {
		t.Errorf("%d records of one creation", n)
	}
}

func tokenDamaged(t *testing.T, db Database) {
	s := db.Open(t, true)
	a, b, c := createToken(t, s, aToken(1)), createToken(t, s, aToken(2)), createToken(t, s, aToken(3))
	db.Exec(t, "UPDATE jetmon_tokens SET hash = 'nonsense' WHERE id = ?", a.ID)
	db.Exec(t, "UPDATE jetmon_tokens SET blogs = '7 x' WHERE id = ?", c.ID)
	wantEqual(t, get[[]record.Token](t)(s.LiveTokens(t.Context(), noon())), []record.Token{b})
}

func tokenUsed(t *testing.T, db Database) {
	s := db.Open(t, true)
	a, b := createToken(t, s, aToken(1)), createToken(t, s, aToken(2))
	must(t, s.NoteUse(t.Context(), map[int64]time.Time{a.ID: after(time.Minute), b.ID: after(time.Hour)}))
	must(t, s.NoteUse(t.Context(), map[int64]time.Time{a.ID: after(time.Second), b.ID: after(2 * time.Hour), 1 << 40: noon()}))
	for id, want := range map[int64]time.Time{a.ID: after(time.Minute), b.ID: after(2 * time.Hour)} {
		if got := get[record.Token](t)(s.Token(t.Context(), id)); !got.Used.Equal(want) {
			t.Errorf("token %d was used at %v, want %v", id, got.Used, want)
		}
	}
}

func tokenPages(t *testing.T, db Database) {
	s := db.Open(t, true)
	var all, read []record.Token
	for n := range byte(5) {
		all = append(all, createToken(t, s, aToken(n)))
	}
	for last := int64(0); ; {
		page := get[[]record.Token](t)(s.ListTokens(t.Context(), last, 2))
		if len(page) == 0 {
			break
		}
		read, last = append(read, page...), page[len(page)-1].ID
	}
	wantEqual(t, read, all)
	for _, limit := range []int{0, -1, 10_001} {
		_, err := s.ListTokens(t.Context(), 0, limit)
		wantKind(t, err, fault.Invalid)
	}
}

func auditPages(t *testing.T, db Database) {
	s := db.Open(t, true)
	var making sync.WaitGroup // so that some have one time
	for n := range byte(7) {
		making.Go(func() {
			k := aToken(n)
			k.Created = after(time.Duration(n/2) * time.Second)
			createToken(t, s, k)
		})
	}
	making.Wait()
	all := trail(t, s, store.AuditQuery{Limit: 100})
	for i := 1; i < len(all); i++ {
		if all[i].At.After(all[i-1].At) {
			t.Errorf("record %d is newer than the one before it", i)
		}
	}
	var read []record.Audit
	for q := (store.AuditQuery{Limit: 3}); ; {
		page := trail(t, s, q)
		if len(page) == 0 {
			break
		}
		read, q.Before = append(read, page...), page[len(page)-1].Mark()
	}
	wantEqual(t, read, all)
	if len(all) != 7 {
		t.Errorf("%d records, want 7", len(all))
	}
}

func auditExpires(t *testing.T, db Database) {
	s := db.Open(t, true)
	for n := range byte(5) {
		k := aToken(n)
		k.Created = after(time.Duration(n) * time.Minute)
		createToken(t, s, k)
	}
	expire := func(limit int) int { return get[int](t)(s.ExpireAudit(t.Context(), after(3*time.Minute), limit)) }
	wantEqual(t, []int{expire(2), expire(2), expire(2)}, []int{2, 1, 0})
	left := trail(t, s, store.AuditQuery{Limit: 10})
	if len(left) != 2 || left[1].At.Before(after(3*time.Minute)) {
		t.Errorf("left: %+v", left)
	}
}

func siteWitnessed(t *testing.T, db Database) {
	s := db.Open(t, true)
	type edit struct{ before, after string }
	url := func(site *record.Site) string {
		if site == nil {
			return ""
		}
		return fmt.Sprintf("%d %s %v", site.ID, site.URL, site.Settings.RequiredTexts)
	}
	var edits []edit
	ctx := store.WithWitness(t.Context(), func(before, after *record.Site) record.Audit {
		return record.Audit{At: noon().Add(time.Duration(len(edits)) * time.Second), Resource: "sites/1", Before: url(before), After: url(after)}
	})
	seen := func(before, after string) {
		t.Helper()
		edits = append(edits, edit{before, after})
		records := trail(t, s, store.AuditQuery{Limit: 100})
		if len(records) != len(edits) {
			t.Fatalf("%d records of %d edits", len(records), len(edits))
		}
		wantEqual(t, []string{records[0].Before, records[0].After}, []string{before, after})
	}
	site := get[record.Site](t)(s.CreateSite(ctx, aSite("https://a.example/")))
	made := fmt.Sprintf("%d https://a.example/ []", site.ID)
	seen("", made)
	change := func(f func(*record.Site)) error {
		_, err := s.UpdateSite(ctx, site.ID, noon(), func(x record.Site) (record.Site, error) { f(&x); return x, nil })
		return err
	}
	must(t, change(func(x *record.Site) { x.Settings.RequiredTexts = []string{"hi"} }))
	hi := fmt.Sprintf("%d https://a.example/ [hi]", site.ID)
	seen(made, hi)
	must(t, change(func(x *record.Site) { x.URL = "https://b.example/" }))
	moved := fmt.Sprintf("%d https://b.example/ [hi]", site.ID)
	seen(hi, moved)
	must(t, change(func(*record.Site) {})) // nothing changes
	wantKind(t, change(func(x *record.Site) { x.Interval = time.Second }), fault.Invalid)
	if _, err := s.CreateSite(ctx, record.Site{BlogID: site.BlogID, Bucket: 7, URL: "https://b.example/", Interval: time.Minute}); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("the same site again: %v", err)
	}
	wantKind(t, s.DeleteSite(ctx, site.ID+1, noon(), nil), fault.NotFound)
	must(t, s.DeleteSite(ctx, site.ID, noon(), nil))
	seen(moved, "")
	get[record.Site](t)(s.CreateSite(t.Context(), aSite("https://c.example/"))) // without a witness
	if n := len(trail(t, s, store.AuditQuery{Limit: 100})); n != len(edits) {
		t.Errorf("%d records of %d edits", n, len(edits))
	}
}

func outagesOfBlogs(t *testing.T, db Database) {
	s := db.Open(t, true)
	list := func(blogs ...check.BlogID) (ids []check.BlogID) {
		for _, o := range get[[]record.Outage](t)(s.ListOutages(t.Context(), store.OutageQuery{Limit: 10, Blogs: blogs})) {
			ids = append(ids, o.BlogID)
		}
		return ids
	}
	fence := own(t, s, "a", 7)
	for _, blog := range []check.BlogID{1, 2, 3} {
		site := aSite(fmt.Sprintf("https://b%d.example/", blog))
		site.BlogID = blog
		goDown(t, s, fence, create(t, s, site))
	}
	wantEqual(t, list(), []check.BlogID{3, 2, 1})
	wantEqual(t, list(1, 3), []check.BlogID{3, 1})
	wantEqual(t, list(2), []check.BlogID{2})
	wantEqual(t, list(9), []check.BlogID(nil))
}

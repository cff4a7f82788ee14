package probe

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"hash/maphash"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// sessionWith returns the session of a check of a site.
func sessionWith(t *testing.T, site *fakesite.Site) *session {
	t.Helper()
	counted(site)
	p := makerOf(portable)(t, func(o *Options) { o.RootCAs = site.Roots() })
	get := check.Target{URL: site.URL(), Settings: check.Settings{Method: check.MethodGet}}
	if o := probeInTime(t.Context(), t, p, get); o.Outcome != check.OutcomeUp {
		t.Fatalf("%+v", o)
	}
	k := p.engine.(*netEngine).secure.sessions.recall(strings.Trim(site.URL(), "htps:/"))
	if k == nil {
		t.Fatal("no session")
	}
	return k
}

func TestSessionsKeepNoCertificates(t *testing.T) {
	t.Parallel()
	for name, variant := range map[string]fakesite.Variant{"TLS 1.3": fakesite.Valid, "TLS 1.2": fakesite.TLS12} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := fakesite.NewTLS(t, variant)
			k := sessionWith(t, site)
			_, state, err := k.state.ResumptionState()
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := state.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(encoded, []byte("fakesite intermediate")) || len(encoded) > 400 {
				t.Errorf("%d bytes: %q", len(encoded), encoded)
			}
			s := newSessions(0, time.Now)
			s.remember(k)
			if perSession := int64(defaultSessionBytes / 40_000); s.bytes > perSession {
				t.Errorf("a session takes %d bytes, want at most %d", s.bytes, perSession)
			}
		})
	}
}

// TestSessionsInAnotherEncodingAreKeptWhole shows that the packer changes nothing that it
// does not understand.
func TestSessionsInAnotherEncodingAreKeptWhole(t *testing.T) {
	t.Parallel()
	_, state, err := sessionWith(t, fakesite.NewTLS(t, fakesite.Valid)).state.ResumptionState()
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := state.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	other := newPacker() // with another certificate
	if light := other.lighten(encoded); bytes.Equal(light, encoded) {
		t.Error("nothing replaced")
	}
	for n := range encoded {
		for name, b := range map[string][]byte{"cut": encoded[:n], "longer": append([]byte{1}, encoded[:n]...)} {
			if light := other.lighten(b); !bytes.Equal(light, b) {
				t.Errorf("%s at %d: changed", name, n)
			}
		}
	}
	if light := (&packer{}).lighten(encoded); !bytes.Equal(light, encoded) {
		t.Error("changed without a certificate")
	}
}

// clocked is a cache with a clock, for sessions of one size.
type clocked struct {
	*sessions
	now   time.Time
	state *tls.ClientSessionState
	// room is the number of sessions that fit.
	room int
}

func newClocked(t *testing.T, room int) *clocked {
	t.Helper()
	c := &clocked{now: time.Now(), room: room, state: sessionWith(t, fakesite.NewTLS(t, fakesite.Valid)).state}
	c.sessions = newSessions(1<<20, func() time.Time { return c.now })
	c.visit(0)
	c.limit = c.bytes * int64(room)
	c.forget(c.key(0))
	return c
}

func (c *clocked) key(i int) string { return fmt.Sprintf("h%09d.test", i) }

// visit resumes a site's session, or makes one, as a check does, and reports which.
func (c *clocked) visit(i int) (resumed bool) {
	if c.recall(c.key(i)) != nil {
		return true
	}
	c.remember(&session{key: c.key(i), state: c.state, full: c.now, until: c.now.Add(1000 * time.Hour)})
	return false
}

func (c *clocked) wellFormed(t *testing.T) {
	t.Helper()
	listed, bytes := 0, int64(0)
	for at := c.slots[0].later; at != 0; at = c.slots[at].later {
		listed, bytes = listed+1, bytes+c.slots[at].packed.size()
	}
	if c.bytes > c.limit || bytes != c.bytes || listed != len(c.byKey) || listed+len(c.free)+1 != len(c.slots) {
		t.Errorf("%d of %d bytes, %d in %d sessions, %d found, %d slots and %d free", c.bytes, c.limit, bytes, listed, len(c.byKey), len(c.slots), len(c.free))
	}
}

func TestSessionsAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	c := newClocked(t, 100)
	for i := range 1000 {
		c.visit(i)
		if !c.visit(0) {
			t.Fatalf("the one that is used was dropped at %d", i)
		}
	}
	c.wellFormed(t)
	if len(c.byKey) != 100 {
		t.Errorf("%d sessions, want 100", len(c.byKey))
	}
	long := strings.Repeat("x", int(c.limit))
	c.remember(&session{key: long, state: c.state, full: c.now, until: c.now.Add(time.Hour)})
	if c.recall(long) != nil || len(c.byKey) != 100 {
		t.Errorf("a session larger than the cache is in it, among %d", len(c.byKey))
	}
	c.forget(c.key(0))
	c.forget("none.test")
	if c.recall(c.key(0)) != nil || len(c.byKey) != 99 {
		t.Errorf("%d sessions, want 99", len(c.byKey))
	}
	c.wellFormed(t)
}

// TestSitesInACircleResume visits more sites in turn than there is room for. As many as there
// is room for must resume all the same; where the least recently used go first, none does.
func TestSitesInACircleResume(t *testing.T) {
	t.Parallel()
	const room, sites, circles = 200, 500, 40
	c := newClocked(t, room)
	resumed := 0
	for range circles {
		for i := range sites {
			if c.visit(i) {
				resumed++
			}
			c.now = c.now.Add(fullAgainAfter / 4 / sites)
		}
		c.wellFormed(t)
	}
	// In one circle of four or five a session is too old.
	if want := room * (circles - 1) * 7 / 10; resumed < want {
		t.Errorf("%d checks resumed a session, want %d", resumed, want)
	}
}

// TestSessionsThatAreTooOldMakeRoom shows that sites which are gone do not fill the cache.
func TestSessionsThatAreTooOldMakeRoom(t *testing.T) {
	t.Parallel()
	c := newClocked(t, 10)
	for i := range 20 {
		c.visit(i)
	}
	if c.visit(15) {
		t.Error("there was room for 15")
	}
	c.now = c.now.Add(fullAgainAfter)
	for i := 100; i < 110; i++ {
		if c.visit(i) || !c.visit(i) {
			t.Errorf("no room for %d", i)
		}
	}
	c.wellFormed(t)
}

// TestSessionsOfTheSameHashAreOthers shows that a session is found by its key, not by its
// hash alone.
func TestSessionsOfTheSameHashAreOthers(t *testing.T) {
	t.Parallel()
	c := newClocked(t, 10)
	c.visit(1)
	c.byKey[maphash.String(c.seed, c.key(2))] = c.slot(c.key(1))
	if c.recall(c.key(2)) != nil {
		t.Error("got the session of another")
	}
	if c.recall(c.key(1)) == nil {
		t.Error("lost its own")
	}
}

func TestSessionsOfAnotherTimeAreNotResumed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(c *clocked, k *session){
		"too old":                   func(c *clocked, _ *session) { c.now = c.now.Add(fullAgainAfter) },
		"from the future":           func(c *clocked, _ *session) { c.now = c.now.Add(-time.Second) },
		"of a chain that has ended": func(c *clocked, k *session) { c.now = k.until },
	} {
		c := newClocked(t, 10)
		k := &session{key: "example.test", state: c.state, full: c.now, until: c.now.Add(time.Minute)}
		c.remember(k)
		change(c, k)
		if c.recall(k.key) != nil {
			t.Errorf("%s: resumed", name)
		}
	}
}

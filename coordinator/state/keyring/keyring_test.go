package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/keyring"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// memory is a store of tokens.
type memory struct {
	mu     sync.Mutex
	tokens []record.Token
	away   bool
	// slow, when not nil, holds each reading up after it has read.
	slow  chan struct{}
	reads int
	used  map[int64]time.Time
}

func (m *memory) LiveTokens(_ context.Context, now time.Time) (live []record.Token, err error) {
	defer m.linger()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.away {
		return nil, fault.New(fault.Unavailable, "away")
	}
	for _, t := range m.tokens {
		if t.Live(now) {
			live = append(live, t)
		}
	}
	return live, nil
}

func (m *memory) linger() {
	m.mu.Lock()
	slow := m.slow
	m.mu.Unlock()
	if slow != nil {
		<-slow
	}
}

func (m *memory) NoteUse(_ context.Context, used map[int64]time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return errors.New("away")
	}
	if m.used == nil {
		m.used = map[int64]time.Time{}
	}
	maps.Copy(m.used, used)
	return nil
}

func (m *memory) change(f func(*memory)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
}

func (m *memory) add(id int64, secret string, change func(*record.Token)) {
	t := record.Token{ID: id, Name: "t", Hash: access.Hash(secret), Scopes: []string{"sites:read"}}
	if change != nil {
		change(&t)
	}
	m.change(func(m *memory) { m.tokens = append(m.tokens, t) })
}

// running starts a keyring in a bubble, and lets it read.
func running(t *testing.T, m *memory) *keyring.Keyring {
	t.Helper()
	k := keyring.New(m, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return k
}

func wantKnown(t *testing.T, k *keyring.Keyring, secret string, known bool) access.Caller {
	t.Helper()
	c, err := k.Caller(t.Context(), secret)
	if known != (err == nil) || err != nil && !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("%s: %v, known should be %v", secret, err, known)
	}
	return c
}

func TestATokenIsTheCallerWithItsScopesAndBlogs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		m.add(3, "jm_a", func(k *record.Token) {
			k.Scopes, k.Blogs = []string{"sites:read", "sites:write", "of:tomorrow"}, []check.BlogID{9}
		})
		c := wantKnown(t, running(t, m), "jm_a", true)
		if c.TokenID != 3 || c.Scopes != access.SitesRead|access.SitesWrite || c.Sees(8) || !c.Sees(9) {
			t.Errorf("%+v", c)
		}
	})
}

func TestCallsAskNoDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		m.add(1, "jm_a", nil)
		k := running(t, m)
		before := m.reads
		for range 1000 {
			wantKnown(t, k, "jm_a", true)
		}
		if n := m.reads - before; n != 0 {
			t.Errorf("%d readings for a token that is known", n)
		}
		for range 1000 {
			wantKnown(t, k, "jm_wrong", false)
		}
		if n := m.reads - before; n != 5 {
			t.Errorf("%d readings for unknown tokens, want 5", n)
		}
		time.Sleep(1500 * time.Millisecond)
		for range 1000 {
			wantKnown(t, k, "jm_wrong", false)
		}
		if n := m.reads - before; n != 6 {
			t.Errorf("%d readings for unknown tokens, want one a second more", n)
		}
	})
}

func TestATokenThatAnotherCoordinatorMadeOrRevokedIsKnownSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		k := running(t, m)
		time.Sleep(1500 * time.Millisecond)
		m.add(1, "jm_a", nil)
		wantKnown(t, k, "jm_a", true)
		m.change(func(m *memory) { m.tokens[0].Revoked = time.Now() })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		wantKnown(t, k, "jm_a", false)
	})
}

func TestATokenExpiresBetweenReadings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		m.add(1, "jm_a", func(k *record.Token) { k.Expires = time.Now().Add(2 * time.Second) })
		k := running(t, m)
		wantKnown(t, k, "jm_a", true)
		time.Sleep(2 * time.Second)
		wantKnown(t, k, "jm_a", false)
	})
}

func TestWhileTheDatabaseIsAwayKnownTokensGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		m.add(1, "jm_a", nil)
		k := running(t, m)
		m.change(func(m *memory) { m.away = true })
		time.Sleep(time.Hour)
		wantKnown(t, k, "jm_a", true)
		if _, err := k.Caller(t.Context(), "jm_b"); err == nil {
			t.Error("an unknown token was accepted")
		}
		fresh := keyring.New(m, slog.New(slog.DiscardHandler))
		for range 10 {
			if _, err := fresh.Caller(t.Context(), "jm_a"); !fault.Is(err, fault.Unavailable) {
				t.Errorf("a keyring that has read nothing says %v", err)
			}
		}
	})
}

func TestTheUseOfTokensIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		m.add(1, "jm_a", nil)
		m.add(2, "jm_b", nil)
		k := running(t, m)
		wantKnown(t, k, "jm_a", true)
		used := time.Now()
		m.change(func(m *memory) { m.away = true })
		time.Sleep(61 * time.Second) // the note fails, and is made with the next
		m.change(func(m *memory) { m.away = false })
		time.Sleep(61 * time.Second)
		synctest.Wait()
		m.change(func(m *memory) {
			if len(m.used) != 1 || !m.used[1].Equal(used) {
				t.Errorf("noted %v, want token 1 at %v", m.used, used)
			}
		})
	})
}

func BenchmarkATokenIsKnown(b *testing.B) {
	m := &memory{}
	for i := range int64(1000) {
		m.add(i+1, fmt.Sprint("jm_", i), nil)
	}
	k := keyring.New(m, slog.New(slog.DiscardHandler))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Caller(b.Context(), "jm_7"); err != nil {
			b.Fatal(err)
		}
	}
	if m.reads != 1 {
		b.Errorf("%d readings", m.reads)
	}
}

// A reading that has begun before a token was revoked must not be taken for one after it.
func TestATokenIsRefusedAtOnceThoughAReadingIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		m.add(1, "jm_a", nil)
		k := running(t, m)
		slow := make(chan struct{})
		m.change(func(m *memory) { m.slow = slow })
		time.Sleep(6 * time.Second) // Run reads, and has the token
		m.change(func(m *memory) { m.tokens[0].Revoked = time.Now() })
		before := m.reads
		const callers = 20
		known := make(chan error, callers)
		for range callers { // as if each had revoked one
			go func() {
				err := k.Refresh(t.Context())
				if err == nil {
					_, err = k.Caller(t.Context(), "jm_a")
				}
				known <- err
			}()
		}
		synctest.Wait()
		m.change(func(m *memory) { m.slow = nil })
		close(slow)
		for range callers {
			if err := <-known; !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("after the reading: %v", err)
			}
		}
		if m.reads > before+6 { // five of them because an unknown token is shown
			t.Errorf("%d readings for %d callers", m.reads-before, callers)
		}
	})
}

// However long the readings take that are under way, a caller learns soon that a token cannot
// be looked up.
func TestAnUnknownTokenWaitsForOneReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		k := running(t, m)
		slow := make(chan struct{})
		m.change(func(m *memory) { m.slow = slow })
		time.Sleep(6 * time.Second) // Run reads
		began := time.Now()
		if _, err := k.Caller(t.Context(), "jm_x"); !fault.Is(err, fault.Unavailable) || time.Since(began) > 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		m.change(func(m *memory) { m.slow = nil })
		close(slow)
		synctest.Wait()
		wantKnown(t, k, "jm_x", false)
	})
}

package keyring

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	// readEvery is the time between two readings, readTimeout what one may take.
	readEvery   = 5 * time.Second
	readTimeout = 2 * time.Second
	// Unknown tokens cause at most one reading every readAgain for long, and readBurst at once.
	readAgain = time.Second
	readBurst = 5
	// noteEvery is the time between two notes of which tokens were used.
	noteEvery = time.Minute
)

// Store is what a Keyring needs of the store.
type Store interface {
	LiveTokens(ctx context.Context, now time.Time) ([]record.Token, error)
	NoteUse(ctx context.Context, used map[int64]time.Time) error
}

// Keyring knows the tokens of the API. New makes one; it implements rpc.Keys.
type Keyring struct {
	store Store
	log   *slog.Logger
	// read shares the readings, each under its number; turn lets one after the other run.
	read singleflight.Group
	turn chan struct{}
	// unknown bounds the readings that unknown tokens cause.
	unknown *rate.Limiter

	mu sync.Mutex
	// begun is the number of the last reading that has begun.
	begun  uint64
	tokens access.Index[entry]
	// ready means that the tokens were read at least once.
	ready bool
	used  map[int64]time.Time
}

// entry is what is known of a token.
type entry struct {
	caller access.Caller
	token  record.Token
}

// New makes a Keyring, which knows no token before Run or the first unknown one.
func New(s Store, log *slog.Logger) *Keyring {
	return &Keyring{
		store: s, log: log, turn: make(chan struct{}, 1), unknown: rate.NewLimiter(rate.Every(readAgain), readBurst), used: map[int64]time.Time{},
	}
}

// Caller implements rpc.Keys.
func (k *Keyring) Caller(ctx context.Context, token string) (access.Caller, error) {
	caller, known, err := k.find(token)
	if known {
		return caller, err
	}
	if err := k.readForUnknown(ctx); err != nil {
		return access.Caller{}, err
	}
	caller, known, err = k.find(token)
	if !known {
		return access.Caller{}, refused()
	}
	return caller, err
}

func refused() error {
	return fault.New(fault.Unauthenticated, "the bearer token is not accepted: unknown, expired or revoked")
}

// find looks among the tokens that are known.
func (k *Keyring) find(token string) (caller access.Caller, known bool, err error) {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	e, known := k.tokens.Find(token)
	if !known {
		return access.Caller{}, false, nil
	}
	if !e.token.Live(now) {
		return access.Caller{}, true, refused()
	}
	k.used[e.token.ID] = now
	return e.caller, true, nil
}

// readForUnknown reads the tokens because one was shown that is not known, unless that has
// happened too often of late.
func (k *Keyring) readForUnknown(ctx context.Context) error {
	if k.unknown.AllowN(time.Now(), 1) {
		bound, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		if err := k.Refresh(bound); err == nil || bound.Err() == nil || ctx.Err() != nil {
			return err
		}
		return unread()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.ready {
		return unread()
	}
	return nil
}

func unread() error { return fault.New(fault.Unavailable, "the tokens of the API cannot be read now") }

// Refresh reads the tokens now, as after one was made or revoked. It shares a reading with
// others, but none that has begun before it was called.
func (k *Keyring) Refresh(ctx context.Context) error {
	k.mu.Lock()
	next := k.begun + 1
	k.mu.Unlock()
	// The reading is shared: it must not end with the one caller who happened to begin it.
	done := k.read.DoChan(strconv.FormatUint(next, 10), func() (any, error) {
		k.turn <- struct{}{}
		defer func() { <-k.turn }()
		k.mu.Lock()
		k.begun = max(k.begun, next)
		k.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		return nil, k.readAll(ctx)
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case r := <-done:
		return r.Err
	}
}

func (k *Keyring) readAll(ctx context.Context) error {
	tokens, err := k.store.LiveTokens(ctx, time.Now())
	if err != nil {
		return err
	}
	var index access.Index[entry]
	for _, t := range tokens {
		index.Add(t.Hash, entry{caller: k.callerOf(t), token: t})
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tokens, k.ready = index, true
	return nil
}

// callerOf returns who has a token. A scope that this version does not know is worth nothing.
func (k *Keyring) callerOf(t record.Token) access.Caller {
	c := access.Caller{TokenID: t.ID, Name: t.Name, Blogs: t.Blogs, Expires: t.Expires}
	for _, name := range t.Scopes {
		scope, err := access.ParseScopes([]string{name})
		if err != nil {
			k.log.Warn("token has a scope that this version does not know", "token_id", t.ID, "scope", name)
		}
		c.Scopes |= scope
	}
	return c
}

// Run reads the tokens every few seconds and notes their use until ctx ends; then it notes
// what is left and returns nil.
func (k *Keyring) Run(ctx context.Context) error {
	failing, noted := false, time.Now()
	for {
		err := k.Refresh(ctx)
		if ctx.Err() == nil && (err != nil) != failing {
			failing = err != nil
			k.tell(failing, err)
		}
		if now := time.Now(); now.Sub(noted) >= noteEvery {
			noted = now
			k.note(ctx)
		}
		if !pause.For(ctx, readEvery) {
			k.note(context.WithoutCancel(ctx))
			return nil
		}
	}
}

func (k *Keyring) tell(failing bool, err error) {
	if failing {
		k.log.Warn("tokens of the API cannot be read; those that are known go on", "error", err)
		return
	}
	k.log.Info("tokens of the API are read again")
}

// note writes which tokens were used. What cannot be written is tried again with the next.
func (k *Keyring) note(ctx context.Context) {
	k.mu.Lock()
	used := k.used
	k.used = map[int64]time.Time{}
	k.mu.Unlock()
	if len(used) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if err := k.store.NoteUse(ctx, used); err == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, at := range used {
		if at.After(k.used[id]) {
			k.used[id] = at
		}
	}
}

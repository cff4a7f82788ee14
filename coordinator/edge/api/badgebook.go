package api

import (
	"context"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// Anybody may ask for badges, from as many addresses as they have, of as many ids as there are.
// So what they cost together is bounded.
const (
	// badgeFresh is for how long a badge is good as it is, badgeMissing for how long one that
	// there is not is known to be none: whoever has just made it public looks at once. A badge
	// that is no older than badgeStale is better than none.
	badgeFresh   = 30 * time.Second
	badgeMissing = time.Second
	badgeStale   = 10 * time.Minute
	// mostBadges bounds the badges that are kept, those that there are not included.
	mostBadges = 10_000
	// badgesPerSecond bounds the badges that are made, badgesAtOnce those after a pause.
	badgesPerSecond = 200
	badgesAtOnce    = 400
	// badgesRunning bounds those that are being made; a caller waits badgeWait for its turn, and
	// the making of one takes badgeTime at most.
	badgesRunning = 8
	badgeWait     = 2 * time.Second
	badgeTime     = 5 * time.Second
)

// badgeKey names a badge.
type badgeKey struct {
	site  check.SiteID
	badge string
}

// keptBadge is what was known of a badge at a time: what it says, or that there is none.
type keptBadge struct {
	says *monitorv1.GetBadgeResponse
	at   time.Time
}

// badgeBook keeps badges for a while, and bounds how many are made.
type badgeBook struct {
	made    *rate.Limiter
	running chan struct{}
	group   singleflight.Group

	mu   sync.Mutex
	kept map[badgeKey]keptBadge
}

func newBadgeBook() *badgeBook {
	return &badgeBook{made: rate.NewLimiter(badgesPerSecond, badgesAtOnce), running: make(chan struct{}, badgesRunning), kept: map[badgeKey]keptBadge{}}
}

// get returns a badge that is kept, or has it made, once for all who ask at the same time. When it
// cannot be made, one that is a little old will do.
func (b *badgeBook) get(ctx context.Context, of badgeKey, how func(context.Context) (*monitorv1.GetBadgeResponse, error)) (*monitorv1.GetBadgeResponse, error) {
	old, found := b.find(of)
	if found && old.fresh() {
		return old.get()
	}
	says, err := b.fresh(ctx, of, how)
	if err != nil && !fault.Is(err, fault.NotFound) && found {
		return old.get()
	}
	return says, err
}

func (k keptBadge) fresh() bool {
	if k.says == nil {
		return time.Since(k.at) < badgeMissing
	}
	return time.Since(k.at) < badgeFresh
}

func (k keptBadge) get() (*monitorv1.GetBadgeResponse, error) {
	if k.says == nil {
		return nil, noBadge()
	}
	return k.says, nil
}

// fresh has a badge made, and keeps what it is.
func (b *badgeBook) fresh(ctx context.Context, of badgeKey, how func(context.Context) (*monitorv1.GetBadgeResponse, error)) (*monitorv1.GetBadgeResponse, error) {
	made := b.group.DoChan(of.text(), func() (any, error) {
		if !b.made.Allow() {
			return nil, tooManyBadges()
		}
		// Whoever asked first may go away; others wait, too.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), badgeTime)
		defer cancel()
		turn := time.NewTimer(badgeWait)
		defer turn.Stop()
		select {
		case b.running <- struct{}{}:
			defer func() { <-b.running }()
		case <-turn.C:
			return nil, tooManyBadges()
		}
		says, err := how(ctx)
		if err == nil || fault.Is(err, fault.NotFound) {
			b.keep(of, keptBadge{says, time.Now()})
		}
		return says, err
	})
	select {
	case r := <-made:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*monitorv1.GetBadgeResponse), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (k badgeKey) text() string { return token(int64(k.site)) + "/" + k.badge }

func tooManyBadges() error {
	return fault.New(fault.Exhausted, "too many badges are asked for at this moment").
		With(&errdetails.RetryInfo{RetryDelay: durationpb.New(badgeWait)})
}

// find returns what is kept of a badge that is not too old.
func (b *badgeBook) find(of badgeKey) (keptBadge, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, ok := b.kept[of]
	return k, ok && time.Since(k.at) < badgeStale
}

// keep keeps a badge. When there are too many, those go that are no longer fresh, then those that
// there are not, of whom anybody can ask for as many as they like, then all.
func (b *badgeBook) keep(of badgeKey, k keptBadge) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept[of] = k; len(b.kept) <= mostBadges {
		return
	}
	for _, goes := range []func(keptBadge) bool{
		func(k keptBadge) bool { return !k.fresh() },
		func(k keptBadge) bool { return k.says == nil },
		func(keptBadge) bool { return true },
	} {
		maps.DeleteFunc(b.kept, func(_ badgeKey, k keptBadge) bool { return goes(k) })
		if len(b.kept) <= mostBadges/2 {
			return
		}
	}
}

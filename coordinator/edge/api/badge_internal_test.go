package api

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func TestWhatABadgeSays(t *testing.T) {
	t.Parallel()
	const neutral, good, fair, poor, bad = monitorv1.BadgeTone_BADGE_TONE_NEUTRAL, monitorv1.BadgeTone_BADGE_TONE_GOOD,
		monitorv1.BadgeTone_BADGE_TONE_FAIR, monitorv1.BadgeTone_BADGE_TONE_POOR, monitorv1.BadgeTone_BADGE_TONE_BAD
	for name, tt := range map[string]struct {
		got     *monitorv1.GetBadgeResponse
		message string
		tone    monitorv1.BadgeTone
	}{
		"never down":                     {uptimeBadge(30, 1, true), "100%", good},
		"a second of a month is no 100%": {uptimeBadge(30, 1-1.0/(30*86400), true), "99.99%", good},
		"cut, not rounded":               {uptimeBadge(30, 0.999899, true), "99.98%", good},
		"as it is":                       {uptimeBadge(30, 0.9998, true), "99.98%", good},
		"nine hundred and ninety-nine":   {uptimeBadge(30, 0.999, true), "99.90%", good},
		"a little less":                  {uptimeBadge(7, 0.9989, true), "99.89%", fair},
		"ninety-nine":                    {uptimeBadge(7, 0.99, true), "99.00%", fair},
		"less":                           {uptimeBadge(7, 0.95, true), "95.00%", poor},
		"half":                           {uptimeBadge(7, 0.5, true), "50.00%", bad},
		"always down":                    {uptimeBadge(7, 0, true), "0.00%", bad},
		"nobody looked":                  {uptimeBadge(90, 0, false), "unknown", neutral},
		"quick":                          {timeBadge(83_400 * time.Microsecond), "83 ms", good},
		"half a second":                  {timeBadge(500 * time.Millisecond), "500 ms", good},
		"a second":                       {timeBadge(time.Second), "1 s", fair},
		"slow":                           {timeBadge(2345 * time.Millisecond), "2.3 s", poor},
		"no check":                       {timeBadge(0), "unknown", neutral},
		"suspected":                      {stateBadge(monitorv1.SiteState_SITE_STATE_VERIFYING), "up", good},
		"down":                           {stateBadge(monitorv1.SiteState_SITE_STATE_CONFIRMED_DOWN), "down", bad},
		"coming back":                    {stateBadge(monitorv1.SiteState_SITE_STATE_RECOVERING), "down", bad},
		"paused":                         {stateBadge(monitorv1.SiteState_SITE_STATE_PAUSED), "paused", neutral},
		"never checked":                  {stateBadge(monitorv1.SiteState_SITE_STATE_NEVER_CHECKED), "unknown", neutral},
		"uncheckable":                    {stateBadge(monitorv1.SiteState_SITE_STATE_UNCHECKABLE), "unknown", neutral},
	} {
		if tt.got.GetMessage() != tt.message || tt.got.GetTone() != tt.tone {
			t.Errorf("%s: %v, want %q, %v", name, tt.got, tt.message, tt.tone)
		}
	}
	if got := uptimeBadge(30, 1, true).GetLabel(); got != "uptime 30d" {
		t.Errorf("the label is %q", got)
	}
}

// Whoever asks for a million ids costs the database no more than some hundred look-ups a second,
// and the memory no more than ten thousand badges; those that are shown already stay.
func TestAFloodOfBadgesIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBadgeBook()
		good := badgeKey{1, statusBadge}
		up := &monitorv1.GetBadgeResponse{Message: "up"}
		if _, err := b.get(t.Context(), good, func(context.Context) (*monitorv1.GetBadgeResponse, error) { return up, nil }); err != nil {
			t.Fatal(err)
		}
		looked, refused := 0, 0
		for id := range 100_000 {
			_, err := b.get(t.Context(), badgeKey{check.SiteID(id + 2), statusBadge}, func(context.Context) (*monitorv1.GetBadgeResponse, error) {
				looked++
				return nil, noBadge()
			})
			if fault.Is(err, fault.Exhausted) {
				refused++
			} else if !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
			if id%1000 == 0 {
				time.Sleep(100 * time.Millisecond)
			}
		}
		if most := badgesAtOnce + 10*badgesPerSecond; looked > most || looked+refused != 100_000 || len(b.kept) > mostBadges {
			t.Errorf("%d look-ups, at most %d, %d refused, %d kept", looked, most, refused, len(b.kept))
		}
		// It is no longer fresh, and cannot be made anew.
		time.Sleep(badgeFresh)
		b.made.SetBurst(0)
		if says, err := b.get(t.Context(), good, nil); err != nil || says != up {
			t.Errorf("a badge that is a little old: %v, %v", says, err)
		}
		time.Sleep(badgeStale)
		if _, err := b.get(t.Context(), good, nil); !fault.Is(err, fault.Exhausted) {
			t.Errorf("one that is too old: %v", err)
		}
	})
}

func TestABadgeIsMadeOnceForAllWhoAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBadgeBook()
		var made atomic.Int32
		how := func(ctx context.Context) (*monitorv1.GetBadgeResponse, error) {
			made.Add(1)
			time.Sleep(time.Second)
			return &monitorv1.GetBadgeResponse{}, ctx.Err()
		}
		var all sync.WaitGroup
		hasty, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		all.Go(func() {
			if _, err := b.get(hasty, badgeKey{7, statusBadge}, how); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who does not wait: %v", err)
			}
		})
		time.Sleep(time.Microsecond)
		for range 20 {
			all.Go(func() {
				if _, err := b.get(t.Context(), badgeKey{7, statusBadge}, how); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if made.Load() != 1 {
			t.Errorf("made %d times", made.Load())
		}
		b.keep(badgeKey{7, statusBadge}, keptBadge{nil, time.Now()})
		if _, err := b.get(t.Context(), badgeKey{7, statusBadge}, nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("a badge that there is not any more: %v", err)
		}
	})
}

func TestOnlySoManyBadgesAreMadeAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBadgeBook()
		var all sync.WaitGroup
		var running, most, refused atomic.Int32
		for id := range check.SiteID(40) {
			all.Go(func() {
				_, err := b.get(t.Context(), badgeKey{id + 1, statusBadge}, func(context.Context) (*monitorv1.GetBadgeResponse, error) {
					if n := running.Add(1); n > most.Load() {
						most.Store(n)
					}
					defer running.Add(-1)
					time.Sleep(1500 * time.Millisecond)
					return &monitorv1.GetBadgeResponse{}, nil
				})
				if fault.Is(err, fault.Exhausted) {
					refused.Add(1)
				}
			})
		}
		all.Wait()
		if most.Load() > badgesRunning || refused.Load() != 40-2*badgesRunning {
			t.Errorf("%d at once, %d refused", most.Load(), refused.Load())
		}
	})
}

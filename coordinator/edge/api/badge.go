package api

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// badges is the BadgeService. Everybody may call it, so what a caller sees elsewhere says
// nothing here: a site has badges for all or for nobody.
type badges struct {
	monitorv1.UnimplementedBadgeServiceServer
	// o has the sites of everybody.
	o    Options
	look lookback
	kept *badgeBook
}

func newBadges(o Options, all store.Store) *badges {
	o.Store = all
	return &badges{o: o, look: lookback{o: o}, kept: newBadgeBook()}
}

// badgeDays has the days of the badges that tell an uptime.
var badgeDays = map[string]int{"uptime-7d.svg": 7, "uptime-30d.svg": 30, "uptime-90d.svg": 90}

const (
	statusBadge   = "status.svg"
	responseBadge = "response.svg"
)

func (s *badges) GetBadge(ctx context.Context, req *monitorv1.GetBadgeRequest) (*monitorv1.GetBadgeResponse, error) {
	of := badgeKey{check.SiteID(req.GetSiteId()), req.GetBadge()}
	return s.kept.get(ctx, of, func(ctx context.Context) (*monitorv1.GetBadgeResponse, error) { return s.make(ctx, of) })
}

// noBadge does not tell a site that there is not from one whose badges are not public.
func noBadge() error { return fault.New(fault.NotFound, "there is no such badge") }

// make makes a badge from what is known now.
func (s *badges) make(ctx context.Context, of badgeKey) (*monitorv1.GetBadgeResponse, error) {
	row, err := s.o.Store.Site(ctx, of.site)
	switch {
	case fault.Is(err, fault.NotFound), err == nil && !row.PublicBadges:
		return nil, noBadge()
	case err != nil:
		return nil, err
	}
	switch days := badgeDays[of.badge]; {
	case days > 0:
		share, known, err := s.uptime(ctx, row, days)
		return uptimeBadge(days, share, known), err
	case of.badge == statusBadge:
		return stateBadge(s.o.live(ctx, []record.Site{row})[0].GetState()), nil
	case of.badge == responseBadge:
		median, err := s.median(ctx, row)
		return timeBadge(median), err
	}
	return nil, noBadge()
}

// uptime returns the share of the last days in which a site was up; false when nobody watched it, or
// nobody looked.
func (s *badges) uptime(ctx context.Context, row record.Site, days int) (share float64, known bool, err error) {
	now := time.Now()
	period := uptime.Span{Start: midnight(now).AddDate(0, 0, 1-days), End: now}
	sites, _, err := s.look.ledgers(ctx, []record.Site{row}, period, now)
	if err != nil {
		return 0, false, err
	}
	x := sites[row.ID]
	if seen, asked := x.turns.Coverage(); asked && seen == 0 {
		return 0, false, nil
	}
	share, known = x.url.Over(x.site, period, now, x.turns.Gaps).Uptime()
	return share, known, nil
}

// median returns how long half of the good checks of the last day took at most; 0 when there was
// none.
func (s *badges) median(ctx context.Context, row record.Site) (time.Duration, error) {
	if s.o.History == nil {
		return 0, nil
	}
	now := time.Now()
	sheet, _, err := s.o.History.Turns(ctx, row, now.Add(-aDay), now)
	var t history.Tally
	for _, strip := range sheet.Strips {
		for _, code := range strip.Codes {
			t[code]++
		}
	}
	const half = 50
	return t.Percentile(half).Time(), err
}

// stateBadge says whether a site is up, as those who are told of outages know.
func stateBadge(state monitorv1.SiteState) *monitorv1.GetBadgeResponse {
	word, tone := "unknown", monitorv1.BadgeTone_BADGE_TONE_NEUTRAL
	switch state {
	case monitorv1.SiteState_SITE_STATE_UP, monitorv1.SiteState_SITE_STATE_SUSPECT, monitorv1.SiteState_SITE_STATE_VERIFYING:
		word, tone = "up", monitorv1.BadgeTone_BADGE_TONE_GOOD
	case monitorv1.SiteState_SITE_STATE_DOWN, monitorv1.SiteState_SITE_STATE_CONFIRMED_DOWN, monitorv1.SiteState_SITE_STATE_RECOVERING:
		word, tone = "down", monitorv1.BadgeTone_BADGE_TONE_BAD
	case monitorv1.SiteState_SITE_STATE_PAUSED:
		word = "paused"
	}
	return &monitorv1.GetBadgeResponse{Label: "status", Message: word, Tone: tone}
}

// The least share of uptime for each tone.
const (
	goodUptime = 0.999
	fairUptime = 0.99
	poorUptime = 0.95
)

// uptimeBadge says how much a site was up. It cuts the share: nothing that was ever down has 100%.
func uptimeBadge(days int, share float64, known bool) *monitorv1.GetBadgeResponse {
	b := &monitorv1.GetBadgeResponse{Label: fmt.Sprintf("uptime %dd", days), Message: "unknown", Tone: monitorv1.BadgeTone_BADGE_TONE_NEUTRAL}
	if !known {
		return b
	}
	switch {
	case share >= goodUptime:
		b.Tone = monitorv1.BadgeTone_BADGE_TONE_GOOD
	case share >= fairUptime:
		b.Tone = monitorv1.BadgeTone_BADGE_TONE_FAIR
	case share >= poorUptime:
		b.Tone = monitorv1.BadgeTone_BADGE_TONE_POOR
	default:
		b.Tone = monitorv1.BadgeTone_BADGE_TONE_BAD
	}
	const hundredths = 10_000
	if b.Message = "100%"; share < 1 {
		cut := max(0, int(share*hundredths+1e-6))
		cut = min(cut, hundredths-1)
		b.Message = fmt.Sprintf("%d.%02d%%", cut/100, cut%100)
	}
	return b
}

// The longest median for each tone.
const (
	goodMedian = 500 * time.Millisecond
	fairMedian = 2 * time.Second
)

// timeBadge says how long answers take; 0 is not known.
func timeBadge(median time.Duration) *monitorv1.GetBadgeResponse {
	b := &monitorv1.GetBadgeResponse{Label: "response", Message: "unknown", Tone: monitorv1.BadgeTone_BADGE_TONE_NEUTRAL}
	switch {
	case median <= 0:
		return b
	case median <= goodMedian:
		b.Tone = monitorv1.BadgeTone_BADGE_TONE_GOOD
	case median <= fairMedian:
		b.Tone = monitorv1.BadgeTone_BADGE_TONE_FAIR
	default:
		b.Tone = monitorv1.BadgeTone_BADGE_TONE_POOR
	}
	if median < time.Second {
		b.Message = fmt.Sprintf("%d ms", max(1, median.Round(time.Millisecond).Milliseconds()))
	} else {
		b.Message = strings.Replace(fmt.Sprintf("%.1f s", median.Seconds()), ".0 s", " s", 1)
	}
	return b
}

package notify

import (
	"cmp"
	"math"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

const (
	// life is how long a delivery is tried. One to WordPress.com is tried for ever: a lost alarm
	// is worse than a late one.
	life = 72 * time.Hour
	// hopelessTries is how many times WordPress.com may call a notification hopeless before it
	// is given up: a mistake there must not cost all alarms of its time.
	hopelessTries = 8
	// maxRetryAfter bounds how long an endpoint may ask to be left alone.
	maxRetryAfter = time.Hour
	// probeEvery is how often a paused endpoint is tried with one delivery, probeWordPressCom
	// how often WordPress.com while it refuses us.
	probeEvery        = 10 * time.Minute
	probeWordPressCom = time.Minute
	// tripAfter is how many failures of an endpoint in a row open its breaker, openFor how long
	// that stays open; then one delivery tries whether it is well again.
	tripAfter = 5
	openFor   = 5 * time.Second
	// maxPlaces bounds the attempts at once in all.
	maxPlaces = 1024
	// ahead is how many deliveries an endpoint may have under way or not yet recorded, for each
	// of its attempts at once.
	ahead = 64
)

// pace is the token bucket of an endpoint.
func (o *Options) pace(s *subscription.Subscription) *rate.Limiter {
	perSecond, burst := s.Rate, s.Burst
	usual := map[subscription.Kind]float64{subscription.Slack: 1, subscription.Email: 1}
	switch {
	case s.ID == subscription.WordPressCom:
		perSecond, burst = cmp.Or(o.Rate, 500), cmp.Or(o.Burst, 500)
	default:
		perSecond = cmp.Or(perSecond, usual[s.Kind], 50)
	}
	if perSecond < 0 {
		return rate.NewLimiter(rate.Inf, 1)
	}
	return rate.NewLimiter(rate.Limit(perSecond), cmp.Or(burst, max(5, int(math.Ceil(perSecond)))))
}

// newBreaker makes the breaker of an endpoint.
func newBreaker() *gobreaker.TwoStepCircuitBreaker[any] {
	return gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		MaxRequests: 1, Timeout: openFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
	})
}

// ill returns an error when an answer says that the endpoint itself is not well, rather than that
// it does not want this event.
func ill(a channel.Answer) error {
	if a.Verdict == channel.Failed && (a.HTTPStatus == 0 || a.HTTPStatus >= 500 || a.HTTPStatus == 429 || a.HTTPStatus == 408) {
		return errIll
	}
	return nil
}

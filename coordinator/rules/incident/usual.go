package incident

import (
	"maps"
	"math"
	"time"
)

// usual knows how many failures share something usually.
type usual struct {
	rates map[Shared]*rate
	// began is when the first was seen.
	began time.Time
}

// rate is a count that fades away.
type rate struct {
	count float64
	at    time.Time
}

const (
	// memory is how fast counts fade: what was a day ago counts a third.
	memory = 24 * time.Hour
	// known is how long it takes to know what is usual; until then strange is how many times as
	// many as make an incident must fail.
	known   = 6 * time.Hour
	strange = 10
	// maxUsual bounds what is remembered.
	maxUsual = 20_000
)

func (r *rate) fade(now time.Time) {
	if d := now.Sub(r.at); d > 0 {
		r.count *= math.Exp(-float64(d) / float64(memory))
		r.at = now
	}
}

// note counts a failure that shares something.
func (u *usual) note(s Shared, now time.Time) {
	if u.rates == nil {
		u.rates, u.began = map[Shared]*rate{}, now
	}
	r := u.rates[s]
	if r == nil {
		if len(u.rates) >= maxUsual {
			u.tidy(now)
		}
		r = &rate{at: now}
		u.rates[s] = r
	}
	r.fade(now)
	r.count++
}

// tidy forgets what is rare.
func (u *usual) tidy(now time.Time) {
	maps.DeleteFunc(u.rates, func(_ Shared, r *rate) bool {
		r.fade(now)
		return r.count < 1
	})
	if len(u.rates) >= maxUsual {
		clear(u.rates)
	}
}

// need returns how many failures within the rule's Window that share something are unusual.
func (u *usual) need(s Shared, now time.Time, rule Rule) int {
	age := now.Sub(u.began)
	if u.rates == nil || age < known {
		return strange * rule.Sites
	}
	r := u.rates[s]
	if r == nil {
		return rule.Sites
	}
	r.fade(now)
	seen := float64(memory) * (1 - math.Exp(-float64(age)/float64(memory))) // what the count is of
	return max(rule.Sites, int(rule.Usual*r.count*float64(rule.Window)/seen))
}

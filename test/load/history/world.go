//go:build linux

package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// world has the sites and how quick they are.
type world struct {
	*rand.Rand
	interval time.Duration
	// buckets are the sites of each bucket, by rising id.
	buckets [check.Buckets][]check.SiteID
	// steps are how many steps of the scale a check is off the median of its site, at random.
	steps [1 << 12]int8
}

const (
	sigma, sigmaOfSites = 0.25, 0.8
	medianOfSites       = 300 // ms
)

func newWorld(p plan) *world {
	w := &world{Rand: rand.New(rand.NewPCG(1, 2)), interval: p.interval}
	for id := check.SiteID(1); int(id) <= p.sites; id++ {
		b := mix(uint64(id)) % check.Buckets
		w.buckets[b] = append(w.buckets[b], id)
	}
	for i := range w.steps {
		w.steps[i] = int8(math.Round(w.NormFloat64() * sigma / math.Log(history.Step)))
	}
	return w
}

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// median returns the code of the median of a site's times.
func (w *world) median(id check.SiteID) history.Code {
	u := rand.New(rand.NewPCG(uint64(id), 3)).NormFloat64()
	return history.Took(time.Duration(medianOfSites * math.Exp(sigmaOfSites*u) * float64(time.Millisecond)))
}

// code returns what a check of a site comes to.
func (w *world) code(median history.Code) history.Code {
	r := w.Uint32()
	switch {
	case r>>12 < 1<<20/2000:
		return history.Unknown
	case r>>12 < 1<<20/2000+1<<20/300:
		return history.Failed
	}
	return history.Code(min(242, max(16, int(median)+int(w.steps[r&(1<<12-1)]))))
}

// strip returns the turns of a site from a moment up to another.
func (w *world) strip(id check.SiteID, from, to time.Time) history.Strip {
	first := schedule.TurnBefore(id, w.interval, from.Add(-1)) + 1
	end := schedule.TurnBefore(id, w.interval, to.Add(-1)) + 1
	s := history.Strip{Site: id, Interval: w.interval, First: first, Codes: make([]history.Code, end-first)}
	median := w.median(id)
	for i := range s.Codes {
		s.Codes[i] = w.code(median)
	}
	return s
}

// sheet returns the turns of some sites.
func (w *world) sheet(ids []check.SiteID, from, to time.Time) *history.Sheet {
	s := &history.Sheet{Regions: []string{""}}
	for _, id := range ids {
		if x := w.strip(id, from, to); len(x.Codes) > 0 {
			s.Strips = append(s.Strips, x)
		}
	}
	return s
}

// parts divides the sites of a bucket.
func parts(ids []check.SiteID) (all [][]check.SiteID) {
	for from, i := 0, 1; i <= len(ids); i++ {
		if i == len(ids) || history.PartOf(ids[i]) != history.PartOf(ids[from]) {
			all = append(all, ids[from:i])
			from = i
		}
	}
	return all
}

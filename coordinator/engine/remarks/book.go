// Package remarks keeps what is remarked about sites that are up, and what of it the store does
// not know yet. It has an entry only for sites about which there is something to remark: most
// have none, and cost nothing.
//
// The package decides and does no I/O: rules/advisory says when a remark opens and closes, and
// package state/advisories writes what Take returns.
package remarks

import (
	"hash/maphash"
	"maps"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/advisory"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// Book holds the remarks. New makes one. It is not safe for concurrent use.
type Book struct {
	sites map[check.SiteID]*entry
	// seed is that of the hashes of URLs.
	seed maphash.Seed
	// unwritten holds by shard the changes that the store does not know, the newest of each
	// remark.
	unwritten [shard.Count]map[record.RemarkMark]record.Remark
}

type entry struct {
	advisory.State
	bucket check.BucketID
	// url is the hash of the URL that the store has with the remarks; 0 when they are our own.
	url uint64
	// paused means that the site was paused when its remarks were read.
	paused bool
}

// New makes an empty book.
func New() *Book { return &Book{sites: map[check.SiteID]*entry{}, seed: maphash.MakeSeed()} }

// Site is a site about which something may be remarked.
type Site struct {
	ID     check.SiteID
	BlogID check.BlogID
	Bucket check.BucketID
	URL    string
}

// Has reports whether there is something to remark about a site.
func (b *Book) Has(id check.SiteID) bool { return b.sites[id] != nil }

// Open lists the open remarks of a site.
func (b *Book) Open(id check.SiteID) []check.Advisory {
	if e := b.sites[id]; e != nil {
		return e.Open()
	}
	return nil
}

// Note takes a check of a site into account, and reports whether there is something to remark
// about the site.
func (b *Book) Note(s Site, at time.Time, o *check.Observation) (remarked bool) {
	e := b.sites[s.ID]
	if e == nil {
		if len(o.Advisories) == 0 {
			return false
		}
		e = &entry{}
		b.sites[s.ID] = e
	}
	e.bucket = s.Bucket
	opened, closed := e.Note(o)
	for _, a := range opened {
		r := record.Remark{SiteID: s.ID, BlogID: s.BlogID, Bucket: s.Bucket, URL: s.URL, Advisory: a, Open: true, At: at, Detail: o.Detail}
		if a == check.AdvisoryTLSExpiring {
			r.CertificateExpire = o.CertificateExpire
		}
		b.put(r)
	}
	for _, a := range closed {
		b.put(record.Remark{SiteID: s.ID, BlogID: s.BlogID, Bucket: s.Bucket, URL: s.URL, Advisory: a, At: at})
	}
	if e.Idle() {
		delete(b.sites, s.ID)
		return false
	}
	return true
}

// NotePace takes the pace of an hour of a site into account, with what is to be said of it if it is
// slower, and reports whether there is something to remark about the site.
func (b *Book) NotePace(s Site, at time.Time, p advisory.Pace, detail string) (remarked bool) {
	e := b.sites[s.ID]
	if e == nil {
		if p != advisory.PaceSlower {
			return false
		}
		e = &entry{}
		b.sites[s.ID] = e
	}
	e.bucket = s.Bucket
	r := record.Remark{SiteID: s.ID, BlogID: s.BlogID, Bucket: s.Bucket, URL: s.URL, Advisory: check.AdvisorySlowerThanUsual, At: at}
	switch opened, closed := e.NotePace(p); {
	case opened:
		r.Open, r.Detail = true, detail
		b.put(r)
	case closed:
		b.put(r)
	}
	if e.Idle() {
		delete(b.sites, s.ID)
		return false
	}
	return true
}

// Removed closes the remarks of a site that was deleted. Of a site that is paused nothing but they
// may be known here.
func (b *Book) Removed(id check.SiteID, at time.Time) {
	if e := b.sites[id]; e != nil {
		b.Gone(Site{ID: id, Bucket: e.bucket}, at)
	}
}

// Put closes the remarks of a site that is watched from now on, if they are of another URL, which
// it got while nobody watched it.
func (b *Book) Put(s Site, at time.Time) {
	if e := b.sites[s.ID]; e != nil && e.url != 0 && e.url != maphash.String(b.seed, s.URL) {
		b.Gone(s, at)
	}
}

// Gone closes the remarks of a site that is no longer watched, or got another URL.
func (b *Book) Gone(s Site, at time.Time) {
	e := b.sites[s.ID]
	if e == nil {
		return
	}
	for _, a := range e.Open() {
		b.put(record.Remark{SiteID: s.ID, BlogID: s.BlogID, Bucket: s.Bucket, URL: s.URL, Advisory: a, At: at})
	}
	delete(b.sites, s.ID)
}

// Recall takes the remarks that are open in the store, when a shard was gained, before its
// sites are put.
func (b *Book) Recall(open []record.Remark) {
	for _, r := range open {
		e := b.sites[r.SiteID]
		if e == nil {
			e = &entry{}
			b.sites[r.SiteID] = e
		}
		e.State, e.bucket, e.paused = advisory.Opened(append(e.Open(), r.Advisory)), r.Bucket, r.Paused
		if r.URL != "" {
			e.url = maphash.String(b.seed, r.URL)
		}
	}
}

// Recalled ends the recall of a shard, when all its sites were put: remarks about sites that
// are not watched are closed, unless they are paused.
func (b *Book) Recalled(id shard.ID, at time.Time, watched func(check.SiteID) bool) {
	for site, e := range b.sites {
		if shard.Of(e.bucket) == id && !e.paused && !watched(site) {
			b.Gone(Site{ID: site, Bucket: e.bucket}, at)
		}
	}
}

// Drop forgets a shard that another coordinator owns now.
func (b *Book) Drop(id shard.ID) {
	maps.DeleteFunc(b.sites, func(_ check.SiteID, e *entry) bool { return shard.Of(e.bucket) == id })
	b.unwritten[id] = nil
}

// put has a change written. One that the store does not know and that is taken back again need
// not be, but nobody knows whether an attempt to write it succeeded.
func (b *Book) put(r record.Remark) {
	of := &b.unwritten[shard.Of(r.Bucket)]
	if *of == nil {
		*of = map[record.RemarkMark]record.Remark{}
	}
	(*of)[r.Mark()] = r
}

// Take takes up to limit changes of a shard that the store does not know, at most one a site.
// GiveBack gives back those that could not be written.
func (b *Book) Take(id shard.ID, limit int) []record.Remark {
	var taken []record.Remark
	for _, mark := range b.first(id, limit) {
		taken = append(taken, b.unwritten[id][mark])
		delete(b.unwritten[id], mark)
	}
	if len(b.unwritten[id]) == 0 {
		b.unwritten[id] = nil
	}
	return taken
}

// first lists the marks of up to limit changes of different sites.
func (b *Book) first(id shard.ID, limit int) []record.RemarkMark {
	var marks []record.RemarkMark
	sites := map[check.SiteID]bool{}
	for mark := range b.unwritten[id] {
		if len(marks) == limit {
			break
		}
		if !sites[mark.SiteID] {
			sites[mark.SiteID] = true
			marks = append(marks, mark)
		}
	}
	slices.SortFunc(marks, func(x, y record.RemarkMark) int { return int(min(1, max(-1, x.SiteID-y.SiteID))) })
	return marks
}

// GiveBack takes changes back that could not be written. Newer ones stay.
func (b *Book) GiveBack(changes []record.Remark) {
	for _, r := range changes {
		if _, newer := b.unwritten[shard.Of(r.Bucket)][r.Mark()]; !newer {
			b.put(r)
		}
	}
}

package record

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/internal/check"
)

// BlogSettings are what is kept of a whole blog for WordPress.com, which acts on them. The
// names in JSON are stored, and never change.
type BlogSettings struct {
	// Notes, Mails and Texts say by which way people are told; nil is the default.
	Notes *bool `json:"notes,omitempty"`
	Mails *bool `json:"mails,omitempty"`
	Texts *bool `json:"texts,omitempty"`
	// DeferMinutes is for how long the news of an outage is held back; nil is the default.
	DeferMinutes *uint32 `json:"defer_minutes,omitempty"`
	// Webhooks has by monitored URL what is called when that goes down.
	Webhooks map[string]string `json:"webhooks,omitempty"`
	Emails   []Email           `json:"emails,omitempty"`
	Phones   []Phone           `json:"phones,omitempty"`
}

// Email is a mail address to tell.
type Email struct {
	Name     string `json:"name,omitempty"`
	Address  string `json:"address"`
	Verified bool   `json:"verified,omitempty"`
}

// Phone is a telephone number to tell.
type Phone struct {
	Name string `json:"name,omitempty"`
	// Full is the whole number, Number that inside its country, whose letters are Country and
	// whose prefix is Prefix.
	Full     string `json:"full"`
	Number   string `json:"number,omitempty"`
	Country  string `json:"country,omitempty"`
	Prefix   string `json:"prefix,omitempty"`
	Verified bool   `json:"verified,omitempty"`
}

// Past is what is kept of a site's past.
type Past struct {
	SiteID check.SiteID
	// Watched are the stretches in which callers of the API had the site checked, in order. A
	// zero Start means that it was checked before, nobody knows since when; a zero End that
	// the stretch has not ended. WordPress.com's edits of the table are not in it.
	Watched []uptime.Span
	Outages []PastOutage
}

// PastOutage is an outage with the URL that it was of.
type PastOutage struct {
	URL string
	uptime.Outage
}

// Of returns what the past says of a site's URL at a time. Where it says nothing, a site
// that has never failed began when its status did: WordPress.com writes that time when it adds
// a row.
func (p Past) Of(row Site, now time.Time) uptime.URL {
	u := uptime.URL{}
	for _, o := range p.Outages {
		u.Outages = append(u.Outages, o.Outage)
	}
	today := now.UTC().Truncate(24 * time.Hour)
	if len(p.Watched) == 0 {
		switch {
		case row.Paused:
			u.Paused = []uptime.Span{{End: now}}
		case len(p.Outages) == 0:
			u.Since = row.StatusSince
		}
		return u
	}
	u.Since = p.Watched[0].Start
	end := u.Since
	for _, w := range p.Watched {
		u.Paused = append(u.Paused, uptime.Span{Start: end, End: w.Start})
		end = w.End
	}
	switch open := end.IsZero(); {
	case open && row.Paused: // by another program, nobody knows when
		u.Paused = append(u.Paused, uptime.Span{Start: today, End: now})
	case !open && row.Paused:
		u.Paused = append(u.Paused, uptime.Span{Start: end, End: now})
	case !open: // resumed by another program
		u.Paused = append(u.Paused, uptime.Span{Start: end, End: today})
	}
	return u
}

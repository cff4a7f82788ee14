package store

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// MaxPasts is how many sites Pasts is asked for at once.
const MaxPasts = 1000

// Blogs keeps what WordPress.com's clients set for a whole blog, and knows the past of sites.
type Blogs interface {
	// BlogSettings reads what is kept of a blog; zero when nothing is.
	BlogSettings(ctx context.Context, blog check.BlogID) (record.BlogSettings, error)
	// EditBlogSettings applies edit to what is kept of a blog, and returns it as stored then. It
	// adds the record that tell makes, unless nothing changed. It may call both several times,
	// and returns edit's error unchanged.
	EditBlogSettings(ctx context.Context, blog check.BlogID, edit func(record.BlogSettings) (record.BlogSettings, error),
		tell func(before, after record.BlogSettings) record.Audit) (record.BlogSettings, error)
	// Pasts passes the past of sites to f, of each once, in any order: with the outages that are
	// open or ended after a time. It leaves out sites of which nothing is kept. Invalid for more
	// than MaxPasts ids.
	Pasts(ctx context.Context, ids []check.SiteID, since time.Time, f func(record.Past)) error
}

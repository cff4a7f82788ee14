package dev

import (
	"context"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// firstDemoBlog is the reserved blog id of the demo's first site. The demo's addresses
// change with every start, so seed finds its sites in a kept database by their blog.
const firstDemoBlog check.BlogID = 9_000_000_001

// devInterval is the interval in the rows. It has no effect: dev checks every site at
// --interval.
const devInterval = time.Minute

const seedPage = 1000

// seed adds the demo's sites and those of --site to the database. Existing sites stay,
// except that the demo's sites follow the demo.
func (d *System) seed(ctx context.Context, demo []string) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	known, err := d.known(ctx)
	if err != nil {
		return err
	}
	for _, site := range known {
		i := int(site.BlogID - firstDemoBlog)
		switch {
		case i < 0:
			continue
		case i >= len(demo):
			// A demo site that is gone is no outage.
			if err := d.store.DeleteSite(ctx, site.ID, time.Now(), nil); err != nil {
				return err
			}
		case site.URL != demo[i]:
			_, err := d.store.UpdateSite(ctx, site.ID, time.Now(), func(s record.Site) (record.Site, error) {
				s.URL = demo[i]
				return s, nil
			})
			if err != nil {
				return err
			}
		}
	}
	for i, url := range demo {
		blog := firstDemoBlog + check.BlogID(i)
		if slices.ContainsFunc(known, func(s record.Site) bool { return s.BlogID == blog }) {
			continue
		}
		if err := d.add(ctx, url, blog); err != nil {
			return err
		}
	}
	return d.addGiven(ctx, known)
}

// addGiven adds the sites of --site that are not in the database yet.
func (d *System) addGiven(ctx context.Context, known []record.Site) error {
	urls := map[string]bool{}
	for _, site := range known {
		urls[site.URL] = true
	}
	for _, raw := range d.o.Sites {
		u, err := check.ParseURL(raw)
		if err != nil {
			return err
		}
		if url := u.String(); !urls[url] {
			urls[url] = true
			if err := d.add(ctx, url, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds one site.
func (d *System) add(ctx context.Context, url string, blog check.BlogID) error {
	_, err := d.store.CreateSite(ctx, record.Site{
		BlogID: blog, URL: url, Interval: devInterval, Bucket: shard.Place(blog, url),
	})
	return err
}

func (d *System) known(ctx context.Context) ([]record.Site, error) {
	var all []record.Site
	q := store.SiteQuery{Limit: seedPage}
	for {
		page, err := d.store.ListSites(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < seedPage {
			return all, nil
		}
		q.After = page[len(page)-1].ID
	}
}

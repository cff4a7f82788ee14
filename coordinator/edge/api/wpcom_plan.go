package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// plan is what an update of a blog's settings does to its sites. It is made whole, with
// everything checked, before the first step.
type plan struct {
	steps []step
	done  []string
	// hooks has by URL the webhook of each URL that is to be monitored; nil keeps its own.
	hooks map[string]*string
}

// step is one edit of a site: what it does, in words, and how.
type step struct {
	what string
	do   func(context.Context) error
}

// plan compares the sites of a blog with what is wanted.
func (s *jetpackMonitor) plan(blog check.BlogID, rows []record.Site, in *wpcomv1.JetpackMonitorSettings, paths map[string]bool) (*plan, error) {
	p := &plan{hooks: map[string]*string{}}
	sites := &sites{o: s.o}
	pause := func(row record.Site) bool { return row.Paused }
	if paths["monitor_active"] {
		pause = func(record.Site) bool { return !in.GetMonitorActive() }
	}
	wanted := map[check.SiteID]*wpcomv1.JetpackMonitorUrl{}
	if paths["urls"] {
		added, err := s.match(rows, in.GetUrls(), wanted)
		if err != nil {
			return nil, err
		}
		idle := record.Site{Paused: len(rows) > 0 && !isActive(rows)}
		for _, u := range added {
			p.add(sites, &monitorv1.Site{
				BlogId: int64(blog), Url: check.TrimURL(u.GetMonitorUrl()), CheckInterval: intervalOf(u, defaultInterval), Paused: pause(idle),
			})
			p.hooks[check.TrimURL(u.GetMonitorUrl())] = hookOf(u)
		}
	}
	var gone []record.Site
	for _, row := range rows {
		u := wanted[row.ID]
		if paths["urls"] && u == nil {
			gone = append(gone, row)
			continue
		}
		p.hooks[row.URL] = hookOf(u)
		p.change(sites, row, intervalOf(u, row.Interval), pause(row))
	}
	for _, row := range gone {
		p.steps = append(p.steps, step{"removed " + row.URL, func(ctx context.Context) error {
			_, err := sites.DeleteSite(ctx, &monitorv1.DeleteSiteRequest{SiteId: int64(row.ID), Etag: etagOf(row)})
			return err
		}})
	}
	return p, nil
}

// match finds the site of each URL that is wanted, and returns those URLs that have none.
func (s *jetpackMonitor) match(rows []record.Site, urls []*wpcomv1.JetpackMonitorUrl, wanted map[check.SiteID]*wpcomv1.JetpackMonitorUrl) (added []*wpcomv1.JetpackMonitorUrl, err error) {
	if len(urls) == 0 {
		return nil, fault.InvalidField("settings.urls", "must have at least one URL; monitor_active pauses all")
	}
	seen := map[string]bool{}
	for i, u := range urls {
		field := fmt.Sprintf("settings.urls[%d]", i)
		url := check.TrimURL(u.GetMonitorUrl())
		page := pageOf(url)
		if seen[page] {
			return nil, fault.InvalidField(field+".monitor_url", "is in the list twice")
		}
		seen[page] = true
		if hook := u.GetOptions().GetStatusDownWebhookUrl(); hook != "" {
			if err := check.ValidateURL(hook); err != nil {
				return nil, fault.InvalidField(field+".options.status_down_webhook_url", "%w", err)
			}
		}
		found := false
		for _, row := range rows { // the table may have one twice
			if pageOf(row.URL) == page {
				found, wanted[row.ID] = true, u
			}
		}
		if found {
			continue
		}
		var row record.Site
		if err := s.o.edit(&row, &monitorv1.Site{Url: url}, []string{"url"}); err != nil {
			return nil, elsewhereField(err, field+".monitor_url")
		}
		added = append(added, u)
	}
	return added, nil
}

// pageOf returns what URLs have in common that are one to a browser.
func pageOf(url string) string {
	if page := record.Locate(url).Page; page != "" {
		return page
	}
	return url
}

// elsewhereField returns a refusal of a field as that of another.
func elsewhereField(err error, field string) error {
	for _, d := range fault.Status(err).Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok && len(bad.GetFieldViolations()) > 0 {
			return fault.InvalidField(field, "%s", bad.GetFieldViolations()[0].GetDescription())
		}
	}
	return err
}

// intervalOf returns the interval that is wanted, or another.
func intervalOf(u *wpcomv1.JetpackMonitorUrl, otherwise time.Duration) *durationpb.Duration {
	if u != nil && u.CheckInterval != nil {
		otherwise = time.Duration(u.GetCheckInterval()) * time.Minute
	}
	return durationpb.New(otherwise)
}

// hookOf returns the webhook that is wanted; nil when nothing is said of it.
func hookOf(u *wpcomv1.JetpackMonitorUrl) *string {
	if u.GetOptions() == nil {
		return nil
	}
	hook := u.GetOptions().GetStatusDownWebhookUrl()
	return &hook
}

// add plans a new site.
func (p *plan) add(sites *sites, site *monitorv1.Site) {
	p.steps = append(p.steps, step{"added " + site.GetUrl(), func(ctx context.Context) error {
		_, err := sites.CreateSite(ctx, &monitorv1.CreateSiteRequest{Site: site})
		return err
	}})
}

// change plans the change of a site, if there is one.
func (p *plan) change(sites *sites, row record.Site, interval *durationpb.Duration, paused bool) {
	mask := &fieldmaskpb.FieldMask{}
	if interval.AsDuration() != row.Interval {
		mask.Paths = append(mask.Paths, "check_interval")
	}
	if paused != row.Paused {
		mask.Paths = append(mask.Paths, "paused")
	}
	if len(mask.GetPaths()) == 0 {
		return
	}
	site := &monitorv1.Site{SiteId: int64(row.ID), CheckInterval: interval, Paused: paused, Etag: etagOf(row)}
	p.steps = append(p.steps, step{"changed " + row.URL, func(ctx context.Context) error {
		_, err := sites.UpdateSite(ctx, &monitorv1.UpdateSiteRequest{Site: site, UpdateMask: mask})
		return err
	}})
}

// carryOut makes the steps, and stops at the first that fails.
func (p *plan) carryOut(ctx context.Context) error {
	for _, s := range p.steps {
		if err := s.do(ctx); err != nil {
			return p.after(err)
		}
		p.done = append(p.done, s.what)
	}
	return nil
}

// maxTold is how many steps an error names.
const maxTold = 5

// after returns an error with what was done before it.
func (p *plan) after(err error) error {
	text := fault.Status(err).Message()
	lost := fault.Is(err, fault.Unavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	switch told := p.done[:min(len(p.done), maxTold)]; {
	case len(told) == 0 && lost: // the step itself may have been made
		text += "; the same request again is safe"
	case len(told) == 0:
		text += "; nothing was changed"
	case len(told) < len(p.done):
		text += fmt.Sprintf("; before, %s, and %d more: the same request again goes on from there", strings.Join(told, ", "), len(p.done)-len(told))
	default:
		text += "; before, " + strings.Join(told, ", ") + ": the same request again goes on from there"
	}
	// The error itself is for the log.
	for _, k := range []fault.Kind{fault.Invalid, fault.NotFound, fault.AlreadyExists, fault.Conflict, fault.Fenced, fault.Exhausted, fault.Denied} {
		if fault.Is(err, k) {
			return fault.New(k, "%w", err).Hidden(text)
		}
	}
	return fault.New(fault.Unavailable, "%w", err).Hidden(text)
}

// webhooks returns the webhooks of the URLs that are monitored now.
func (p *plan) webhooks(old map[string]string) map[string]string {
	hooks := map[string]string{}
	for url, hook := range p.hooks {
		switch {
		case hook == nil:
			hooks[url] = old[url]
		default:
			hooks[url] = *hook
		}
	}
	maps.DeleteFunc(hooks, func(_, hook string) bool { return hook == "" })
	return hooks
}

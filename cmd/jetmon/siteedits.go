package main

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli"
	"github.com/Automattic/jetmon/internal/sitefile"
)

// siteFlags set what a caller decides about a site. No variable of the environment does: one
// that is left over from elsewhere must not change sites.
type siteFlags struct {
	Blog           *int64   `noenv:"" placeholder:"ID" help:"Blog that the site belongs to."`
	Interval       string   `noenv:"" placeholder:"TIME" help:"Time between checks, whole minutes from 1m to 255m; 5m by default."`
	Paused         *bool    `noenv:"" negatable:"" help:"Do not check the site."`
	Tag            []string `noenv:"" sep:"," placeholder:"TAG" help:"Tags of the site (repeatable), 8 at most; an edit replaces those that are there."`
	Method         string   `noenv:"" placeholder:"METHOD" words:"head-then-get,head,get" help:"How to ask: head-then-get (default), head or get."`
	RedirectPolicy string   `noenv:"" placeholder:"POLICY" words:"follow,fail" help:"What a redirect means: follow (default) or fail."`
	RequiredText   []string `noenv:"" sep:"none" placeholder:"TEXT" help:"Text that the page must contain (repeatable, 8 at most)."`
	ForbiddenText  []string `noenv:"" sep:"none" placeholder:"TEXT" help:"Text that the page must not contain (repeatable, 8 at most)."`
	Header         []string `noenv:"" sep:"none" placeholder:"K: V" help:"Header to send (repeatable, 8 at most)."`
	SlowAfter      string   `noenv:"" placeholder:"TIME" help:"Remark answers that take longer, 1ms to 60s."`
	PageCheck      string   `noenv:"" placeholder:"WHEN" words:"never,always" help:"How often the page is judged: never, always, or now and then (default)."`
	PublicBadges   *bool    `noenv:"" negatable:"" help:"Let everybody see the badges of the site, without credentials."`
	TLSErrors      string   `noenv:"" name:"tls-errors" placeholder:"WHAT" words:"down,advise" help:"What a certificate means that does not verify: down or advise; by default what the coordinator says."`
}

// site returns the values that were given, and the paths of their fields.
func (f siteFlags) site() (*monitorv1.Site, []string, error) {
	e := siteEdit{site: &monitorv1.Site{Settings: &monitorv1.CheckSettings{}}}
	s, c := e.site, e.site.Settings
	if f.Blog != nil {
		s.BlogId = *f.Blog
		e.mask = append(e.mask, "blog_id")
	}
	if f.Paused != nil {
		s.Paused = *f.Paused
		e.mask = append(e.mask, "paused")
	}
	if f.PublicBadges != nil {
		s.PublicBadges = *f.PublicBadges
		e.mask = append(e.mask, "public_badges")
	}
	e.duration("interval", "check_interval", f.Interval, &s.CheckInterval)
	e.duration("slow-after", "settings.slow_after", f.SlowAfter, &c.SlowAfter)
	e.texts("tags", f.Tag, &s.Tags)
	e.texts("settings.required_texts", f.RequiredText, &c.RequiredTexts)
	e.texts("settings.forbidden_texts", f.ForbiddenText, &c.ForbiddenTexts)
	e.headers(f.Header)
	word(&e, "method", f.Method, &c.Method)
	word(&e, "redirect-policy", f.RedirectPolicy, &c.RedirectPolicy)
	word(&e, "page-check", f.PageCheck, &c.PageCheck)
	word(&e, "tls-errors", f.TLSErrors, &c.TlsErrors)
	return s, e.mask, e.err
}

// siteEdit collects values; err is the first mistake.
type siteEdit struct {
	site *monitorv1.Site
	mask []string
	err  error
}

func (e *siteEdit) fail(flag string, err error) {
	if e.err == nil && err != nil {
		e.err = usagef("--%s: %w", flag, err)
	}
}

func (e *siteEdit) duration(flag, path, text string, to **durationpb.Duration) {
	if text == "" {
		return
	}
	d, err := sitefile.ParseDuration(text)
	e.fail(flag, err)
	*to, e.mask = d, append(e.mask, path)
}

func (e *siteEdit) texts(path string, given []string, to *[]string) {
	if len(given) > 0 {
		*to, e.mask = given, append(e.mask, path)
	}
}

func (e *siteEdit) headers(lines []string) {
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			e.fail("header", usagef("%q is not 'NAME: VALUE'", line))
		}
		e.site.Settings.Headers = append(e.site.Settings.Headers, &checkv1.Header{Name: strings.TrimSpace(name), Value: strings.Trim(value, " \t")})
	}
	if len(lines) > 0 {
		e.mask = append(e.mask, "settings.headers")
	}
}

// word reads the value of the flag that is called as its setting is.
func word[E sitefile.Enum](e *siteEdit, flag, text string, to *E) {
	if text == "" {
		return
	}
	value, err := sitefile.ParseWord[E](text)
	e.fail(flag, err)
	*to, e.mask = value, append(e.mask, "settings."+strings.ReplaceAll(flag, "-", "_"))
}

// addSitesCommand is `jetmon sites add URL...`.
type addSitesCommand struct {
	URLs []string `arg:"" name:"url" help:"URLs to monitor; - takes them from stdin, one a line."`

	siteFlags   `embed:""`
	clientFlags `embed:""`
}

// Run adds the sites.
func (c *addSitesCommand) Run(ctx context.Context, p *program) error {
	like, _, err := c.site()
	if err != nil {
		return err
	}
	many := len(c.URLs) > 1 || slices.Contains(c.URLs, stdin)
	return c.ask(p, func(client cli.Client) error {
		return client.AddSites(ctx, cli.NewSites{URLs: p.lines(ctx, c.URLs), Many: many, Like: sitefile.Portable(like)})
	})
}

// editSiteCommand is `jetmon sites edit ID`.
type editSiteCommand struct {
	Site      int64    `arg:"" name:"id" help:"Id of the site."`
	URL       string   `noenv:"" name:"url" placeholder:"URL" help:"Monitor this URL instead; an open outage of the old one ends."`
	AddTag    []string `noenv:"" sep:"," placeholder:"TAG" help:"Tags to add to those that are there (repeatable)."`
	RemoveTag []string `noenv:"" sep:"," placeholder:"TAG" help:"Tags to remove (repeatable)."`
	Clear     []string `noenv:"" sep:"," placeholder:"FIELD" words:"blog_id,check_interval,tags,method,redirect_policy,required_texts,forbidden_texts,headers,slow_after,page_check,tls_errors" help:"Fields to set back to their default (repeatable): blog_id, check_interval, tags, method, redirect_policy, required_texts, forbidden_texts, headers, slow_after, page_check, tls_errors."`
	IfMatch   string   `noenv:"" placeholder:"ETAG" help:"Change the site only if it still has this etag, as jetmon sites get shows it."`

	siteFlags   `embed:""`
	clientFlags `embed:""`
}

// Run edits the site.
func (c *editSiteCommand) Run(ctx context.Context, p *program) error {
	if c.Site <= 0 {
		return usagef("%d is no id of a site", c.Site)
	}
	site, mask, err := c.site()
	if err != nil {
		return err
	}
	site.SiteId = c.Site
	if c.URL != "" {
		site.Url, mask = c.URL, append(mask, "url")
	}
	for _, name := range c.Clear {
		path, err := clearable(name)
		if err != nil {
			return err
		}
		if slices.Contains(mask, path) {
			return usagef("--clear=%s: another flag sets it", name)
		}
		mask = append(mask, path)
	}
	tagged := len(c.AddTag)+len(c.RemoveTag) > 0
	switch {
	case tagged && slices.Contains(mask, "tags"):
		return usagef("--add-tag and --remove-tag change the tags that are there, --tag and --clear=tags replace them: give one kind")
	case len(mask) == 0 && !tagged:
		return usagef("there is nothing to change: give a flag, as --interval 1m")
	}
	return c.ask(p, func(client cli.Client) error {
		return client.EditSite(ctx, cli.Edit{Site: site, Mask: mask, AddTags: c.AddTag, RemoveTags: c.RemoveTag, IfMatch: c.IfMatch})
	})
}

// clearable returns the path of a field, by the name of its column in a file.
func clearable(name string) (string, error) {
	switch {
	case name == "blog_id", name == "check_interval", name == "tags":
		return name, nil
	case slices.Contains(sitefile.Columns(), name) && name != "url" && name != "paused" && name != "public_badges":
		return "settings." + name, nil
	}
	return "", usagef("--clear: %q is no field that has a default", name)
}

package main

import (
	"context"
	"strings"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/cli"
)

// advisoriesCommand is `jetmon advisories`.
type advisoriesCommand struct {
	List listAdvisoriesCommand `cmd:"" help:"List open remarks about sites that are up, by site."`
}

// listAdvisoriesCommand is `jetmon advisories list`.
type listAdvisoriesCommand struct {
	Site  int64  `placeholder:"ID" help:"Only remarks about this site."`
	Blog  int64  `placeholder:"ID" help:"Only remarks about sites of this blog."`
	Kind  string `placeholder:"KIND" words:"tls-expiring,tls-deprecated,tls-invalid,slow,ipv6-broken,head-unsupported,page-broken,page-empty,placeholder,directory-listing,install-screen,php-source,wordpress-message" help:"Only this remark: tls-expiring, tls-deprecated, tls-invalid, slow, ipv6-broken, head-unsupported, page-broken, page-empty, placeholder, directory-listing, install-screen, php-source or wordpress-message."`
	Limit int    `default:"100" help:"Maximum number of remarks to list; 0: all."`

	clientFlags `embed:""`
}

// Run lists the remarks.
func (c *listAdvisoriesCommand) Run(ctx context.Context, p *program) error {
	if c.Limit < 0 || c.Site < 0 || c.Blog < 0 {
		return usagef("--limit, --site and --blog must not be negative")
	}
	kind := checkv1.Advisory(checkv1.Advisory_value["ADVISORY_"+strings.ToUpper(strings.ReplaceAll(c.Kind, "-", "_"))])
	if c.Kind != "" && kind == 0 {
		return usagef("--kind: must be tls-expiring, tls-deprecated, tls-invalid, slow, ipv6-broken, head-unsupported, page-broken, page-empty, placeholder, directory-listing, install-screen, php-source or wordpress-message, is %q", c.Kind)
	}
	return c.ask(p, func(client cli.Client) error {
		return client.ListAdvisories(ctx, cli.AdvisoryList{Site: c.Site, Blog: c.Blog, Advisory: kind, Limit: c.Limit})
	})
}

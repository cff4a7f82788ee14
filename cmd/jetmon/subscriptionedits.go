package main

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/sitefile"
)

// listenerFlags set what a caller decides about a subscription. No variable of the environment
// does.
type listenerFlags struct {
	URL        string   `noenv:"" name:"url" placeholder:"URL" help:"Where to tell it. Who looks at the processes of this machine sees it: give a secret URL, as Slack's are, by --url-file."`
	URLFile    string   `noenv:"" name:"url-file" placeholder:"FILE" help:"File whose first line is the URL."`
	BearerFile string   `noenv:"" placeholder:"FILE" help:"File whose first line is the bearer token to send."`
	To         []string `noenv:"" sep:"," placeholder:"ADDRESS" help:"Who gets the mails (repeatable), 10 at most."`
	Label      []string `noenv:"" sep:"none" placeholder:"NAME=VALUE" help:"Label to add to alerts (repeatable), 16 at most."`
	Type       []string `noenv:"" sep:"," placeholder:"TYPE" words:"site-down,site-confirmed-down,site-up,advisory-opened,advisory-closed,incident-opened,incident-updated,incident-resolved" help:"Events to tell (repeatable): site-down, site-confirmed-down, site-up, advisory-opened, advisory-closed, incident-opened, incident-updated, incident-resolved; by default changes of status."`
	Site       []int64  `noenv:"" sep:"," placeholder:"ID" help:"Only of these sites (repeatable)."`
	Blog       []int64  `noenv:"" sep:"," placeholder:"ID" help:"Only of the sites of these blogs (repeatable)."`
	Tag        []string `noenv:"" sep:"," placeholder:"TAG" help:"Only of sites with one of these tags (repeatable)."`
	Host       []string `noenv:"" sep:"," placeholder:"HOST" help:"Only of sites on these hosts (repeatable)."`
	Advisory   []string `noenv:"" sep:"," placeholder:"KIND" help:"Only these remarks (repeatable), as tls-expiring, of the events advisory-opened and advisory-closed."`
	Delay      string   `noenv:"" placeholder:"TIME" help:"How long the news that a site is down waits; one that is up again before is not told of."`
	Rate       *float64 `noenv:"" placeholder:"N" help:"Most deliveries a second on average."`
	Burst      *int32   `noenv:"" placeholder:"N" help:"Most deliveries at once."`
}

// subscriptionEdit collects values; err is the first mistake.
type subscriptionEdit struct {
	s    *monitorv1.Subscription
	mask []string
	err  error
}

func (e *subscriptionEdit) fail(flag string, err error) {
	if e.err == nil && err != nil {
		e.err = usagef("--%s: %w", flag, err)
	}
}

// given notes a field that has a value.
func (e *subscriptionEdit) given(is bool, path string) {
	if is {
		e.mask = append(e.mask, path)
	}
}

// edit returns the values that were given, and the paths of their fields.
func (f listenerFlags) edit() subscriptionEdit {
	filter := &monitorv1.SubscriptionFilter{SiteIds: f.Site, BlogIds: f.Blog, Tags: f.Tag, Hosts: f.Host}
	e := subscriptionEdit{s: &monitorv1.Subscription{Filter: filter, MailTo: f.To, Url: f.URL}}
	if f.URLFile != "" {
		if f.URL != "" {
			e.err = usagef("--url and --url-file exclude each other")
		}
		e.s.Url = e.secret("url-file", f.URLFile)
	}
	if f.BearerFile != "" {
		e.s.BearerToken = proto.String(e.secret("bearer-file", f.BearerFile))
	}
	for _, label := range f.Label {
		name, value, ok := strings.Cut(label, "=")
		if !ok {
			e.fail("label", usagef("%q is not NAME=VALUE", label))
		}
		e.s.Labels = append(e.s.Labels, &monitorv1.SubscriptionLabel{Name: name, Value: value})
	}
	wordsInto(&e, "type", f.Type, &filter.Types)
	wordsInto(&e, "advisory", f.Advisory, &filter.Advisories)
	if f.Delay != "" {
		d, err := sitefile.ParseDuration(f.Delay)
		e.fail("delay", err)
		e.s.Delay = d
	}
	if f.Rate != nil {
		e.s.Rate = *f.Rate
	}
	if f.Burst != nil {
		e.s.Burst = *f.Burst
	}
	e.given(e.s.Url != "", "url")
	e.given(f.BearerFile != "", "bearer_token")
	e.given(len(f.To) > 0, "mail_to")
	e.given(len(f.Label) > 0, "labels")
	e.given(len(f.Type) > 0, "filter.types")
	e.given(len(f.Site) > 0, "filter.site_ids")
	e.given(len(f.Blog) > 0, "filter.blog_ids")
	e.given(len(f.Tag) > 0, "filter.tags")
	e.given(len(f.Host) > 0, "filter.hosts")
	e.given(len(f.Advisory) > 0, "filter.advisories")
	e.given(f.Delay != "", "delay")
	e.given(f.Rate != nil, "rate")
	e.given(f.Burst != nil, "burst")
	return e
}

// secret reads the first line of a file.
func (e *subscriptionEdit) secret(flag, path string) string {
	text, err := readSecret(path, firstLine)
	e.fail(flag, err)
	return text
}

// clear adds the fields to empty.
func (e *subscriptionEdit) clear(names []string) {
	for _, name := range names {
		path := name
		switch name {
		case "bearer_token", "labels", "delay", "rate", "burst":
		case "types", "site_ids", "blog_ids", "tags", "hosts", "advisories":
			path = "filter." + name
		default:
			e.fail("clear", usagef("%q is no field that can be empty", name))
		}
		if slices.Contains(e.mask, path) {
			e.fail("clear", usagef("another flag sets %s", name))
		}
		e.mask = append(e.mask, path)
	}
}

// wordInto reads the word for a value of an enum.
func wordInto[E sitefile.Enum](e *subscriptionEdit, flag, text string, to *E) {
	value, err := sitefile.ParseWord[E](text)
	e.fail(flag, err)
	*to = value
}

// wordsInto reads the words for values of an enum.
func wordsInto[E sitefile.Enum](e *subscriptionEdit, flag string, texts []string, to *[]E) {
	for _, text := range texts {
		value, err := sitefile.ParseWord[E](text)
		e.fail(flag, err)
		*to = append(*to, value)
	}
}

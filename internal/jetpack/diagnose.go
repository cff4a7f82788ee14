package jetpack

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
)

// Defaults of Options.
const (
	DefaultMetadataURL = "https://public-api.wordpress.com/"
	DefaultUserAgent   = "jetmon/3.0 (Jetpack Site Uptime Monitor by WordPress.com)"
	// DefaultStepTimeout is Jetpack's own patience.
	DefaultStepTimeout = 10 * time.Second
	DefaultTimeout     = 90 * time.Second
)

// Options of a Diagnoser. Only Prober is required.
type Options struct {
	// Prober does what checks do, and decides by its address policy where calls may go.
	Prober Prober
	// RootCAs are the issuers to trust in calls; nil means the machine's.
	RootCAs *x509.CertPool
	// MetadataURL is where WordPress.com's public API is; "none" asks nobody.
	MetadataURL string
	// UserAgent of calls. Firewalls may treat names differently.
	UserAgent string
	// StepTimeout bounds a step, Timeout the whole.
	StepTimeout, Timeout time.Duration
	// Now tells the time; nil is time.Now.
	Now func() time.Time
}

// NoMetadata as a MetadataURL leaves WordPress.com out.
const NoMetadata = "none"

// Diagnoser diagnoses sites. It is safe for concurrent use.
type Diagnoser struct{ o Options }

// New makes a Diagnoser.
func New(o Options) (*Diagnoser, error) {
	if o.Prober == nil {
		return nil, errors.New("jetpack: a diagnosis needs a prober")
	}
	o.MetadataURL = cmp.Or(o.MetadataURL, DefaultMetadataURL)
	o.UserAgent = cmp.Or(o.UserAgent, DefaultUserAgent)
	o.StepTimeout = cmp.Or(o.StepTimeout, DefaultStepTimeout)
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MetadataURL != NoMetadata {
		u, err := check.ParseURL(o.MetadataURL)
		if err != nil {
			return nil, fmt.Errorf("jetpack: the address of the public API %w", err)
		}
		o.MetadataURL = strings.TrimSuffix(u.String(), "/") + "/"
	}
	return &Diagnoser{o}, nil
}

// Target is what to diagnose.
type Target struct {
	// URL of the site.
	URL string
	// Blog and User are tokens that the site stores; without them nothing is signed.
	Blog, User signature.Credential
}

// Diagnose walks the whole way. The error is about the target's URL; what is wrong with
// the site is in the report. When ctx ends, the rest is skipped.
func (d *Diagnoser) Diagnose(ctx context.Context, t Target) (*Report, error) {
	home, err := check.ParseURL(t.URL)
	if err != nil {
		return nil, fmt.Errorf("url %w", err)
	}
	toASCII(home)
	ctx, cancel := context.WithTimeout(ctx, d.o.Timeout)
	defer cancel()
	page, home := home, siteOf(home)
	if strings.TrimSuffix(page.Path, "/")+"/" != home.Path {
		page = home // what was given is no page for visitors
	}
	r := &run{Options: d.o, exchanger: newExchanger(d.o), target: t, page: page, given: home, home: home}
	defer r.exchanger.close()
	start := d.o.Now()
	for _, s := range []struct {
		section Section
		steps   func(context.Context)
	}{
		{SectionWayIn, r.wayIn}, {SectionXMLRPC, r.endpoint}, {SectionJetpack, r.calls},
		{SectionMetadata, r.metadata}, {SectionSync, r.sync},
	} {
		r.section = s.section
		s.steps(ctx)
	}
	report := &Report{URL: r.home.String(), Start: start, Took: d.o.Now().Sub(start), Findings: r.findings}
	report.conclude()
	return report, nil
}

// run is one diagnosis on its way: the findings so far and what later steps need of
// earlier ones.
type run struct {
	Options
	*exchanger
	list
	target Target
	// page is what visitors ask for, given the site's address as it was asked for, home
	// where it really is after redirects. The latter two end in a slash.
	page, given, home *url.URL
	// reached says that a connection is possible.
	reached bool
	// door is where XML-RPC answers; empty when nowhere.
	door string
	// api is where the REST API is, empty when it is not; claimed the address that the
	// site itself believes to have.
	api, claimed string
	// hasREST says that the API has Jetpack's namespace.
	hasREST bool
	// clock is how far the site's clock is ahead.
	clock    time.Duration
	hasClock bool
}

// siteOf gives the address of the site that a URL belongs to: people paste xmlrpc.php,
// wp-admin and pages.
func siteOf(u *url.URL) *url.URL {
	home := *u
	home.RawQuery, home.ForceQuery, home.RawPath = "", false, ""
	for _, part := range []string{"/xmlrpc.php", "/wp-admin", "/wp-json", "/wp-login.php", "/index.php"} {
		if at := strings.Index(home.Path+"/", part+"/"); at >= 0 {
			home.Path = home.Path[:at]
		}
	}
	home.Path = strings.TrimRight(home.Path, "/") + "/"
	return &home
}

// toASCII writes the host as it is called and signed.
func toASCII(u *url.URL) {
	host, err := idna.Lookup.ToASCII(u.Hostname())
	if err != nil || host == "" || strings.Contains(u.Hostname(), ":") {
		return // an address, or a name of the wild; the check engine judges it
	}
	if port := u.Port(); port != "" {
		host += ":" + port
	}
	u.Host = host
}

// at is an address below the site's.
func (r *run) at(path string) string {
	return strings.TrimSuffix(r.home.String(), "/") + path
}

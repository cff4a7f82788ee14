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

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/jetpack/block"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/mistake"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
)

// Defaults of Options.
const (
	DefaultMetadataURL = "https://public-api.wordpress.com/"
	DefaultUserAgent   = "jetmon/3.0 (Jetpack Site Uptime Monitor by WordPress.com)"
	// defaultStepTimeout is Jetpack's own patience.
	defaultStepTimeout = 10 * time.Second
	defaultTimeout     = 90 * time.Second
	defaultPause       = 250 * time.Millisecond
)

// Options of a Diagnoser. Only Prober is required.
type Options struct {
	// Prober probes as checks do; its address policy also decides where calls may go.
	Prober Prober
	// RootCAs are the issuers to trust in calls; nil means the machine's.
	RootCAs *x509.CertPool
	// MetadataURL is the base URL of WordPress.com's public API; NoMetadata skips it.
	MetadataURL string
	// UserAgent is sent with calls. Firewalls may treat user agents differently.
	UserAgent string
	// StepTimeout limits one step, Timeout the whole diagnosis.
	StepTimeout, Timeout time.Duration
	// Pause is the time between signed calls while one that was refused is explained.
	Pause time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// withDefaults returns o with a value for each field that has a default.
func (o Options) withDefaults() Options {
	o.MetadataURL = cmp.Or(o.MetadataURL, DefaultMetadataURL)
	o.UserAgent = cmp.Or(o.UserAgent, DefaultUserAgent)
	o.StepTimeout = cmp.Or(o.StepTimeout, defaultStepTimeout)
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	o.Pause = cmp.Or(o.Pause, defaultPause)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// NoMetadata as the MetadataURL makes the diagnosis skip WordPress.com.
const NoMetadata = "none"

// Diagnoser diagnoses sites. It is safe for concurrent use.
type Diagnoser struct{ o Options }

// New makes a Diagnoser.
func New(o Options) (*Diagnoser, error) {
	if o.Prober == nil {
		return nil, errors.New("jetpack: a diagnosis needs a prober")
	}
	o = o.withDefaults()
	if o.MetadataURL != NoMetadata {
		u, err := check.ParseURL(o.MetadataURL)
		if err != nil {
			return nil, fmt.Errorf("jetpack: the address of the public API %w", err)
		}
		o.MetadataURL = strings.TrimSuffix(u.String(), "/") + "/"
	}
	return &Diagnoser{o}, nil
}

// Target is the site to diagnose.
type Target struct {
	// URL is the address of the site.
	URL string
	// Blog and User are tokens that the site stores; without them no call is signed.
	Blog, User signature.Credential
	// Others are further tokens, of which the site may store one instead.
	Others []signature.Credential
	// Found, when not nil, gets each finding as it is made. Later steps may explain it otherwise: the
	// report has what counts.
	Found func(Finding)
}

// Diagnose does all steps. Faults of the site are in the report; the error is only about
// the target's URL. When ctx ends, Diagnose skips the remaining steps.
func (d *Diagnoser) Diagnose(ctx context.Context, t Target) (*Report, error) {
	parsed, err := check.ParseURL(t.URL)
	if err != nil {
		return nil, fmt.Errorf("url %w", err)
	}
	home := parsed.Std()
	ctx, cancel := context.WithTimeout(ctx, d.o.Timeout)
	defer cancel()
	page, home := home, siteOf(home)
	if strings.TrimSuffix(page.Path, "/")+"/" != home.Path {
		page = home // the given URL is not a page for visitors
	}
	r := &run{list: list{found: t.Found}, Options: d.o, exchanger: newExchanger(d.o), target: t, page: page, given: home, home: home, files: home}
	defer r.exchanger.close()
	start := d.o.Now()
	for _, s := range []struct {
		section Section
		steps   func(context.Context)
	}{
		{SectionWayIn, r.wayIn}, {SectionXMLRPC, r.endpoint}, {SectionJetpack, r.calls},
		{SectionMetadata, r.metadata}, {SectionSync, r.sync}, {SectionSync, r.modules},
	} {
		r.section = s.section
		s.steps(ctx)
	}
	report := &Report{URL: r.home.String(), Given: t.URL, From: r.from, Requests: r.sent, Start: start, Took: d.o.Now().Sub(start), Findings: r.findings}
	report.conclude()
	return report, nil
}

// run is one diagnosis in progress: the findings so far, and what earlier steps learned
// for later ones.
type run struct {
	Options
	*exchanger
	list
	target Target
	// page is the URL for visitors, given the site's address as the caller gave it, and home
	// the site's address after redirects; files is that of WordPress's files, which may be
	// below it. All but the first end in a slash.
	page, given, home, files *url.URL
	// front is what the home page says, about what the REST API's index says.
	front front
	about index
	// reached is true when a connection is possible.
	reached bool
	// door is the URL at which XML-RPC answers; empty when none does.
	door string
	// shut is why xmlrpc.php cannot read calls; nil when it can.
	shut *block.Verdict
	// api is the REST API's URL, empty when there is none; claimed is the address that the
	// site itself claims.
	api, claimed string
	// hasREST is true when the API has Jetpack's namespace; closed is the code with which it
	// refuses strangers.
	hasREST bool
	closed  string
	// clock is how far the site's clock is ahead, if hasClock; ownClock is true when PHP itself
	// says so.
	clock              time.Duration
	hasClock, ownClock bool
	// noSignature is why no signature can be good; nil when it may be.
	noSignature *cause.Cause
	// misled is how the site misunderstands calls, as far as an accepted one proves it, and
	// provenClock what that says of its clock, whose cause is clockCause. signedNow is true when it accepts the present
	// time.
	misled      mistake.Mistake
	provenClock *mistake.Clock
	clockCause  cause.Cause
	signedNow   bool
}

// siteOf returns the address of the site that a URL belongs to: people paste URLs of
// xmlrpc.php, wp-admin and pages.
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

// at returns the URL of a path below the site's address.
func (r *run) at(path string) string {
	return strings.TrimSuffix(r.home.String(), "/") + path
}

// xmlrpcURL returns the URL of xmlrpc.php.
func (r *run) xmlrpcURL() string { return strings.TrimSuffix(r.files.String(), "/") + "/xmlrpc.php" }

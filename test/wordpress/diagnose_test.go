//go:build wordpress

package wordpress

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/test/fakesite"
)

// maxRequests is how many requests a diagnosis may make.
const maxRequests = 40

// known starts a WordPress.com that knows a site.
func known(t testing.TB, s *Site) string {
	t.Helper()
	name := s.Host
	if path := strings.Trim(s.Home, "/"); path != "" {
		name += "::" + strings.ReplaceAll(path, "/", "::")
	}
	com := httptest.NewServer(&fakejetpack.WordPressCom{Sites: map[string]fakejetpack.Metadata{
		name: {ID: 12345, URL: strings.TrimSuffix(s.URL, "/"), Jetpack: true, XMLRPC: s.CoreURL + "xmlrpc.php"},
	}})
	t.Cleanup(com.Close)
	return com.URL + "/"
}

// diagnosis is how a diagnosis is asked for.
type diagnosis struct {
	// url is the address that is given; empty means the site's.
	url string
	// blog and user are stored tokens; empty means the site's, and - none.
	blog, user string
	unsigned   bool
}

// diagnose diagnoses a site, and fails the test when that makes too many requests, changes
// the site, or shows a token.
func diagnose(t testing.TB, s *Site, d diagnosis) *jetpack.Report {
	t.Helper()
	dns := fakesite.NewDNS(t)
	for _, name := range []string{s.Host, "www." + s.Host} {
		dns.Host(name, s.IP)
	}
	prober, err := probe.New(probe.Options{AllowPrivate: true, Resolver: dns.Addr(), RootCAs: s.Roots})
	if err != nil {
		t.Fatal(err)
	}
	defer prober.Close()
	diagnoser, err := jetpack.New(jetpack.Options{Prober: prober, RootCAs: s.Roots, MetadataURL: known(t, s), StepTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	target := jetpack.Target{URL: s.URL}
	if d.url != "" {
		target.URL = strings.ReplaceAll(d.url, "HOST", s.Host)
	}
	if d.blog == "" {
		d.blog = BlogToken
	}
	if d.user == "" {
		d.user = UserToken
	}
	if !d.unsigned {
		target.Blog = token(t, d.blog)
		if d.user != "-" {
			target.User = token(t, d.user)
		}
	}
	// What the first visit writes is not the diagnosis's doing.
	for _, path := range []string{"", "wp-json/"} {
		visit(t, s, path)
	}
	before := s.Stored(t)
	s.Visits(t)
	report, err := diagnoser.Diagnose(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	visits := s.Visits(t)
	if len(visits) > maxRequests {
		t.Errorf("%d requests, at most %d are allowed:\n%s", len(visits), maxRequests, strings.Join(visits, "\n"))
	}
	// A clock that moves makes all of cron's work due.
	if after := s.Stored(t); after != before && s.clock == "" {
		t.Errorf("the site changed:\n%s", changed(before, after))
	}
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"bl0gs3cret", "us3rs3cret"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the report shows a token: %s", text)
		}
	}
	t.Logf("%d requests in %.1f s\n%s", len(visits), report.Took.Seconds(), findings(report))
	return report
}

// visit is a visitor who does not mind what comes.
func visit(t testing.TB, s *Site, path string) {
	t.Helper()
	dialer := &net.Dialer{}
	c := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: s.Roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			return dialer.DialContext(ctx, network, net.JoinHostPort(s.IP, port))
		},
	}}
	if resp, err := c.Get(s.URL + path); err == nil {
		_ = resp.Body.Close()
	}
}

// changed returns the lines that only one of two texts has.
func changed(before, after string) string {
	var out strings.Builder
	for line := range strings.Lines(before) {
		if !strings.Contains(after, line) {
			out.WriteString("- " + line)
		}
	}
	for line := range strings.Lines(after) {
		if !strings.Contains(before, line) {
			out.WriteString("+ " + line)
		}
	}
	return out.String()
}

func findings(r *jetpack.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %s [%s] %s | %s | %s | %s\n", f.Verdict, f.Check, f.Cause, f.Seen, f.Means, f.Do, f.Host)
	}
	return b.String() + r.Conclusion
}

func TestAHealthySiteOfEachLayoutGivesNoWarning(t *testing.T) {
	for name, o := range layouts() {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, o)
			if o.TLS && o.Proxy {
				s.Config(t, "if ( 'https' === ( $_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '' ) ) { $_SERVER['HTTPS'] = 'on'; }")
			}
			d := diagnosis{}
			if o.SiteOnly {
				d.user = "-"
			}
			for _, unsigned := range []bool{false, true} {
				d.unsigned = unsigned
				r := diagnose(t, s, d)
				if len(r.Causes) > 0 {
					t.Errorf("signed %t: a healthy site is warned of:\n%s", !unsigned, findings(r))
				}
			}
		})
	}
}

// layouts are the ways in which healthy sites are laid out.
func layouts() map[string]Options {
	return map[string]Options{
		"in the root":                    {},
		"files in a directory":           {Core: "/blog/"},
		"wholly in a directory":          {Home: "/sub/"},
		"plain permalinks":               {Plain: true},
		"https":                          {TLS: true},
		"a name":                         {Host: "shop.example.org"},
		"behind a proxy with the port":   {Proxy: true, Forwards: "proxy_set_header X-Forwarded-Port 80;"},
		"behind a proxy that ends https": {TLS: true, Proxy: true, Forwards: "proxy_set_header X-Forwarded-Proto https; proxy_set_header X-Forwarded-Port 443;"},
		"without an owner":               {SiteOnly: true},
		"a standalone plugin":            {Standalone: true},
	}
}

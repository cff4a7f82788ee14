package jetpack

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/jetpack/block"
)

// The steps of section 1.
const (
	checkDNS       = "dns"
	checkTCP       = "tcp"
	checkTLS       = "tls"
	checkRedirects = "redirects"
	checkAnswer    = "head_and_get"
	checkFirewall  = "firewall_page"
	checkIPv6      = "ipv6"
)

// wayIn probes the given page by HEAD and GET, as checks do.
func (r *run) wayIn(ctx context.Context) {
	ask := func(m check.Method, p check.RedirectPolicy) (check.Observation, error) {
		return r.probe(ctx, check.Target{URL: r.page.String(), Settings: check.Settings{Method: m, RedirectPolicy: p}})
	}
	get, err := ask(check.MethodGet, check.RedirectFollow)
	first := get
	if err == nil && len(get.Hops) > 0 {
		// The probe measured only the last host, so probe the first one too.
		first, err = ask(check.MethodGet, check.RedirectFail)
	}
	if err != nil {
		r.skipAll(err.Error(), checkDNS, checkTCP, checkTLS, checkRedirects, checkAnswer, checkFirewall, checkIPv6)
		return
	}
	r.network(first)
	if !r.reached {
		r.skipAll("there is no connection", checkRedirects, checkAnswer, checkFirewall, checkIPv6)
		return
	}
	r.follow(get)
	if head, err := ask(check.MethodHead, check.RedirectFollow); err != nil {
		r.skip(checkAnswer, err.Error())
	} else {
		r.compare(head, get)
	}
	r.firewall(get)
	r.ipv6(get)
	r.locate(ctx)
}

// locate finds out whether the given path is WordPress's directory or a page of a site
// above it.
func (r *run) locate(ctx context.Context) {
	if r.home.Path == "/" {
		return
	}
	root := *r.home
	root.Path = "/"
	if r.isDoor(ctx, root.String()+"xmlrpc.php") && !r.isDoor(ctx, r.at("/xmlrpc.php")) {
		r.home = &root
	}
}

// isDoor reports whether WordPress itself answers at a URL.
func (r *run) isDoor(ctx context.Context, at string) bool {
	got, err := r.send(ctx, request{method: http.MethodGet, url: at})
	return err == nil && got.failure == "" && block.OfGet(got.Answer).Kind == block.Open
}

func (r *run) skipAll(why string, checks ...string) {
	for _, c := range checks {
		r.skip(c, why)
	}
}

// network adds the findings about the connection: DNS, TCP, TLS.
func (r *run) network(o check.Observation) {
	steps := []struct {
		name  string
		phase check.Phase
		kind  check.FailureKind
		seen  string
	}{
		{checkDNS, check.PhaseDNS, check.FailureDNS, dnsSeen(r.given, o)},
		{checkTCP, check.PhaseConnect, check.FailureConnect, fmt.Sprintf("connected to %s in %s", o.ResolvedAddress, milliseconds(o.Timing.Connect))},
		{checkTLS, check.PhaseTLS, check.FailureTLS, ""},
	}
	failed := false
	for _, s := range steps {
		switch {
		case failed:
			r.skip(s.name, "the step before failed")
		case o.Failure != check.FailureNone && o.Phase <= s.phase && o.Outcome != check.OutcomeUp:
			failed = true
			r.networkFailure(s.name, o)
		case s.name == checkTLS:
			r.tls(o)
		default:
			r.pass(s.name, s.seen)
		}
	}
	r.reached = !failed
}

func dnsSeen(u *url.URL, o check.Observation) string {
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return u.Hostname() + " is an address, not a name"
	}
	return fmt.Sprintf("%s was resolved in %s", u.Hostname(), milliseconds(o.Timing.DNS))
}

func (r *run) networkFailure(name string, o check.Observation) {
	f := Finding{Check: name, Verdict: Fail, Cause: name + "_" + o.Reason, Seen: explainFailure(o)}
	switch {
	case o.Failure == check.FailurePolicy, o.Reason == "unroutable":
		f.Cause = "private_address"
		f.Means = "The address is not one of the public Internet, so WordPress.com cannot reach the site."
		f.Do = "Give the site a public address and name; to diagnose a private one, allow private addresses (--allow-private)."
	case name == checkDNS:
		f.Means = "The site's name cannot be resolved, so nobody can find the site."
		f.Do = "Check the domain's name servers and records (dig " + r.given.Hostname() + "), and whether the domain has expired."
	case name == checkTCP:
		f.Means = "The server cannot be reached: it is off, or a firewall is in the way."
		f.Do = "Check that the web server runs and listens on the port, and that the firewall lets everybody in."
	case name == checkTLS:
		f.Means = "The TLS handshake fails, so WordPress.com does not get as far as HTTP: " + o.Reason + "."
		f.Do = "Renew or complete the certificate (full chain, right host name), and check the TLS settings of server and CDN."
	}
	r.add(f)
}

func (r *run) tls(o check.Observation) {
	if r.given.Scheme != "https" && o.CertificateExpire.IsZero() {
		r.skip(checkTLS, "the address is plain http")
		return
	}
	seen := fmt.Sprintf("certificate valid until %s, handshake in %s", o.CertificateExpire.Format("2006-01-02"), milliseconds(o.Timing.TLS))
	f := Finding{Check: checkTLS, Verdict: Warn, Seen: seen}
	switch {
	case slices.Contains(o.Advisories, check.AdvisoryTLSExpiring):
		f.Cause, f.Means = "tls_expiring", "The certificate expires soon; then all calls will fail."
		f.Do = "Find out why it is not renewed (certbot renew --dry-run)."
	case slices.Contains(o.Advisories, check.AdvisoryTLSDeprecated):
		f.Cause, f.Means = "tls_deprecated", "The server speaks only old versions of TLS, which callers are dropping one after another."
		f.Do = "Turn on TLS 1.2 and 1.3."
	default:
		f.Verdict = Pass
	}
	r.add(f)
}

// follow adds the finding about redirects, and moves the diagnosis to their target.
func (r *run) follow(o check.Observation) {
	if o.Failure == check.FailureRedirect {
		f := Finding{Check: checkRedirects, Verdict: Fail, Cause: "redirect_" + o.Reason, Seen: explainFailure(o) + hopsSeen(o),
			Means: "The home page redirects to where no caller can go.",
			Do:    "Make home and siteurl (Settings > General) match the redirects of server and CDN; behind a proxy pass X-Forwarded-Proto."}
		if o.Reason == "loop" || o.Reason == "too_many" {
			f.Means = "The home page redirects endlessly, so no caller arrives."
		}
		r.add(f)
		return
	}
	if len(o.Hops) == 0 {
		r.pass(checkRedirects, "none")
		return
	}
	if o.Failure != check.FailureNone && o.Phase <= check.PhaseTLS {
		r.add(Finding{Check: checkRedirects, Verdict: Fail, Cause: "redirect_target", Seen: strings.TrimPrefix(hopsSeen(o), ": ") + ", where " + explainFailure(o),
			Means: "The home page redirects to an address that cannot be reached.",
			Do:    "Set home and siteurl (Settings > General) to an address that works, or repair the one redirected to."})
		return
	}
	target, err := check.ParseURL(o.Hops[len(o.Hops)-1].URL)
	last := target.Std()
	if err != nil || last.Scheme == r.given.Scheme && last.Host == r.given.Host {
		// The redirect stays within the site, as to a language; xmlrpc.php does not move.
		r.pass(checkRedirects, "within the site"+hopsSeen(o))
		return
	}
	moved := *r.given
	moved.Scheme, moved.Host = last.Scheme, last.Host
	r.home = &moved
	r.add(Finding{Check: checkRedirects, Verdict: Warn, Cause: "redirected", Seen: strings.TrimPrefix(hopsSeen(o), ": "),
		Means: "The site is at " + r.home.String() + ". Calls to " + r.given.String() + " are lost: a redirected POST becomes a GET, and signed calls are not repeated.",
		Do:    "Make sure that home and siteurl, and through them WordPress.com, have the address " + strings.TrimSuffix(r.home.String(), "/") + "."})
}

func hopsSeen(o check.Observation) string {
	var b strings.Builder
	for i, h := range o.Hops {
		if i == 5 {
			b.WriteString(", ...")
			break
		}
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%d to %s", sep, h.Status, withoutQuery(h.URL))
	}
	return b.String()
}

// compare compares the results of HEAD and GET.
func (r *run) compare(head, get check.Observation) {
	seen := "HEAD " + explainOutcome(head) + ", GET " + explainOutcome(get)
	f := Finding{Check: checkAnswer, Seen: seen}
	switch {
	case get.Outcome == check.OutcomeUp && head.Outcome == check.OutcomeUp:
		f.Verdict = Pass
	case get.Outcome == check.OutcomeUp:
		f.Verdict, f.Cause = Warn, "head_refused"
		f.Means = "HEAD fails where GET works: monitors that use HEAD see the site as down."
		f.Do = "Let HEAD through in the web server, firewall and plugins."
	case get.Outcome == check.OutcomeUnknown:
		f.Verdict = Skipped
	case get.HTTPStatus == http.StatusUnauthorized:
		f.Verdict, f.Cause = Fail, "basic_auth"
		f.Means = "HTTP authentication guards the site: WordPress.com has no password for it."
		f.Do = "Exempt /xmlrpc.php and /wp-json from the password (Satisfy Any, auth_basic off)."
	case get.Failure == check.FailureRedirect, get.Failure == check.FailureBlocked:
		f.Verdict = Skipped // another finding has it
	default:
		f.Verdict, f.Cause = Fail, "home_"+strings.ToLower(get.Reason)
		if get.Reason == "" {
			f.Cause = "home_fails"
		}
		f.Means = "The home page fails: " + explainFailure(get) + "."
		f.Do = "Look for the reason in the logs of the web server and PHP."
	}
	r.add(f)
}

func (r *run) firewall(o check.Observation) {
	switch {
	case o.Failure == check.FailureBlocked:
		r.add(Finding{Check: checkFirewall, Verdict: Fail, Cause: "firewall", Seen: explainFailure(o),
			Means: "A firewall answers instead of the site (" + o.Reason + ").",
			Do:    "Let WordPress.com's address ranges (https://jetpack.com/ips-v4.txt) and Jetmon's through."})
	case o.Outcome == check.OutcomeUp:
		r.pass(checkFirewall, "the home page does not come from a firewall")
	default:
		r.skip(checkFirewall, "the home page fails")
	}
}

func (r *run) ipv6(o check.Observation) {
	addr, err := netip.ParseAddrPort(o.ResolvedAddress)
	switch {
	case slices.Contains(o.Advisories, check.AdvisoryIPv6Broken):
		r.add(Finding{Check: checkIPv6, Verdict: Warn, Cause: "ipv6_broken", Seen: "IPv6 does not connect, IPv4 does",
			Means: "The name has an IPv6 address that does not answer: callers that prefer IPv6 wait or fail.",
			Do:    "Make the server listen on IPv6, or remove the AAAA record."})
	case err == nil && addr.Addr().Is6():
		r.pass(checkIPv6, "connected over IPv6")
	default:
		r.pass(checkIPv6, "connected over IPv4; no broken IPv6 address is in the way")
	}
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// explainOutcome describes an observation in a few words.
func explainOutcome(o check.Observation) string {
	if o.Outcome == check.OutcomeUp {
		return fmt.Sprintf("%d", o.HTTPStatus)
	}
	return explainFailure(o)
}

// explainFailure describes a failure in words.
func explainFailure(o check.Observation) string {
	var parts []string
	if o.HTTPStatus != 0 {
		parts = append(parts, fmt.Sprintf("%d", o.HTTPStatus))
	}
	if o.Reason != "" && o.Reason != fmt.Sprintf("http_%d", o.HTTPStatus) {
		parts = append(parts, strings.ReplaceAll(o.Reason, "_", " "))
	}
	if o.Detail != "" {
		parts = append(parts, "("+o.Detail+")")
	}
	if len(parts) == 0 {
		return "failed"
	}
	return strings.Join(parts, " ")
}

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
	"github.com/Automattic/jetmon/internal/jetpack/cause"
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

// wayIn probes the given page by HEAD and GET, as checks do, and looks where WordPress is.
func (r *run) wayIn(ctx context.Context) {
	all := []string{checkDNS, checkTCP, checkTLS, checkRedirects, checkAnswer, checkFirewall, checkIPv6}
	ask := func(at string, m check.Method, p check.RedirectPolicy) (check.Observation, error) {
		return r.probe(ctx, check.Target{URL: at, Settings: check.Settings{Method: m, RedirectPolicy: p}})
	}
	get, err := ask(r.page.String(), check.MethodGet, check.RedirectFollow)
	first := get
	if err == nil && len(get.Hops) > 0 {
		// The probe measured only the last host, so probe the first one too.
		first, err = ask(r.page.String(), check.MethodGet, check.RedirectFail)
	}
	if err == nil && first.Outcome == check.OutcomeUnknown && first.Failure == check.FailureNone {
		err = errNoTime
	}
	if err != nil {
		r.skipAll(err.Error(), all...)
		return
	}
	r.network(first)
	if !r.reached {
		r.skipAll("there is no connection", all[3:]...)
		return
	}
	end := r.follow(get)
	if hangs := get.Failure == check.FailureTimeout; hangs {
		r.front = front{Verdict: block.Of(block.Timeout), seen: true, reply: reply{failure: block.Timeout, why: explainFailure(get)}}
	} else {
		r.look(ctx, end)
	}
	r.locate(ctx)
	if r.home.Path != r.given.Path && r.front.seen && r.front.Kind == block.Missing {
		// The given path is no page, as that of WordPress's files below its home.
		if at, err := ask(r.home.String(), check.MethodGet, check.RedirectFollow); err == nil {
			get, end = at, r.home.String()
			r.look(ctx, end)
		}
	}
	r.redirects(ctx, get)
	switch get.Failure {
	case check.FailureRedirect:
		r.skip(checkAnswer, "the redirects lead nowhere")
	case check.FailureTimeout:
		r.show(checkAnswer, Fail, r.front.Cause, "GET "+explainFailure(get))
	default:
		if head, err := ask(end, check.MethodHead, check.RedirectFail); err != nil {
			r.skip(checkAnswer, err.Error())
		} else {
			r.compare(head, get)
		}
	}
	r.firewall(get)
	r.ipv6(get)
}

// look fetches the home page once more, for its text: the engine tells what it makes of it
// only. End is where its redirects led.
func (r *run) look(ctx context.Context, end string) {
	got, err := r.send(ctx, request{method: http.MethodGet, url: end})
	switch {
	case err != nil:
		r.front.why = err.Error()
		return
	case got.failure != "":
		r.front.Verdict = block.Of(got.failure)
	case strings.Contains(end, "/wp-login.php") && !strings.Contains(r.page.Path, "wp-login"):
		r.front.Verdict = block.Of(block.LoginWall)
	default:
		r.front.Verdict = block.OfPage(got.Answer)
	}
	if r.front.Kind == block.Missing {
		r.front.Cause = homeMissing
	}
	r.front.reply, r.front.seen = got, true
	if r.front.Kind.IsWhole() {
		r.front.Weight = cause.Whole
	}
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
	seen := explainFailure(o)
	switch {
	case isOurs(o):
		r.show(name, Warn, wayCause("", o.Reason, nil), seen)
	case o.Failure == check.FailurePolicy, o.Reason == "unroutable":
		r.show(name, Fail, privateAddress, seen)
	case name == checkDNS:
		r.show(name, Fail, wayCause(checkDNS, o.Reason, dnsTexts), seen)
	case name == checkTCP:
		r.show(name, Fail, wayCause(checkTCP, o.Reason, tcpTexts), seen)
	default:
		r.show(name, Fail, wayCause(checkTLS, o.Reason, tlsTexts), seen)
	}
}

func (r *run) tls(o check.Observation) {
	if r.given.Scheme != "https" && o.CertificateExpire.IsZero() {
		r.skip(checkTLS, "the address is plain http")
		return
	}
	seen := fmt.Sprintf("certificate valid until %s, handshake in %s", o.CertificateExpire.Format("2006-01-02"), milliseconds(o.Timing.TLS))
	switch {
	case slices.Contains(o.Advisories, check.AdvisoryTLSExpiring):
		r.show(checkTLS, Warn, expiringCertificate, seen)
	case slices.Contains(o.Advisories, check.AdvisoryTLSDeprecated):
		r.show(checkTLS, Warn, oldTLS, seen)
	default:
		r.pass(checkTLS, seen)
	}
}

// follow moves the diagnosis to where the home page's redirects lead, and returns the URL of
// the page at their end.
func (r *run) follow(o check.Observation) (end string) {
	if len(o.Hops) == 0 || o.Failure == check.FailureRedirect || o.Failure != check.FailureNone && o.Phase <= check.PhaseTLS {
		return r.page.String()
	}
	end = o.Hops[len(o.Hops)-1].URL
	target, err := check.ParseURL(end)
	if err != nil {
		return r.page.String()
	}
	if last := target.Std(); last.Scheme != r.given.Scheme || last.Host != r.given.Host {
		moved := *r.given
		moved.Scheme, moved.Host = last.Scheme, last.Host
		r.home = &moved
	}
	return end
}

// redirects adds the finding about redirects.
func (r *run) redirects(ctx context.Context, o check.Observation) {
	hops := strings.TrimPrefix(hopsSeen(o), ": ")
	switch {
	case o.Failure == check.FailureRedirect:
		r.show(checkRedirects, Fail, wayCause("redirect", o.Reason, redirectTexts), explainFailure(o)+hopsSeen(o))
	case len(o.Hops) == 0:
		r.pass(checkRedirects, "none")
	case o.Failure != check.FailureNone && o.Phase <= check.PhaseTLS:
		r.show(checkRedirects, Fail, wayCause("redirect", "target", redirectTexts), hops+", where "+explainFailure(o))
	case r.home.Scheme == r.given.Scheme && r.home.Host == r.given.Host:
		// The redirect stays within the site, as to a language; xmlrpc.php does not move.
		r.pass(checkRedirects, "within the site"+hopsSeen(o))
	default:
		r.moved(ctx, hops)
	}
}

// moved adds the finding about redirects to another address of the site. WordPress itself
// redirects pages alone: xmlrpc.php then answers at the given address all the same.
func (r *run) moved(ctx context.Context, hops string) {
	door := *r.files
	door.Scheme, door.Host = r.given.Scheme, r.given.Host
	got, err := r.call(ctx, strings.TrimSuffix(door.String(), "/")+"/xmlrpc.php", "demo.sayHello")
	if err == nil && got.Kind == block.Open {
		r.pass(checkRedirects, hops+"; pages only: calls to the given address are answered")
		return
	}
	c := movedSite
	c.Means = "The site is at " + r.home.String() + ". " + c.Means
	if r.claimed != "" && !r.claims(r.home) {
		c.Weight = cause.Blocking
	}
	r.show(checkRedirects, Warn, c, hops)
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

// compare compares the results of HEAD and GET, and says what is wrong with the home page.
func (r *run) compare(head, get check.Observation) {
	seen := "HEAD " + explainOutcome(head) + ", GET " + explainOutcome(get)
	works := get.Outcome == check.OutcomeUp
	switch {
	case r.front.isRefused():
		r.skip(checkAnswer, "see the next line")
	case r.front.Kind.IsWhole(), !works && r.front.seen && r.front.Kind != block.Open:
		r.show(checkAnswer, Fail, r.front.Cause, seen+"; "+r.front.reply.seen())
	case works && head.Outcome == check.OutcomeUp:
		r.pass(checkAnswer, seen)
	case works:
		r.show(checkAnswer, Warn, headRefused, seen)
	case get.Outcome == check.OutcomeUnknown, get.Failure == check.FailureBlocked:
		r.skip(checkAnswer, seen)
	default:
		r.show(checkAnswer, Fail, homeRefuses, seen)
	}
}

// firewall says who answers instead of the home page.
func (r *run) firewall(o check.Observation) {
	switch {
	case r.front.isRefused():
		r.show(checkFirewall, Fail, r.front.Cause, "GET "+r.home.String()+": "+r.front.reply.seen())
	case o.Failure == check.FailureBlocked:
		r.show(checkFirewall, Fail, block.ByReason(o.Reason).Cause, explainFailure(o))
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
		r.show(checkIPv6, Warn, brokenIPv6, "IPv6 does not connect, IPv4 does")
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

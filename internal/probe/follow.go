package probe

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// attempt is one method tried on a site through all redirects: its progress and its result.
type attempt struct {
	*Prober
	target  *check.Target
	method  check.Method
	carried requestState
	seen    map[string]struct{}

	// The result.
	failure *failure
	trace   trace
	head    head
	hops    []check.Hop
	// note is the Observation's detail when the attempt succeeds.
	note string
	// pageState and advisories are what the attempt saw of the page.
	pageState  check.PageState
	advisories []check.Advisory
	took       time.Duration
}

// verb is the method on the wire.
func (a *attempt) verb() string {
	if a.method == check.MethodGet {
		return "GET"
	}
	return "HEAD"
}

// run sends the attempt's method to the site and follows redirects to the final response.
func (a *attempt) run(j *job) {
	a.Prober, a.target = j.prober, &j.target
	a.carried.home, a.carried.headers = j.home, j.target.Headers
	start := time.Now()
	defer a.end(start)
	a.failure = a.follow(j.ctx, j.home)
}

// end, deferred by run, completes the attempt. It catches panics itself, because a late
// GET runs in a goroutine that Probe's own recover does not cover.
func (a *attempt) end(start time.Time) {
	if v := recover(); v != nil {
		a.failure = panicked(v)
	}
	if a.failure != nil {
		a.trace.dropIPv6()
	}
	a.took = since(start)
}

func (a *attempt) follow(ctx context.Context, here *place) *failure {
	for {
		next, f := a.step(ctx, here)
		if f != nil {
			a.resolver.Forget(here.host) // the next check of a failing site asks anew
		}
		if f != nil && len(a.hops) > 0 {
			f.detail = strings.TrimSuffix("at "+here.shown()+": "+f.detail, ": ")
		}
		if f != nil || next == nil {
			return f
		}
		if here.tls && !next.tls {
			a.note = "redirected from https to http"
		}
		here = next
	}
}

// step does one exchange. It returns the next place when the response is a redirect.
func (a *attempt) step(ctx context.Context, here *place) (next *place, f *failure) {
	addrs, f := a.resolve(ctx, here)
	if f != nil {
		return nil, f
	}
	a.trace.dropIPv6() // only the last place's IPv6 counts
	resp, f := a.engine.exchange(ctx, &request{
		place: here, addrs: addrs, wantsBody: a.method == check.MethodGet,
		lenient: a.target.TLSErrors == check.TLSErrorsAdvise,
		wire:    wire(a.verb(), here, a.carried.headersFor(here), a.cookiesFor(here)),
	}, &a.trace)
	if f != nil {
		if f.kind == check.FailurePolicy {
			f = a.unroutable(here, f)
		}
		return nil, f
	}
	defer resp.close()
	a.head = resp.head
	if !isRedirect(resp.head.status) {
		return nil, a.judge(ctx, resp)
	}
	return a.redirect(here, resp.head)
}

// unroutable returns what it says about the site that all addresses of a place are refused.
// Where the site's own answers lead only there, its DNS or its redirect, the public cannot
// visit it. What the target itself names, or this machine's hosts file, tells nothing.
func (a *attempt) unroutable(here *place, f *failure) *failure {
	detail := here.host + " has no public address (" + f.reason + "): nobody on the Internet can go there"
	switch {
	case len(a.hops) > 0:
		a.trace.reach(check.PhaseResponse)
		return down(check.FailureRedirect, "unroutable", detail)
	case here.literal.IsValid(), here.isLocalhost(), a.resolver.Knows(here.host):
		return f
	}
	a.trace.reach(check.PhaseDNS)
	return down(check.FailureDNS, "unroutable", detail)
}

// cookiesFor is the value of the Cookie header for p, "" for none.
func (a *attempt) cookiesFor(p *place) string { return a.carried.cookies.header(p, a.now()) }

// redirect decides whether to follow a response that is a redirect.
func (a *attempt) redirect(here *place, h head) (next *place, f *failure) {
	if name := a.firewalls.byHeader(h); name != "" {
		return nil, down(check.FailureBlocked, name, "")
	}
	if a.target.RedirectPolicy == check.RedirectFail {
		return nil, down(check.FailureRedirect, "not_allowed",
			"redirected to "+printable(h.get("Location"), 150))
	}
	next, f = nextPlace(here, h)
	if f != nil {
		return nil, f
	}
	if len(a.hops) == check.MaxRedirects {
		return nil, down(check.FailureRedirect, "too_many",
			"more than "+strconv.Itoa(check.MaxRedirects)+" redirects")
	}
	if a.seen == nil {
		a.visit(here) // a check without redirects needs no map
	}
	a.carried.cookies.keep(here, h, a.now())
	a.hops = append(a.hops, check.Hop{Status: h.status, URL: printable(next.public().String(), maxHopBytes)})
	if a.visit(next) {
		return nil, down(check.FailureRedirect, "loop", "redirected in a loop to "+next.shown())
	}
	return next, nil
}

// visit records a request and reports whether it was made before: repeating it would get
// the same response. Cookies are part of the key, as some sites set one and try again.
func (a *attempt) visit(p *place) (again bool) {
	key := p.key() + "\n" + a.cookiesFor(p)
	if _, again = a.seen[key]; again {
		return true
	}
	if a.seen == nil {
		a.seen = make(map[string]struct{}, 2)
	}
	a.seen[key] = struct{}{}
	return false
}

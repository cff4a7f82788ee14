package probe

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// attempt is one method asked of a site, over all redirects: on its way, and at its end.
type attempt struct {
	*Prober
	target  *check.Target
	method  check.Method
	luggage luggage
	seen    map[string]struct{}

	// What came of it.
	failure *failure
	trace   trace
	head    head
	hops    []check.Hop
	// note is what is worth telling although all is well.
	note string
	took time.Duration
}

// verb is the method on the wire.
func (a *attempt) verb() string {
	if a.method == check.MethodGet {
		return "GET"
	}
	return "HEAD"
}

// run asks the site with the attempt's method and follows redirects to the final answer.
func (a *attempt) run(j *job) {
	a.Prober, a.target = j.prober, &j.target
	a.luggage.home, a.luggage.headers = j.home, j.target.Headers
	start := time.Now()
	defer a.end(start)
	a.failure = a.follow(j.ctx, j.home)
}

// end is deferred. It may run beside Probe, which cannot catch a panic then.
func (a *attempt) end(start time.Time) {
	if v := recover(); v != nil {
		a.failure = panicked(v)
	}
	if a.failure != nil {
		a.drop()
	}
	a.took = since(start)
}

// drop ends what still runs for an attempt that does not need it.
func (a *attempt) drop() {
	if a.trace.ipv6 != nil {
		a.trace.ipv6.finish()
		a.trace.ipv6 = nil
	}
}

func (a *attempt) follow(ctx context.Context, here *place) *failure {
	for {
		next, f := a.step(ctx, here)
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

// step does one exchange. It gives the next place when that was a redirect.
func (a *attempt) step(ctx context.Context, here *place) (next *place, f *failure) {
	addrs, f := a.resolve(ctx, here)
	if f != nil {
		return nil, f
	}
	a.drop() // only the last place's IPv6 is judged
	resp, f := a.engine.exchange(ctx, &request{
		place: here, addrs: addrs, wantsBody: a.method == check.MethodGet,
		wire: wire(a.verb(), here, a.luggage.headersFor(here), a.luggage.cookiesFor(here)),
	}, &a.trace)
	if f != nil {
		if f.kind == check.FailureConnect {
			a.resolver.forget(here.host)
		}
		return nil, f
	}
	defer resp.close()
	a.head = resp.head
	if !isRedirect(resp.head.status) {
		return nil, a.judge(resp)
	}
	return a.redirect(here, resp.head)
}

// resolve finds the addresses of a place.
func (a *attempt) resolve(ctx context.Context, here *place) ([]netip.Addr, *failure) {
	if here.literal.IsValid() {
		return []netip.Addr{here.literal}, nil
	}
	a.trace.reach(check.PhaseDNS)
	start := time.Now()
	addrs, f := a.resolver.lookup(ctx, here.host)
	a.trace.timing.DNS += since(start)
	return addrs, f
}

// redirect decides about an answer that leads elsewhere.
func (a *attempt) redirect(here *place, h head) (next *place, f *failure) {
	if name := a.guard.byHeader(h); name != "" {
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
		a.visit(here) // only of a check that is redirected
	}
	a.luggage.keep(here, h)
	a.hops = append(a.hops, check.Hop{Status: h.status, URL: printable(next.url.String(), maxHopBytes)})
	if a.visit(next) {
		return nil, down(check.FailureRedirect, "loop", "redirected in a loop to "+next.shown())
	}
	return next, nil
}

// visit notes a request and says whether it was made before: it would bring the same
// answer. Cookies are part of it, as some sites set one and try again.
func (a *attempt) visit(p *place) (again bool) {
	key := p.key() + "\n" + a.luggage.cookiesFor(p)
	if _, again = a.seen[key]; again {
		return true
	}
	if a.seen == nil {
		a.seen = make(map[string]struct{}, 2)
	}
	a.seen[key] = struct{}{}
	return false
}

// judge decides about a final answer.
func (a *attempt) judge(resp *response) *failure {
	h, wall := resp.head, a.guard.byHeader(resp.head)
	if a.method != check.MethodGet {
		return a.verdict(h, wall)
	}
	required, forbidden := newTexts(a.target.RequiredTexts), newTexts(a.target.ForbiddenTexts)
	marks := a.guard.marksFor(h.status)
	page, err := pageReport{readable: true}, error(nil)
	if limit := pageLimit(h, marks); limit > 0 && h.hasBody(a.verb()) {
		a.trace.reach(check.PhaseBody)
		page, err = readPage(h, resp.body, reading{rules: pair{required, forbidden}, marks: marks.texts, limit: limit})
	}
	if wall == "" {
		wall = marks.owner(h, page)
	}
	if f := a.verdict(h, wall); f != nil {
		return f
	}
	if err != nil {
		return bodyFailure(err)
	}
	return a.rules(required, forbidden, page)
}

// pageLimit is how much of a page is worth reading: of one that is a failure already, no
// more than tells whose it is.
func pageLimit(h head, m marks) int64 {
	switch {
	case h.status < 400:
		return maxDecoded
	case len(m.texts.want) > 0:
		return maxMarked
	}
	return 0
}

// verdict is what status and firewall come to, before the body's rules.
func (a *attempt) verdict(h head, wall string) *failure {
	code := "http_" + strconv.Itoa(h.status)
	switch {
	case wall != "":
		return down(check.FailureBlocked, wall, "the answer is that of a firewall")
	case h.status == 403:
		return down(check.FailureBlocked, code, "")
	case h.status >= 200 && h.status < 400:
		return nil
	case h.status >= 400 && h.status < 500:
		return down(check.FailureClient, code, "")
	case h.status >= 500 && h.status < 600:
		return down(check.FailureServer, code, "")
	}
	return down(check.FailureProtocol, string(errBadStatus), "HTTP status "+strconv.Itoa(h.status))
}

// rules puts a page to the site's body rules.
func (a *attempt) rules(required, forbidden *texts, page pageReport) *failure {
	const kind = check.FailureContent
	if len(required.want)+len(forbidden.want) == 0 {
		return nil
	}
	if !page.readable {
		return down(kind, "unreadable_encoding", "the body is encoded in a way that was not asked for")
	}
	where := ""
	if page.cut {
		where = " in the first " + strconv.Itoa(maxDecoded>>20) + " MiB"
	}
	for i, found := range forbidden.found {
		if found && a.target.ForbiddenTexts[i] != "" {
			return down(kind, "forbidden_text_present", "forbidden text found: "+a.target.ForbiddenTexts[i])
		}
	}
	for i, found := range required.found {
		if !found {
			return down(kind, "required_text_missing", "required text not found"+where+": "+a.target.RequiredTexts[i])
		}
	}
	return nil
}

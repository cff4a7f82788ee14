package probe

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// attempted is one method asked of a site, over all redirects, to its end.
type attempted struct {
	failure *failure
	method  check.Method
	trace   trace
	head    head
	hops    []check.Hop
	// note is what is worth telling although all is well.
	note string
	took time.Duration
}

// walk is one attempt on its way.
type walk struct {
	*Prober
	target  *check.Target
	method  string
	luggage luggage
	seen    map[string]struct{}
	got     *attempted
}

// attempt asks the site with a's method and follows redirects to the final answer.
func (p *Prober) attempt(ctx context.Context, t *check.Target, home place, a *attempted) {
	w := &walk{
		Prober: p, target: t, method: "HEAD", got: a,
		luggage: luggage{home: home, headers: t.Headers},
	}
	if a.method == check.MethodGet {
		w.method = "GET"
	}
	start := time.Now()
	defer func() {
		if v := recover(); v != nil { // may run beside Probe, which cannot catch it
			a.failure = panicked(v)
		}
		if a.failure != nil {
			a.drop()
		}
		a.took = since(start)
	}()
	a.failure = w.run(ctx, home)
}

// drop ends what still runs for an attempt that does not need it.
func (a *attempted) drop() {
	if a.trace.ipv6 != nil {
		a.trace.ipv6.finish()
		a.trace.ipv6 = nil
	}
}

func (w *walk) run(ctx context.Context, here place) *failure {
	for {
		next, more, f := w.step(ctx, here)
		if f != nil && len(w.got.hops) > 0 {
			f.detail = strings.TrimSuffix("at "+here.shown()+": "+f.detail, ": ")
		}
		if f != nil || !more {
			return f
		}
		if here.tls && !next.tls {
			w.got.note = "redirected from https to http"
		}
		here = next
	}
}

// step does one exchange; more says that it was a redirect to next.
func (w *walk) step(ctx context.Context, here place) (next place, more bool, f *failure) {
	cookies := w.luggage.cookiesFor(here)
	addrs, f := w.resolve(ctx, here)
	if f != nil {
		return place{}, false, f
	}
	w.got.drop() // only the last place's IPv6 is judged
	resp, f := w.engine.exchange(ctx, &request{
		place: here,
		addrs: addrs,
		wire:  wire(w.method, here, w.luggage.headersFor(here), cookies),

		wantsBody: w.method != "HEAD",
	}, &w.got.trace)
	if f != nil {
		if f.kind == check.FailureConnect {
			w.resolver.forget(here.host)
		}
		return place{}, false, f
	}
	defer resp.close()
	w.got.head = resp.head
	if !isRedirect(resp.head.status) {
		return place{}, false, w.judge(resp)
	}
	return w.redirect(here, resp.head)
}

// resolve finds the addresses of a place.
func (w *walk) resolve(ctx context.Context, here place) ([]netip.Addr, *failure) {
	if here.literal.IsValid() {
		return []netip.Addr{here.literal}, nil
	}
	w.got.trace.reach(check.PhaseDNS)
	start := time.Now()
	addrs, f := w.resolver.lookup(ctx, here.host)
	w.got.trace.timing.DNS += since(start)
	return addrs, f
}

// redirect decides about an answer that leads elsewhere.
func (w *walk) redirect(here place, h head) (next place, more bool, f *failure) {
	if name := w.guard.byHeader(h); name != "" {
		return place{}, false, down(check.FailureBlocked, name, "")
	}
	if w.target.RedirectPolicy == check.RedirectFail {
		return place{}, false, down(check.FailureRedirect, "not_allowed",
			"redirected to "+printable(h.get("Location"), 150))
	}
	next, f = nextPlace(here, h)
	if f != nil {
		return place{}, false, f
	}
	if len(w.got.hops) == check.MaxRedirects {
		return place{}, false, down(check.FailureRedirect, "too_many",
			"more than "+strconv.Itoa(check.MaxRedirects)+" redirects")
	}
	if w.seen == nil {
		w.visit(here) // only of a check that is redirected
	}
	w.luggage.keep(here, h)
	w.got.hops = append(w.got.hops, check.Hop{Status: h.status, URL: printable(next.url.String(), maxHopBytes)})
	if w.visit(next) {
		return place{}, false, down(check.FailureRedirect, "loop", "redirected in a loop to "+next.shown())
	}
	return next, true, nil
}

// visit notes a request and says whether it was made before: it would bring the same
// answer. Cookies are part of it, as some sites set one and try again.
func (w *walk) visit(p place) (again bool) {
	key := p.key() + "\n" + w.luggage.cookiesFor(p)
	if _, again = w.seen[key]; again {
		return true
	}
	if w.seen == nil {
		w.seen = make(map[string]struct{}, 2)
	}
	w.seen[key] = struct{}{}
	return false
}

// judge decides about a final answer.
func (w *walk) judge(resp *response) *failure {
	h, wall := resp.head, w.guard.byHeader(resp.head)
	if w.method == "HEAD" {
		return w.verdict(h, wall)
	}
	required, forbidden := newTexts(w.target.RequiredTexts), newTexts(w.target.ForbiddenTexts)
	marks := w.guard.marksFor(h.status)
	page, err := pageReport{readable: true}, error(nil)
	if limit := pageLimit(h, marks); limit > 0 && h.hasBody(w.method) {
		w.got.trace.reach(check.PhaseBody)
		page, err = readPage(h, resp.body, reading{rules: pair{required, forbidden}, marks: marks.texts, limit: limit})
	}
	if wall == "" {
		wall = marks.owner(h, page)
	}
	if f := w.verdict(h, wall); f != nil {
		return f
	}
	if err != nil {
		return bodyFailure(err)
	}
	return w.rules(required, forbidden, page)
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
func (w *walk) verdict(h head, wall string) *failure {
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
func (w *walk) rules(required, forbidden *texts, page pageReport) *failure {
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
		if found && w.target.ForbiddenTexts[i] != "" {
			return down(kind, "forbidden_text_present", "forbidden text found: "+w.target.ForbiddenTexts[i])
		}
	}
	for i, found := range required.found {
		if !found {
			return down(kind, "required_text_missing", "required text not found"+where+": "+w.target.RequiredTexts[i])
		}
	}
	return nil
}

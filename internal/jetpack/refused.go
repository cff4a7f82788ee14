package jetpack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/mistake"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
)

// Limits on the search for a mistake.
const (
	// keptRequests are left for the sections after this one.
	keptRequests = 5
	// maxHalvings is how often a proven clock is measured more closely.
	maxHalvings = 4
)

// search is what a search for a mistake has found.
type search struct {
	// found is nil when nothing was accepted.
	found *mistake.Mistake
	// calls counts the signed calls; untried the mistakes that no call was left for.
	calls, untried int
	// closed is the answer that ended the search early, as by a firewall.
	closed string
}

// explain finds out why a token is refused, and adds the findings. The other trial, if any,
// was refused as well.
func (r *run) explain(ctx context.Context, t, other *trial) {
	rest := r.askREST(ctx, t.token)
	s := r.search(ctx, t, mistake.Order(r.facts(ctx)))
	seen := refusalSeen(t)
	if s.found == nil {
		c := mistake.Unexplained(s.left(r, rest))
		if rest == restAccepts {
			c = mistake.Body()
			seen += "; GET jetpack/v4/connection is accepted with this token"
		} else {
			r.noSignature = &c
		}
		r.show(t.check, Fail, c, fmt.Sprintf("%s, in whatever way it is signed (%s)", seen, s.counted()))
		if other != nil && other.refused() {
			r.show(other.check, Fail, c, refusalSeen(other))
		}
		return
	}
	m := *s.found
	if m.Ahead != 0 {
		r.measure(ctx, t, &m)
	}
	r.misled, r.signedNow = m, m.Ahead == 0
	r.showMistake(t, m, fmt.Sprintf("%s; accepted when signed for %s (%s)", seen, m.Says, s.counted()))
	if other == nil || !other.refused() {
		return
	}
	again := r.try(ctx, *other)
	switch {
	case again.accepted():
		r.showMistake(other, m, refusalSeen(other)+"; accepted when signed for "+m.Says)
	case again.refused():
		r.show(other.check, Fail, tokenCause(other), refusalSeen(other)+", also when signed for "+m.Says)
	}
}

// showMistake adds a finding for each cause. The clock has a finding of its own.
func (r *run) showMistake(t *trial, m mistake.Mistake, seen string) {
	for _, c := range m.Causes {
		if c.Name != r.clockCause.Name || len(m.Causes) == 1 {
			r.show(t.check, Fail, c, seen)
		}
	}
}

// counted says how many calls the search took.
func (s *search) counted() string {
	if s.calls == 1 {
		return "1 further call"
	}
	return fmt.Sprintf("%d further calls", s.calls)
}

// left says which causes a search that found nothing leaves beside the token.
func (s *search) left(r *run, rest restVerdict) string {
	left := []string{"a Host, port or path that a proxy changes in a way that was not tried"}
	if s.closed != "" {
		left = append(left, "whatever was not tried because the site began to answer "+s.closed)
	} else if s.untried > 0 {
		left = append(left, "rarer mistakes, for which no call was left")
	}
	if !r.ownClock {
		left = append(left, "a clock more than an hour wrong")
	}
	if rest == restUnknown {
		left = append(left, "a body that is changed on the way")
	}
	left = append(left, "a nonce that cannot be stored (a full or read-only options table)")
	return strings.Join(left, ", ")
}

// search signs for one mistake after the other, until the site accepts a call.
func (r *run) search(ctx context.Context, t *trial, order []mistake.Mistake) search {
	var s search
	for i, m := range order {
		if r.left() <= keptRequests || !r.pause(ctx) {
			s.untried = len(order) - i
			return s
		}
		probe := *t
		got, err := r.signedCall(ctx, &probe, m)
		if err != nil {
			s.untried = len(order) - i
			return s
		}
		s.calls++
		probe.got = got
		switch {
		case probe.accepted():
			s.found = &order[i]
			return s
		case !probe.refused():
			// Something has begun to block the calls: more of them would make it worse.
			s.closed, s.untried = string(got.Kind), len(order)-i-1
			return s
		}
	}
	return s
}

// measure narrows down a clock that a call has proven wrong.
func (r *run) measure(ctx context.Context, t *trial, m *mistake.Mistake) {
	known := mistake.Accepted(m.Ahead)
	byDate := r.hasClock && !mistake.Accepts(r.clock) && m.Ahead == r.clock
	for range maxHalvings {
		if byDate || r.left() <= keptRequests || !r.pause(ctx) {
			break
		}
		ahead, yes, no := known.Halve()
		as, probe := *m, *t
		as.Ahead = ahead
		got, err := r.signedCall(ctx, &probe, as)
		probe.got = got
		switch {
		case err != nil || !probe.accepted() && !probe.refused():
			return
		case probe.accepted():
			known = yes
		default:
			known = no
		}
	}
	if !byDate {
		m.Ahead = known.Middle()
	}
	why := mistake.WrongClock(m.Ahead)
	if r.hasClock && r.ownClock && mistake.Accepts(r.clock) {
		why = mistake.Learned(m.Ahead) // PHP's own clock is right
	} else {
		r.clock, r.hasClock = m.Ahead, true
	}
	r.provenClock, r.clockCause = &known, why
	for i, c := range m.Causes {
		if c.Name == checkClock {
			m.Causes[i] = why
		}
	}
}

// facts collects what earlier steps have learned about how the site is called.
func (r *run) facts(ctx context.Context) mistake.Facts {
	f := mistake.Facts{Ahead: r.clock, HasClock: r.hasClock, OwnClock: r.ownClock, Added: r.addedQuery(ctx)}
	f.URL, _ = url.Parse(r.forJetpack())
	for _, claim := range []string{r.about.Home, r.about.URL} {
		if u, err := url.Parse(claim); err == nil && u.Host != "" {
			f.Claimed = append(f.Claimed, u)
		}
	}
	return f
}

// addedQuery returns what something on the way adds to queries: WordPress redirects
// /index.php to the home page and repeats the query that arrived.
func (r *run) addedQuery(ctx context.Context) string {
	const ours = "jetmon=1"
	got, err := r.send(ctx, request{method: http.MethodGet, url: r.at("/index.php?" + ours)})
	if err != nil || got.failure != "" || got.Status/100 != 3 {
		return ""
	}
	to, err := url.Parse(got.Header.Get("Location"))
	if err != nil {
		return ""
	}
	var added []string
	for part := range strings.SplitSeq(to.RawQuery, "&") {
		if part != ours && part != "" {
			added = append(added, part)
		}
	}
	const most = 200 // a longer one is a page of its own
	if query := strings.Join(added, "&"); strings.Contains(to.RawQuery, ours) && len(query) < most {
		return query
	}
	return ""
}

// restVerdict is what the REST API says of a token.
type restVerdict int

const (
	restUnknown restVerdict = iota
	restAccepts
	restRefuses
)

// askREST makes a signed call without a body by the REST API. Jetpack gives one code for
// every reason, but unlike XML-RPC it says that it has seen a signature.
func (r *run) askREST(ctx context.Context, token signature.Credential) restVerdict {
	if r.api == "" || !r.hasREST {
		return restUnknown
	}
	refuses := func(got reply, err error) bool {
		var e struct{ Code string }
		return err == nil && got.failure == "" && got.Status == http.StatusBadRequest && json.Unmarshal(got.Body, &e) == nil &&
			e.Code == string(signature.RESTInvalidSignature)
	}
	got, err := r.signedGet(ctx, token, "jetpack/v4/connection", "")
	if refuses(got, err) {
		return restRefuses
	}
	if err != nil || got.failure != "" || got.Status != http.StatusOK {
		return restUnknown
	}
	// A site that does not see the query accepts anything.
	mark := "?"
	if strings.Contains(r.api, "?") {
		mark = "&"
	}
	if refuses(r.send(ctx, request{method: http.MethodGet, url: r.api + "jetpack/v4/connection" + mark + "_for=jetpack&token=none&signature=none"})) {
		return restAccepts
	}
	return restUnknown
}

// pause waits before a further call, and reports whether there is still time.
func (r *run) pause(ctx context.Context) bool {
	timer := time.NewTimer(r.Pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

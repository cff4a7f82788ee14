package jetpack

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/Automattic/jetmon/internal/jetpack/block"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// judgeREST adds the findings about the REST API, which locate looked for. Post is what a call
// of xmlrpc.php showed.
func (r *run) judgeREST(post block.Verdict) {
	about := r.about
	code, message := restCode(about.first)
	switch {
	case about.path != "":
		r.judgeIndex(about, post)
	case about.why != "":
		r.skip(checkREST, about.why)
	case code != "":
		// A signed call may be let through.
		r.api, r.hasREST, r.closed = r.at(indexPath), true, code
		r.show(checkREST, Warn, closedBy(code), fmt.Sprintf("GET wp-json: %d %s: %s", about.first.Status, code, quote(message)))
	default:
		r.noREST(about.first)
	}
}

// noREST says why there is no REST API.
func (r *run) noREST(got reply) {
	v := block.Of(got.failure)
	if got.failure == "" {
		v = block.OfGet(got.Answer)
	}
	c := r.explained(v).Cause
	if v.Kind == block.Open || isMute(v.Kind) && r.whole().Kind == "" || v.Kind == block.Redirected || v.Kind == block.MethodFilter {
		c = missingREST
	}
	if c.Weight == cause.Blocking {
		c.Weight = cause.Partial
	}
	r.show(checkREST, Warn, c, "GET wp-json: "+got.seen())
}

// judgeIndex adds the findings about an index: what stands around it, and what it says. With
// neither it passes.
func (r *run) judgeIndex(about index, post block.Verdict) {
	noisy := about.before+about.after != ""
	if noisy {
		c := noisyREST
		if post.Kind == block.ByteOrderMark || post.Kind == block.OutputBefore || post.Kind == block.OutputAfter {
			c = post.Cause // the same text
		}
		r.show(checkREST, Warn, c, fmt.Sprintf("GET wp-json: around the JSON: %q", shorten(quote(about.before+" ... "+about.after))))
	}
	seen := fmt.Sprintf("%s: home %s, %d namespaces", about.path, quote(about.Home), len(about.Namespaces))
	home, err := url.Parse(about.Home)
	switch {
	case err == nil && about.Home != "" && !sameSite(home, r.home):
		c := otherHome
		c.Means = fmt.Sprintf("The site believes that it is at %s, but it was reached at %s.", quote(about.Home), r.home)
		r.show(checkREST, Warn, c, seen)
	case about.path == plainIndexPath && !r.front.plainPermalinks() && r.front.seen:
		r.show(checkREST, Warn, notPretty(about.first), seen+"; "+indexPath+": "+about.first.seen())
	case !noisy:
		r.pass(checkREST, seen)
	}
}

// notPretty returns why the REST API answers at ?rest_route= alone: by the answer at its usual
// address.
func notPretty(first reply) cause.Cause {
	switch {
	case first.failure != "":
		return deniedREST
	case first.Status == http.StatusUnauthorized, first.Status == http.StatusForbidden, first.Status == http.StatusNotAcceptable,
		first.Status == http.StatusTooManyRequests, first.Status == http.StatusUnavailableForLegalReasons:
		return deniedREST
	case first.Status < 300:
		return pageForREST
	}
	return lostRewrites
}

package jetpack

import (
	"fmt"
	"net/url"

	"github.com/Automattic/jetmon/internal/jetpack/block"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// judgeREST adds the finding about the REST API, which locate looked for. Post is what a call
// of xmlrpc.php showed.
func (r *run) judgeREST(post block.Verdict) {
	about := r.about
	switch code, message := restCode(about.first); {
	case about.before+about.after != "":
		c := noisyREST
		if post.Kind == block.ByteOrderMark || post.Kind == block.OutputBefore || post.Kind == block.OutputAfter {
			c = post.Cause // the same text
		}
		r.show(checkREST, Warn, c, fmt.Sprintf("GET wp-json: around the JSON: %q", shorten(quote(about.before+" ... "+about.after))))
	case about.path != "":
		r.judgeIndex(about)
	case about.why != "":
		r.skip(checkREST, about.why)
	case code != "":
		// A signed call may be let through.
		r.api, r.hasREST = r.at(indexPath), true
		c := closedREST
		c.Means += whoCloses(code)
		r.show(checkREST, Warn, c, fmt.Sprintf("GET wp-json: %d %s: %s", about.first.Status, code, quote(message)))
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

func (r *run) judgeIndex(about index) {
	seen := fmt.Sprintf("%s: home %s, %d namespaces", about.path, quote(about.Home), len(about.Namespaces))
	home, err := url.Parse(about.Home)
	switch {
	case err == nil && about.Home != "" && !sameSite(home, r.home):
		c := otherHome
		c.Means = fmt.Sprintf("The site believes that it is at %s, but it was reached at %s.", quote(about.Home), r.home)
		r.show(checkREST, Warn, c, seen)
	case about.path == plainIndexPath && !r.front.plainPermalinks() && r.front.seen:
		r.show(checkREST, Warn, lostRewrites, seen+"; "+indexPath+": "+about.first.seen())
	default:
		r.pass(checkREST, seen)
	}
}

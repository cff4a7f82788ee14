package jetpack

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/Automattic/jetmon/internal/jetpack/block"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/mistake"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
	"github.com/Automattic/jetmon/internal/jetpack/xmlrpc"
)

// trial is a signed call with one token.
type trial struct {
	check, method string
	token         signature.Credential
	got           outcome
	// skipped is why there was no call.
	skipped string
}

// accepted reports whether the site takes the signature for good.
func (t *trial) accepted() bool {
	return t.skipped == "" && t.got.Kind == block.Open && t.got.fault == nil
}

// refused reports whether the site does not. It treats the call as unsigned then, and says
// nothing of the reason.
func (t *trial) refused() bool {
	return t.skipped == "" && t.got.Kind == block.Open && t.got.fault != nil && t.got.fault.Code == xmlrpc.MethodUnknown
}

// signed makes a signed call with each kind of token, and explains those that are refused.
func (r *run) signed(ctx context.Context) {
	blog := r.try(ctx, trial{check: checkBlogToken, method: "jetpack.testConnection", token: r.target.Blog})
	user := r.try(ctx, trial{check: checkUserToken, method: "jetpack.testAPIUserCode", token: r.target.User})
	r.signedNow = blog.accepted() || user.accepted()
	switch {
	case !blog.refused() && !user.refused():
	case r.noSignature != nil:
		// It is known already why no signature can be good.
		for _, t := range []*trial{&blog, &user} {
			if t.refused() {
				r.show(t.check, Fail, *r.noSignature, refusalSeen(t))
			}
		}
	case r.tryOthers(ctx, &blog, &user):
	case r.signedNow && user.refused():
		r.show(checkUserToken, Fail, mistake.UserToken(), refusalSeen(&user))
	case r.signedNow:
		r.show(checkBlogToken, Fail, mistake.BlogToken(), refusalSeen(&blog))
	case blog.refused():
		r.explain(ctx, &blog, &user)
	default:
		r.explain(ctx, &user, nil)
	}
	for _, t := range []*trial{&blog, &user} {
		if r.find(t.check) == nil {
			r.judgeTrial(t)
		}
	}
}

// try makes the signed call of a trial.
func (r *run) try(ctx context.Context, t trial) trial {
	if t.token.IsZero() {
		t.skipped = "no " + strings.TrimPrefix(t.check, "signed_by_") + " token is given"
		return t
	}
	got, err := r.signedCall(ctx, &t, r.misled)
	if err != nil {
		t.skipped = err.Error()
	}
	t.got = got
	return t
}

// judgeTrial adds the finding about a signed call that is not refused, or has no explanation
// of its own.
func (r *run) judgeTrial(t *trial) {
	switch {
	case t.skipped != "":
		r.skip(t.check, t.skipped)
	case t.got.Kind != block.Open:
		seen := "signed " + t.method + ": " + t.got.seen()
		if t.got.Kind == block.Redirected {
			seen += "; signed calls never follow a redirect"
		}
		r.show(t.check, Fail, t.got.Cause, seen)
	case t.refused():
		r.show(t.check, Fail, mistake.Unexplained(""), refusalSeen(t))
	case t.got.fault != nil:
		r.show(t.check, Fail, otherFault(), "signed "+t.method+": "+quote(t.got.fault.Error()))
	default:
		r.pass(t.check, fmt.Sprintf("%s: the site accepts the %s token (answer: %s)", t.method, t.token.Kind(), quote(fmt.Sprint(t.got.value))))
	}
}

// refusalSeen describes a refused call.
func refusalSeen(t *trial) string {
	return "signed " + t.method + ": " + quote(t.got.fault.Error()) + " (so sites refuse signatures)"
}

func otherFault() cause.Cause {
	return cause.Cause{
		Name:  "fault",
		Means: "The signed call is refused by something other than the signature.",
		Owner: "Look for the text of the fault in the plugins that guard or change XML-RPC.",
		Host:  "Search for the text of the fault in wp-content and in PHP's log.",
	}
}

// tryOthers tries the further tokens of a kind of which none is accepted yet. It reports
// whether it explains what was refused.
func (r *run) tryOthers(ctx context.Context, blog, user *trial) bool {
	found := false
	for _, t := range []*trial{blog, user} {
		for _, token := range r.target.Others {
			if !t.refused() || token.Kind() != t.token.Kind() || !r.pause(ctx) {
				continue
			}
			other := r.try(ctx, trial{check: t.check, method: t.method, token: token})
			if !other.accepted() {
				continue
			}
			found, r.signedNow = true, true
			r.show(t.check, Fail, mistake.OtherToken(), fmt.Sprintf("%s; another of the given %s tokens is accepted", refusalSeen(t), t.token.Kind()))
			if t == blog {
				r.target.Blog = token
			} else {
				r.target.User = token
			}
			break
		}
	}
	if found {
		for _, t := range []*trial{blog, user} {
			if c := tokenCause(t); t.refused() && r.find(t.check) == nil {
				r.show(t.check, Fail, c, refusalSeen(t))
			}
		}
	}
	return found
}

func tokenCause(t *trial) cause.Cause {
	if t.check == checkUserToken {
		return mistake.UserToken()
	}
	return mistake.BlogToken()
}

// signedCall makes the call of a trial, signed as the site believes to get it.
func (r *run) signedCall(ctx context.Context, t *trial, as mistake.Mistake) (outcome, error) {
	var params []xmlrpc.Value
	if t.method == "jetpack.testAPIUserCode" {
		// Only the two sides know a valid code, so the answer is false. But any answer shows
		// that the signature is good.
		params = []xmlrpc.Value{[]xmlrpc.Value{1, int(t.token.UserID()), signature.NewNonce(), strings.Repeat("0", 32)}}
	}
	body, err := xmlrpc.EncodeCall(t.method, params...)
	if err != nil {
		return outcome{}, err
	}
	signed, err := as.Sign(t.token, signature.Call{Method: http.MethodPost, URL: r.forJetpack(), Body: body}, r.now())
	if err != nil {
		return outcome{}, err
	}
	got, err := r.send(ctx, request{method: http.MethodPost, url: signed, body: body, contentType: "text/xml"})
	if err != nil {
		return outcome{}, err
	}
	return judged(got), nil
}

package jetpack

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/Automattic/jetmon/internal/jetpack/block"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/xmlrpc"
)

// The steps of section 3.
const (
	checkConnected = "jetpack_connected"
	checkClock     = "clock"
	checkBlogToken = "signed_by_blog"
	checkUserToken = "signed_by_user"
)

// calls makes unsigned and signed calls to Jetpack itself.
func (r *run) calls(ctx context.Context) {
	if r.door == "" {
		r.skipAll("XML-RPC is not open", checkConnected, checkClock, checkBlogToken, checkUserToken)
		return
	}
	r.connected(ctx)
	r.signed(ctx)
	r.judgeClock()
}

// forJetpack returns the door's URL with the parameter that addresses Jetpack.
func (r *run) forJetpack() string {
	if strings.Contains(r.door, "?") {
		return r.door
	}
	return r.door + "?for=jetpack"
}

// connection is what jetpack/v4/connection tells anybody about the state of Jetpack.
type connection struct {
	Registered *bool `json:"isRegistered"`
	Owner      bool  `json:"hasConnectedOwner"`
	SafeMode   bool  `json:"isStaging"`
	Offline    struct {
		Active   bool `json:"isActive"`
		Constant bool `json:"constant"`
		URL      bool `json:"url"`
		Filter   bool `json:"filter"`
		WPLocal  bool `json:"wpLocalConstant"`
	} `json:"offlineMode"`
}

// offline says why Jetpack is offline.
func (c *connection) offline() string {
	o := c.Offline
	switch {
	case o.Constant:
		return "the constant JETPACK_DEV_DEBUG"
	case o.WPLocal:
		return "the constant WP_LOCAL_DEV"
	case o.Filter:
		return "a filter (jetpack_offline_mode)"
	case o.URL:
		return "the site's address, which looks like one of a developer's machine"
	}
	return "a reason that it does not name"
}

// askConnection asks for the state of the connection; nil when the site does not say.
func (r *run) askConnection(ctx context.Context) *connection {
	if r.api == "" || !r.hasREST {
		return nil
	}
	got, err := r.send(ctx, request{method: http.MethodGet, url: r.api + "jetpack/v4/connection"})
	var c connection
	if err != nil || got.failure != "" || got.Status != http.StatusOK || json.Unmarshal(got.Body, &c) != nil || c.Registered == nil {
		return nil
	}
	return &c
}

// connected finds out whether Jetpack is active and connected, from what it tells anybody
// and from the methods that it offers to unsigned callers.
func (r *run) connected(ctx context.Context) {
	state := r.askConnection(ctx)
	got, err := r.call(ctx, r.forJetpack(), "system.listMethods")
	if err != nil {
		r.skip(checkConnected, err.Error())
		return
	}
	r.noteClock(got.reply)
	names, ok := xmlrpc.Strings(got.value)
	switch {
	case got.Kind != block.Open:
		r.show(checkConnected, Fail, got.Cause, "calls with for=jetpack are treated differently: "+got.seen())
	case !ok:
		r.show(checkConnected, Fail, unreadableJetpack(), "POST for=jetpack: "+got.seen())
	default:
		r.judgeConnection(state, names)
	}
}

// judgeConnection adds the finding about the connection. State may be nil.
func (r *run) judgeConnection(state *connection, names []string) {
	isJetpack := func(n string) bool { return strings.HasPrefix(n, "jetpack.") }
	if !slices.ContainsFunc(names, isJetpack) {
		r.show(checkConnected, Fail, r.unheard(state, names), "no Jetpack methods for for=jetpack")
		return
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !isJetpack(n) })
	seen := "methods for strangers: " + quote(strings.Join(names, ", "))
	// Only a site without an owner can still be registered.
	ownerless := slices.Contains(names, "jetpack.verifyRegistration")
	if state == nil {
		switch {
		case !ownerless:
			r.pass(checkConnected, "connected; "+seen)
		case r.target.Blog.IsZero():
			r.show(checkConnected, Warn, maybeConnected(), seen)
		default:
			r.skip(checkConnected, "without an owner; whether the site itself is connected, the signed call shows")
		}
		return
	}
	switch {
	case state.Offline.Active:
		r.show(checkConnected, Fail, syncCause(syncOffline), "jetpack/v4/connection: offline by "+state.offline())
	case !*state.Registered && state.Owner:
		r.disconnected(brokenConnection(), "jetpack/v4/connection: an owner, but the site is not registered")
	case !*state.Registered && r.hasTokens():
		r.disconnected(lostConnection(), "jetpack/v4/connection: not registered, though there is a token")
	case !*state.Registered:
		r.disconnected(notConnected(), "jetpack/v4/connection: not registered; "+seen)
	case state.SafeMode:
		r.show(checkConnected, Warn, syncCause(syncCrisis), "jetpack/v4/connection: isStaging (safe mode)")
	case !state.Owner:
		r.pass(checkConnected, "the site is connected, without an owner; "+seen)
	default:
		r.pass(checkConnected, "connected, with an owner; "+seen)
	}
}

func (r *run) hasTokens() bool { return !r.target.Blog.IsZero() || !r.target.User.IsZero() }

// disconnected adds the finding that there is no connection, which explains why signed calls
// are refused.
func (r *run) disconnected(c cause.Cause, seen string) {
	r.noSignature = &c
	r.show(checkConnected, Fail, c, seen)
}

// unheard is the cause when a call for Jetpack does not reach it.
func (r *run) unheard(state *connection, names []string) cause.Cause {
	// Some methods (demo.sayHello) are there in any case.
	isCore := func(n string) bool { return strings.HasPrefix(n, "wp.") }
	other, rsd := r.find(checkDetour), r.find(checkRSD)
	viaDetour := other != nil && other.Verdict == Pass && r.door != r.at(detour)
	var c cause.Cause
	switch {
	case !slices.ContainsFunc(names, isCore):
		// Jetpack, as WordPress, offers something to everybody.
		c = methodsRemoved()
	case state != nil || viaDetour || slices.Contains(r.about.Namespaces, "jetpack/v4"):
		c = queryLost()
		if viaDetour {
			r.door = r.at(detour) // there the query arrives
			return c
		}
	case len(r.about.Namespaces) > 0:
		c = jetpackAbsent()
	default:
		// The REST API is closed, and does not say whether Jetpack is there.
		c = jetpackAbsent()
		if rsd == nil || rsd.Verdict != Pass {
			c.Sure = cause.Possible
		}
	}
	r.noSignature = &c
	return c
}

// find returns the finding of an earlier step, nil when there is none.
func (l *list) find(check string) *Finding {
	for i := range l.findings {
		if l.findings[i].Check == check {
			return &l.findings[i]
		}
	}
	return nil
}

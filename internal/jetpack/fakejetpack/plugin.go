package fakejetpack

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/signature"
)

// Plugin is the state of Jetpack itself. The zero value is healthy; whether it is connected
// depends on the site's tokens: the blog's token connects the site, a user's token the
// owner.
type Plugin struct {
	// Version is what jetpack.testConnection answers, as the complete plugin does; empty is
	// the "success" of plugins that only contain the connection.
	Version string
	// Offline is the reason why the plugin is offline; empty means that it is not.
	Offline Offline
	// SafeMode is true while an identity crisis is not resolved.
	SafeMode bool
	// TimeDiff is how far Jetpack has learned that WordPress.com's clock is ahead of the site's.
	TimeDiff time.Duration
	// NotPublic is true on a site that asks search engines to stay away.
	NotPublic bool
	// NoStatus leaves the public route jetpack/v4/connection out.
	NoStatus bool
	// MethodsRemoved is true where another plugin takes all XML-RPC methods away.
	MethodsRemoved bool
}

// Offline is a reason of Jetpack's offline mode.
type Offline string

// The reasons, as the site names them.
const (
	OfflineByConstant Offline = "constant"
	OfflineByURL      Offline = "url"
	OfflineByFilter   Offline = "filter"
	OfflineByWPLocal  Offline = "wpLocalConstant"
)

// hasOwner reports whether the connection has an owner: a user with a token.
func (s *Site) hasOwner() bool { return len(s.o.Tokens.Users) > 0 }

// connectionStatus is the answer of jetpack/v4/connection, which anybody may read.
func (s *Site) connectionStatus(signer *signature.Identity) map[string]any {
	p := s.o.Plugin
	if s.o.Sync.Offline {
		p.Offline = cmp.Or(p.Offline, OfflineByConstant)
	}
	return map[string]any{
		"isActive": s.hasOwner(), "isStaging": s.o.Sync.SafeMode, "isRegistered": s.o.Tokens.Blog != "",
		"isUserConnected": signer != nil && signer.UserID > 0, "hasConnectedOwner": s.hasOwner(),
		"offlineMode": map[string]any{
			"isActive": p.Offline != "", "constant": p.Offline == OfflineByConstant, "url": p.Offline == OfflineByURL,
			"filter": p.Offline == OfflineByFilter, "wpLocalConstant": p.Offline == OfflineByWPLocal,
		},
		"isPublic": !p.NotPublic,
	}
}

// authenticate finds the signer of a REST request, nil when nobody signed it. Jetpack refuses
// a request with a bad signature whatever it asks for, and says nothing of the reason; ok is
// false then.
func (s *Site) authenticate(w http.ResponseWriter, r *http.Request, body []byte) (signer *signature.Identity, ok bool) {
	if s.o.NoJetpack {
		return nil, true
	}
	id, err := s.verifier.VerifyREST(s.received(r, body))
	if refusal, refused := errors.AsType[*signature.Error](err); refused {
		restError(w, http.StatusBadRequest, string(refusal.Code), refusal.Message)
		return nil, false
	}
	if errors.Is(err, signature.ErrFatal) {
		page(w, http.StatusInternalServerError, "")
		return nil, false
	}
	if err != nil {
		return nil, true
	}
	return &id, true
}

// canonical answers /index.php as WordPress does: by a redirect to the home page that
// repeats the query as it arrived.
func (s *Site) canonical(w http.ResponseWriter, r *http.Request) {
	_, query, _ := strings.Cut(s.received(r, nil).URI, "?")
	to := s.home(r)
	if query != "" {
		to += "?" + query
	}
	w.Header().Set("X-Redirect-By", "WordPress")
	http.Redirect(w, r, to, http.StatusMovedPermanently)
}

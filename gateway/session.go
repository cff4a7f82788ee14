package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Automattic/jetmon/gateway/ui"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/restjson"
)

// The cookie of a person who has signed in to the cockpit: its value is the token. Only this
// gateway's own pages can make a browser send it (SameSite=Strict), no script can read it, and
// over TLS no page of another name or without TLS can have set it (__Host-).
const (
	sessionCookie     = "jetmon_session"
	safeSessionCookie = "__Host-jetmon_session"
	// maxSession is for how long a browser keeps it, unless the token ends before.
	maxSession = 14 * 24 * time.Hour
)

// session signs a person in and out.
func (h *handler) session(w *countedWriter, req *http.Request) error {
	w.route = ui.SessionPath
	switch req.Method {
	case http.MethodPost:
		return h.signIn(w, req)
	case http.MethodDelete:
		if err := checkNoBody(w, req); err != nil {
			return err
		}
		for _, name := range []string{sessionCookie, safeSessionCookie} {
			http.SetCookie(w, cookie(name, "", -time.Second))
		}
		write(w, http.StatusOK, []byte("{}\n"))
		return nil
	}
	return wrongMethod(w, req, []string{http.MethodPost, http.MethodDelete})
}

// signIn keeps a token that is good, and answers whose it is, as /v1/caller does.
func (h *handler) signIn(w http.ResponseWriter, req *http.Request) error {
	token, err := tokenIn(w, req)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	asked, err := h.stream(req, monitorv1.AccessService_GetCaller_FullMethodName)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(asked.Context(), callTimeout)
	defer cancel()
	resp, err := monitorv1.NewAccessServiceClient(h.conn).GetCaller(ctx, &monitorv1.GetCallerRequest{})
	if err != nil {
		h.failCall(asked.Context(), w, err)
		return nil
	}
	raw, err := restjson.Line(resp.GetCaller())
	if err != nil {
		return err
	}
	life := maxSession
	if end := resp.GetCaller().GetExpireTime(); end != nil {
		life = min(life, time.Until(end.AsTime()))
	}
	name := sessionCookie
	if isSecure(req) {
		name = safeSessionCookie
	}
	if resp.GetCaller().GetTokenId() != 0 { // where nobody is asked, whatever was given was not looked at
		http.SetCookie(w, cookie(name, token, life))
	}
	write(w, http.StatusOK, raw)
	return nil
}

// tokenIn reads {"token": "..."}.
func tokenIn(w http.ResponseWriter, req *http.Request) (string, error) {
	data, err := readBody(w, req)
	if err != nil {
		return "", err
	}
	var body struct {
		Token string `json:"token"`
	}
	members, _ := objectMembers(data)
	if err := json.Unmarshal(data, &body); err != nil || len(members) != 1 {
		return "", fault.InvalidField("body", `must be {"token": "..."}`)
	}
	if body.Token = strings.TrimSpace(body.Token); body.Token == "" {
		return "", fault.InvalidField("token", "must be given")
	}
	if len(body.Token) > maxCredentials || strings.ContainsFunc(body.Token, isForeign) {
		return "", fault.InvalidField("token", "must be a token as it was printed: at most %d letters, digits and -._~+/=", maxCredentials)
	}
	return body.Token, nil
}

// isForeign reports whether a bearer token cannot have a character (RFC 6750), nor can a cookie.
func isForeign(r rune) bool {
	return r > '~' || !isUnreserved(byte(r)) && !strings.ContainsRune("+/=", r)
}

// cookie makes the cookie of a session. A life of less than a second ends it.
func cookie(name, value string, life time.Duration) *http.Cookie {
	age := int(life.Seconds())
	if age <= 0 {
		age = -1
	}
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: name == safeSessionCookie, SameSite: http.SameSiteStrictMode,
	}
}

// isSecure reports whether a browser reached us over TLS, which may have ended at a proxy: then
// the browser's Origin tells.
func isSecure(req *http.Request) bool {
	return req.TLS != nil || strings.HasPrefix(req.Header.Get("Origin"), "https://")
}

// recognise has a request of the cockpit count as a call with the token of who has signed in. One
// that has credentials of its own keeps these, and one of a page of another origin gets none: not
// even of a site that SameSite takes for ours.
func recognise(req *http.Request) {
	if len(req.Header.Values("Authorization")) > 0 || !fromOwnPage(req) {
		return
	}
	for _, name := range []string{safeSessionCookie, sessionCookie} {
		if name == sessionCookie && isSecure(req) {
			return // not set by us: a neighbour's name, or whoever is between without TLS, may have set it
		}
		switch all := req.CookiesNamed(name); {
		case len(all) > 1:
			return // others might look at the other one
		case len(all) == 1:
			req.Header.Set("Authorization", "Bearer "+all[0].Value)
			return
		}
	}
}

// fromOwnPage reports whether a page of this gateway sends a request. Browsers say so, but not
// without TLS beyond loopback: there a GET has not even an Origin, and as it changes nothing and
// no other origin can read its answer, it may be anybody's whose browser sends the cookie.
func fromOwnPage(req *http.Request) bool {
	if len(req.Header.Values("Sec-Fetch-Site")) > 1 || len(req.Header.Values("Origin")) > 1 {
		return false // no browser says it twice
	}
	if site := req.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	if origin := req.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		return err == nil && strings.EqualFold(u.Host, req.Host)
	}
	return req.Method == http.MethodGet || req.Method == http.MethodHead
}

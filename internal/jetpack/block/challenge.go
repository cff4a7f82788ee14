package block

import (
	"bytes"
	"net/http"

	"github.com/Automattic/jetmon/internal/page"
)

// maxChallenge is the size up to which a page with a good status can be a puzzle.
const maxChallenge = 8 << 10

// isChallenge reports whether an answer is a puzzle for browsers, which may come with a
// good status.
func isChallenge(a Answer) bool {
	for _, h := range [][2]string{
		{"Sg-Captcha", "challenge"}, {"Cf-Mitigated", "challenge"}, {"X-Amzn-Waf-Action", "challenge"}, {"X-Amzn-Waf-Action", "captcha"},
		{"X-Vercel-Mitigated", "challenge"},
	} {
		if hasHeader(a.Header, h) {
			return true
		}
	}
	switch a.Status {
	case http.StatusAccepted, http.StatusForbidden, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusUnsupportedMediaType:
	case http.StatusOK:
		if len(a.Body) > maxChallenge {
			return false
		}
		if isCookieTest(a.Body) {
			return true
		}
	default:
		return false
	}
	for _, mark := range []string{
		"/.well-known/sgcaptcha/", "<title>Just a moment...</title>", "/cdn-cgi/challenge-platform/", "sucuri_cloudproxy_js",
		"Imunify360 bot-protection", "_Incapsula_Resource", "g-recaptcha", "h-captcha", "cf-turnstile", "/.well-known/ddos-guard/", "captcha-delivery.com",
	} {
		if bytes.Contains(a.Body, []byte(mark)) {
			// Pages of visitors have captchas in their forms.
			return a.Status != http.StatusOK || page.OutlineOf(a.Body).TextBytes < maxPuzzleText
		}
	}
	return a.Status == http.StatusAccepted && bytes.Contains(bytes.ToLower(a.Body), []byte("captcha"))
}

// maxPuzzleText is how much text a puzzle shows.
const maxPuzzleText = 400

// isCookieTest recognises a page that does nothing but set a cookie by a script and load
// itself again: some free hosts let only browsers pass.
func isCookieTest(body []byte) bool {
	if !bytes.Contains(body, []byte("document.cookie")) || !bytes.Contains(body, []byte("location")) {
		return false
	}
	o := page.OutlineOf(body)
	return o.TextBytes < maxPuzzleText && o.InlineScripts > 0 && o.InlineScripts+len(o.Scripts) <= 3 && len(o.Links) <= 1
}

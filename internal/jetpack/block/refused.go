package block

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/Automattic/jetmon/internal/page"
)

// refused handles answers that mean the same for GET, for POST and for a page: first the
// product that answers, then what the page says, then the status.
func refused(a Answer) Verdict {
	p, byPage := recognised(a)
	switch {
	case isChallenge(a):
		return p.challenges()
	case a.Status >= 300 && a.Status < 400:
		return redirect(a)
	case a.Status >= 520 && a.Status <= 530 && hasHeader(a.Header, [2]string{"Cf-Ray", ""}):
		return origin(a.Status)
	case p.isFirewall() && byPage && !a.isGood():
		return p.refuses()
	}
	if k := ofPage(a); k != "" {
		return verdict(k)
	}
	if a.isGood() {
		return verdict(HTMLAnswer)
	}
	return byStatus(a, p)
}

// OfPage returns the meaning of a page for visitors; Open is a page of a site that works.
func OfPage(a Answer) Verdict {
	if a.isGood() && !isChallenge(a) {
		if len(trim(a.Body)) == 0 {
			return verdict(EmptyAnswer)
		}
		switch k := ofPage(a); k {
		case "", HTMLAnswer, JSONAnswer, LoginWall, ComingSoon, Challenge:
			return verdict(Open)
		default:
			return verdict(k)
		}
	}
	return refused(a)
}

// byStatus judges by the status alone.
func byStatus(a Answer, p product) Verdict {
	switch a.Status {
	case http.StatusUnauthorized:
		return verdict(BasicAuth)
	case http.StatusForbidden, http.StatusNotAcceptable, http.StatusUnavailableForLegalReasons:
		if p.isFirewall() {
			return p.refuses().possibly()
		}
		return deny(a)
	case http.StatusNotFound, http.StatusGone:
		return verdict(Missing)
	case http.StatusRequestEntityTooLarge:
		return verdict(TooLarge)
	case http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return verdict(HeaderTooLarge)
	case http.StatusTooManyRequests:
		return verdict(RateLimit)
	case http.StatusBadGateway:
		return verdict(PHPDown)
	case http.StatusServiceUnavailable:
		return verdict(Overloaded)
	case http.StatusGatewayTimeout:
		return verdict(PHPSlow)
	case http.StatusLoopDetected, 509:
		// Hosts use 508 and 509 for accounts over their limits.
		return verdict(ResourceLimit)
	}
	if a.Status == http.StatusInternalServerError && len(trim(a.Body)) == 0 {
		return verdict(PHPDied)
	}
	if a.Status >= 500 {
		return verdict(ServerError)
	}
	return verdict(Strange)
}

// redirect judges a redirect by where it leads.
func redirect(a Answer) Verdict {
	to := strings.ToLower(a.Header.Get("Location"))
	path, _, _ := strings.Cut(to, "?")
	switch {
	case strings.Contains(path, "suspended"):
		return verdict(Suspended)
	case strings.Contains(path, "sgcaptcha"):
		return bySlug("siteground").challenges()
	case strings.Contains(path, "wp-login") || strings.Contains(path, "/login") || strings.Contains(path, "/signin") || strings.Contains(path, "/sso"):
		return verdict(LoginWall)
	case strings.HasSuffix(path, "/wp-admin/install.php"), strings.HasSuffix(path, "/wp-admin/setup-config.php"):
		return verdict(Installer)
	}
	return verdict(Redirected)
}

// maxPage is how much of a page is looked at, and maxNotice how much text a notice has that
// stands for a site.
const (
	maxPage   = 64 << 10
	maxNotice = 4 << 10
)

// ofPage returns what the text of a page says; empty when it says nothing known.
func ofPage(a Answer) Kind {
	head := a.Body[:min(len(a.Body), maxPage)]
	if message, ok := dieMessage(head); ok {
		head = []byte(`<html><body id="error-page"><div class="wp-die-message">` + message + `</div></body></html>`)
	}
	kind := strings.ToLower(a.Header.Get("Content-Type"))
	first := bytes.TrimLeft(head, " \t\r\n")
	if strings.Contains(kind, "json") || strings.Contains(kind, "xml") && !strings.Contains(kind, "xhtml") {
		if len(first) > 0 && (first[0] == '{' || first[0] == '[') {
			return JSONAnswer
		}
	}
	v := page.NewJudge().Verdict(page.Page{Head: head, IsHTML: true})
	switch v.Reason {
	case page.WordPressFatalError:
		return FatalError
	case page.WordPressDatabaseError:
		return DatabaseAway
	case page.WordPressMaintenance:
		return Maintenance
	case page.PHPFatalError:
		return PHPFatal
	case page.WordPressMessage:
		if a.Status == http.StatusForbidden {
			return SecurityPlugin
		}
	case page.DirectoryListing:
		return Listing
	case page.InstallScreen:
		return Installer
	case page.PHPSource:
		return Source
	case page.ParkingPage:
		return Parked
	case page.DefaultPage:
		return DefaultPage
	}
	if bytes.Contains(head, []byte(disabledText)) && a.Status == http.StatusForbidden {
		return SecurityPlugin
	}
	return ofNotice(a, page.OutlineOf(head), head)
}

// dieMessage returns the message of wp_die in XML, as callers get it who send XML.
func dieMessage(body []byte) (string, bool) {
	_, rest, ok := bytes.Cut(body, []byte("<error>"))
	if !ok {
		return "", false
	}
	_, rest, ok = bytes.Cut(rest, []byte("<message><![CDATA["))
	if !ok {
		return "", false
	}
	message, _, ok := bytes.Cut(rest, []byte("]]>"))
	return string(message), ok
}

// ofNotice recognises notices that stand for a site by their titles and few words.
func ofNotice(a Answer, o page.Outline, head []byte) Kind {
	title := strings.ToLower(o.Title + " | " + o.Heading)
	switch {
	case o.TextBytes > maxNotice:
		return ""
	case says(title, "account suspended", "account has been suspended", "site suspended", "website suspended", "website is suspended",
		"hosting suspended", "this account has been disabled", "suspended domain", "domain suspended", "contact your hosting provider"):
		return Suspended
	case says(title, "resource limit is reached", "bandwidth limit exceeded"):
		return ResourceLimit
	case a.Status == http.StatusServiceUnavailable && says(title, "coming soon", "under construction", "under maintenance", "maintenance mode",
		"launching soon", "opening soon", "be right back", "en construction", "wartungs", "próximamente", "em breve", "scheduled maintenance", "site maintenance"):
		return ComingSoon
	case a.isGood() && (bytes.Contains(head, []byte(`type="password"`)) || bytes.Contains(head, []byte(`type='password'`))):
		return LoginWall
	}
	return ""
}

func says(text string, phrases ...string) bool {
	for _, p := range phrases {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

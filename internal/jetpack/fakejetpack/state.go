package fakejetpack

import (
	"fmt"
	"net/http"
	"strings"
)

// State is what WordPress itself is in, behind its web server.
type State string

// The states. The empty one is a site that works.
const (
	// Maintenance is a file .maintenance, as during an update.
	Maintenance State = "maintenance mode"
	// DatabaseAway is a database that does not answer.
	DatabaseAway State = "database away"
	// Broken is a fatal error of PHP in every request.
	Broken State = "fatal error everywhere"
	// ComingSoon is a plugin that shows its own page instead of the site's. It is the only
	// state in which xmlrpc.php and the REST API work.
	ComingSoon State = "coming soon"
)

// States returns all states but the empty one.
func States() []State { return []State{Maintenance, DatabaseAway, Broken, ComingSoon} }

// dying is a page of wp_die.
func dying(title, text string) string {
	return "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\" />\n<title>" + title +
		"</title>\n</head>\n<body id=\"error-page\">\n\t<div class=\"wp-die-message\">" + text + "</div></body>\n</html>\n"
}

// death is an error page of WordPress.
type death struct {
	status      int
	title, text string
}

// answer answers with the page, which is XML for callers who send XML.
func (d death) answer(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/xml") {
		page(w, d.status, dying(d.title, d.text))
		return
	}
	w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
	w.WriteHeader(d.status)
	_, _ = fmt.Fprintf(w, "<error>\n    <code>wp_die</code>\n    <title><![CDATA[%s]]></title>\n    <message><![CDATA[%s]]></message>\n    <data>\n        <status>%d</status>\n    </data>\n</error>\n", d.title, d.text, d.status)
}

// stop answers a request to anything but xmlrpc.php if the state ends it, and reports
// whether it did.
func (s State) stop(w http.ResponseWriter, r *http.Request) bool {
	switch s {
	case Maintenance:
		w.Header().Set("Retry-After", "600")
		death{http.StatusServiceUnavailable, "Maintenance", "Briefly unavailable for scheduled maintenance. Check back in a minute."}.answer(w, r)
	case DatabaseAway:
		death{http.StatusInternalServerError, "Database Error", "<h1>Error establishing a database connection</h1>"}.answer(w, r)
	case Broken:
		death{http.StatusInternalServerError, "WordPress &rsaquo; Error",
			`<p>There has been a critical error on this website.</p><p><a href="https://wordpress.org/documentation/article/faq-troubleshooting/">Learn more about troubleshooting WordPress.</a></p>`}.answer(w, r)
	default:
		return false
	}
	return true
}

// stopPage is stop for pages alone.
func (s State) stopPage(w http.ResponseWriter) bool {
	if s != ComingSoon {
		return false
	}
	w.Header().Set("Retry-After", "3600")
	page(w, http.StatusServiceUnavailable, "<!DOCTYPE html><html><head><title>A site is coming soon</title></head><body><h1>Coming Soon</h1><p>We are working on something new.</p></body></html>\n")
	return true
}

// silence is stop for xmlrpc.php: it ends without a word, for callers and for browsers.
func (s State) silence(w http.ResponseWriter) bool {
	switch s {
	case Maintenance:
		w.Header().Set("Retry-After", "600")
		page(w, http.StatusOK, "")
	case DatabaseAway:
		page(w, http.StatusOK, "")
	case Broken:
		page(w, http.StatusInternalServerError, "")
	default:
		return false
	}
	return true
}

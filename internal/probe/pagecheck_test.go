package probe

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

const fatalPage = `<!DOCTYPE html>
<html lang="de">
<head>
	<meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
	<title>WordPress &rsaquo; Fehler</title>
</head>
<body id="error-page">
	<div class="wp-die-message"><p>Es gab einen kritischen Fehler auf deiner Website.</p><p><a href="https://wordpress.org/documentation/article/faq-troubleshooting/">Mehr</a></p></div></body>
</html>
`

// judges asks for a page and judges it.
func judges(rule check.PageRule) check.Target { return check.Target{PageRule: rule} }

// byPage answers HEAD with 200 and GET with a page of this type.
func byPage(contentType, page string) func(*fakesite.Site) {
	return handles(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte(page))
		}
	})
}

// byMethodStatus answers HEAD and GET with a status each.
func byMethodStatus(head, get int) func(*fakesite.Site) {
	return handles(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(head)
			return
		}
		w.WriteHeader(get)
	})
}

func TestPagesBehindAGoodStatus(t *testing.T) {
	t.Parallel()
	const html = "text/html; charset=utf-8"
	broken := func(reason string) finding { return fails(check.FailureContent, reason, 200, check.PhaseBody) }
	filled := check.Target{PageRule: check.PageDecides, PageWasFilled: true}
	filledAdvise := check.Target{PageRule: check.PageAdvised, PageWasFilled: true}
	long := "<html><body>" + strings.Repeat("<p>some text of a long page</p>\n", 20_000)
	wide := func(s string) string {
		b := []byte("\xff\xfe")
		for _, r := range s {
			b = append(b, byte(r), byte(r>>8))
		}
		return string(b)
	}
	db := "<h1>Ошибка установки соединения с базой данных</h1>"
	runStories(t, []story{
		{"HEAD alone sees nothing", byPage(html, fatalPage), check.Target{}, up(200)},
		{"fatal error", byPage(html, fatalPage), judges(check.PageDecides), broken("wordpress_fatal_error")},
		{"fatal error as an advisory", byPage(html, fatalPage), judges(check.PageAdvised), up(200, check.AdvisoryPageBroken)},
		{"fatal error at the end of a long page", byPage(html, long+fatalPage), judges(check.PageDecides), broken("wordpress_fatal_error")},
		{"fatal error across the border of what is kept", byPage(html, long[:64<<10-200]+fatalPage), judges(check.PageDecides), broken("wordpress_fatal_error")},
		{"lost database, and no charset", byPage("text/html", db), judges(check.PageDecides), broken("wordpress_database_error")},
		{"fatal error at the end of a long page in UTF-16", byPage("text/html", wide(long+fatalPage)), judges(check.PageDecides), broken("wordpress_fatal_error")},
		{"fatal error in gzip", says("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n" + compressed("gzip", fatalPage)), judges(check.PageDecides), broken("wordpress_fatal_error")},
		{"lost database", byPage(html, db), judges(check.PageDecides), broken("wordpress_database_error")},
		{"lost database in another charset", byPage("text/html; charset=windows-1251", "<h1>\xce\xf8\xe8\xe1\xea\xe0 \xf3\xf1\xf2\xe0\xed\xee\xe2\xea\xe8 \xf1\xee\xe5\xe4\xe8\xed\xe5\xed\xe8\xff \xf1 \xe1\xe0\xe7\xee\xe9 \xe4\xe0\xed\xed\xfb\xf5</h1>"), judges(check.PageDecides), broken("wordpress_database_error")},
		{"lost database in a text file", byPage("text/plain", db), judges(check.PageDecides), up(200)},
		{"maintenance", byPage(html, maintenance("")), judges(check.PageDecides), broken("wordpress_maintenance")},
		{"maintenance with its own status", passedOn(503, maintenance("")), judges(check.PageDecides), fails(check.FailureServer, "http_503", 503, check.PhaseBody)},
		{"maintenance behind a redirect", handles(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/home/", http.StatusFound)
				return
			}
			_, _ = w.Write([]byte(maintenance("")))
		}), judges(check.PageDecides), broken("wordpress_maintenance")},
		{"empty page of a site that was empty", byPage(html, " \n"), judges(check.PageDecides), up(200, check.AdvisoryPageEmpty)},
		{"empty page of a site that was not", byPage(html, " \n"), filled, broken("empty_page")},
		{"empty page of a site that was not, as an advisory", byPage(html, ""), filledAdvise, up(200, check.AdvisoryPageEmpty)},
		{"filled page of a site that was not empty", byPage(html, "<p>hello</p>"), filled, up(200)},
		{"no content", status(204), filled, up(204)},
		{"listing", byPage(html, "<title>Index of /</title><h1>Index of /</h1><a href=a>a</a>"), judges(check.PageDecides), up(200, check.AdvisoryDirectoryListing)},
		{"source", byPage("application/x-httpd-php", "<?php\nrequire 'x.php';"), judges(check.PageDecides), up(200, check.AdvisoryPHPSource)},
		{"parked", byPage(html, "<title>x.test is for sale</title>"), judges(check.PageDecides), up(200, check.AdvisoryPlaceholder)},
		{"message of wp_die", byPage(html, strings.Replace(maintenance(""), "Briefly", "We are", 1)), judges(check.PageDecides), up(200, check.AdvisoryWordPressMessage)},
		{"page kept back by a firewall", byMethodStatus(200, 403), judges(check.PageDecides), up(200)},
		{"page kept back by a limit", byMethodStatus(200, 429), judges(check.PageDecides), up(200)},
		{"site kept back by a firewall", byMethodStatus(403, 403), judges(check.PageDecides), fails(check.FailureBlocked, "http_403", 403, check.PhaseBody)},
		{"page that fails", byMethodStatus(200, 500), judges(check.PageDecides), fails(check.FailureServer, "http_500", 500, check.PhaseResponse)},
		{"page that is gone", byMethodStatus(200, 404), judges(check.PageDecides), fails(check.FailureClient, "http_404", 404, check.PhaseResponse)},
		{"HEAD only is never asked", byPage(html, fatalPage), check.Target{PageRule: check.PageDecides, Settings: check.Settings{Method: check.MethodHead}}, up(200)},
		{"GET only", byPage(html, fatalPage), check.Target{PageRule: check.PageDecides, Settings: check.Settings{Method: check.MethodGet}}, broken("wordpress_fatal_error")},
		{"body rules, and the page besides", byPage(html, fatalPage), check.Target{PageRule: check.PageDecides, Settings: check.Settings{RequiredTexts: []string{"Fehler"}}}, broken("wordpress_fatal_error")},
		{"body rules come first", byPage(html, fatalPage), check.Target{PageRule: check.PageDecides, Settings: check.Settings{RequiredTexts: []string{"hello"}}}, broken("required_text_missing")},
		{"hostile to HEAD", byPage(html, "hello"), check.Target{PageRule: check.PageDecides, HeadHostile: true}, up(200, check.AdvisoryHeadUnsupported)},
		{"a body without an end is no failure of a page check", drips("HTTP/1.1 200 OK\r\n\r\n<h1>Error establishing a database connection</h1>", "", time.Hour), soon(judges(check.PageDecides)), up(200)},
		{"nor is one cut short", says("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<h1>Error establishing a database connection</h1>"), judges(check.PageDecides), up(200)},
	})
}

func TestWhatALookRemembers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, page string
		target     check.Target
		want       check.PageState
	}{
		{"filled", "<p>hello</p>", judges(check.PageDecides), check.PageFilled},
		{"empty", "", judges(check.PageDecides), check.PageEmpty},
		{"empty after filled", "", check.Target{PageRule: check.PageDecides, PageWasFilled: true}, check.PageEmpty},
		{"broken", fatalPage, judges(check.PageDecides), check.PageFilled},
		{"not judged", "<p>hello</p>", check.Target{}, check.PageNotJudged},
		{"read and not judged", "<p>hello</p>", byGet, check.PageNotJudged},
	} {
		site := fakesite.New(t)
		byPage("text/html", c.page)(site)
		target := c.target
		target.URL = site.URL()
		if o := probeInTime(t.Context(), t, newProber(t), target); o.PageState != c.want {
			t.Errorf("%s: got %+v", c.name, o)
		}
	}
}

package page

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// pageOf cuts a page as the prober does.
func pageOf(s string) Page {
	p := Page{Head: []byte(s), IsHTML: true}
	if len(s) > MaxHead {
		p.Head, p.Tail = []byte(s[:MaxHead]), []byte(s[max(MaxHead, len(s)-MaxTail):])
	}
	return p
}

func judged(s string) Verdict { return NewJudge().Verdict(pageOf(s)) }

// TestWordPressFailsInEveryLanguage has each of WordPress's failures in every language that
// is known, as wp_die makes it and as a page of one sentence.
func TestWordPressFailsInEveryLanguage(t *testing.T) {
	t.Parallel()
	for _, l := range translations() {
		for name, c := range map[string]struct{ page, want string }{
			"fatal":                      {diePage(l.language, "WordPress &rsaquo; x", fatalMessage(l.fatal, help, learn)), WordPressFatalError},
			"fatal, without the help":    {diePage(l.language, "WordPress &rsaquo; x", "<p>"+l.fatal+"</p>"), WordPressFatalError},
			"fatal, other sentence":      {diePage(l.language, "x", fatalMessage("Sentence that nobody knows.", help, learn)), WordPressFatalError},
			"fatal, alone":               {oldPage("x", l.fatal), WordPressFatalError},
			"fatal, alone with the help": {"<p>" + l.fatal + `</p><p><a href="` + help + `">` + learn + "</a></p>", WordPressFatalError},
			"database":                   {diePage(l.language, "x", "<h1>"+l.database+"</h1>"), WordPressDatabaseError},
			"database, with details":     {diePage(l.language, "x", "<h1>"+l.database+"</h1>\n<p>This either means that ...</p>"), WordPressDatabaseError},
			"database, alone":            {oldPage("x", l.database), WordPressDatabaseError},
			"maintenance":                {diePage(l.language, "x", l.maintenance), WordPressMaintenance},
			"maintenance, alone":         {oldPage("x", l.maintenance), WordPressMaintenance},
		} {
			if got := judged(c.page); got != (Verdict{Failure, c.want}) {
				t.Errorf("%s, %s: got %+v", l.language, name, got)
			}
		}
	}
	if n := len(translations()); n < 11 {
		t.Errorf("%d languages", n)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	fatal := diePage("en-US", "WordPress &rsaquo; Error", fatalMessage(translations()[0].fatal, help, learn))
	half := strings.TrimSuffix(sitePage("en-US", "A site", strings.Repeat("<p>Some text of the page.</p>\n", 50)), "</body></html>\n")
	long := strings.TrimSuffix(sitePage("en-US", "A site", strings.Repeat("<p>Some text of the page.</p>\n", 5000)), "</body></html>\n")
	for _, c := range []struct{ name, page, want string }{
		{"fatal error in the middle of a page", half + fatal, WordPressFatalError},
		{"fatal error in the middle of a long page", long + fatal, WordPressFatalError},
		{"fatal error behind PHP's message", fatalText + fatal, WordPressFatalError},
		{"fatal error behind letters that grow in capitals", strings.Repeat("<p>ɐɐɐɐ</p>", 6000) + fatal, WordPressFatalError},
		{"fatal error and a comment of a cache", fatal + "<!-- Cached by a plugin -->\n", WordPressFatalError},
		{"fatal error in capital tags", strings.NewReplacer("<body", "<BODY", "</body", "</BODY").Replace(fatal), WordPressFatalError},
		{"fatal error before WordPress 4.9", strings.NewReplacer(`<div class="wp-die-message">`, "", "</div>", "").Replace(fatal), WordPressFatalError},
		{"fatal error in French", diePage("fr-FR", "WordPress > Erreur", fatalMessage("Il y a eu une erreur critique sur ce site.", "https://fr.wordpress.org/support/article/debugging-in-wordpress/", "En apprendre plus")), WordPressFatalError},
		{"lost database with a script of a proxy", strings.Replace(oldPage("Database Error", "Error establishing a database connection"), "</body>", `<script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"></script></body>`, 1), WordPressDatabaseError},
		{"lost database as a fragment", "<h1>Error establishing a database connection</h1>", WordPressDatabaseError},
		{"lost database in an entity", oldPage("x", "Виникла помилка під час з&#8217;єднання з базою даних"), WordPressDatabaseError},
		{"PHP's message alone", fatalText, PHPFatalError},
		{"PHP's plain message alone", plainFatalText, PHPFatalError},
		{"parse error alone", "<br />\n<b>Parse error</b>:  syntax error, unexpected end of file in <b>/x.php</b> on line <b>9</b><br />\n", PHPFatalError},
		{"page that breaks off with PHP's message", half + fatalText, PHPFatalError},
		{"long page that breaks off with PHP's message", long + fatalText, PHPFatalError},
	} {
		if got := judged(c.page); got != (Verdict{Failure, c.want}) {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

func TestEmptyPages(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]string{
		"nothing": "", "blanks": " \r\n\t\n", "mark": "\ufeff", "frame": "<html><head></head><body></body></html>",
		"frame with a charset": `<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>  </body></html>`,
		"a comment":            "<!-- cached -->", "hard blanks": "<p>&nbsp;</p>",
	} {
		if got := judged(p); got != (Verdict{Empty, EmptyPage}) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestRemarks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, page, want string }{
		{"source", "<?php\n/** Front to the WordPress application. */\nrequire __DIR__ . '/wp-blog-header.php';\n", PHPSource},
		{"source behind a mark", "\ufeff <?PHP echo 1;", PHPSource},
		{"source before a page", "<?php get_header(); ?>\n<!DOCTYPE html><html></html>", PHPSource},
		{"message of a plugin", diePage("en-US", "WordPress &rsaquo; Error", "We open on Monday."), WordPressMessage},
		{"message with a link", diePage("en-US", "x", `<p>Please <a href="/wp-login.php">log in</a>.</p>`), WordPressMessage},
		{"listing of Apache", apacheListing, DirectoryListing},
		{"listing of nginx", nginxListing, DirectoryListing},
		{"listing of Python", "<html><head><title>Directory listing for /</title></head><body><h1>Directory listing for /</h1><hr><ul><li><a href=\"a/\">a/</a></li></ul></body></html>", DirectoryListing},
		{"listing of Microsoft", "<html><head><title>example.com - /</title></head><body><H1>example.com - /</H1><hr><pre><A HREF=\"/x/\">x</A></pre></body></html>", DirectoryListing},
		{"installation", installPage, InstallScreen},
		{"configuration", setupPage, InstallScreen},
		{"Drupal's installation", `<html><head><title>Choose language | Drupal</title></head><body><form action="/core/install.php" method="post"></form></body></html>`, InstallScreen},
		{"parked with ads", sedoPage, ParkingPage},
		{"parked by script", bodisPage, ParkingPage},
		{"parked, and led on", `<!DOCTYPE html><html><head><script>window.onload=function(){window.location.href="/lander"}</script></head></html>`, ParkingPage},
		{"parked by name", "<title>example.com is for sale</title><h1>Make an offer</h1>", ParkingPage},
		{"default page of nginx", nginxPage, DefaultPage},
		{"default page of Apache", "<html><body><h1>It works!</h1></body></html>", DefaultPage},
	} {
		if got := judged(c.page); got != (Verdict{Remark, c.want}) {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

// TestPagesAboutFailuresAreHealthy has pages that quote the failures, in every language.
func TestPagesAboutFailuresAreHealthy(t *testing.T) {
	t.Parallel()
	n := 0
	healthy := func(name, p string) {
		t.Helper()
		n++
		if got := judged(p); got != (Verdict{}) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	for _, l := range translations() {
		for _, sentence := range []string{l.fatal, l.database, l.maintenance} {
			healthy(l.language+", article with it in the title", sitePage(l.language, sentence, "<p>"+sentence+"</p><p>...</p>"))
			healthy(l.language+", article that quotes it", sitePage(l.language, "WordPress", "<blockquote>"+sentence+"</blockquote><p>"+learn+` <a href="`+help+`">`+help+"</a></p>"))
			healthy(l.language+", article that quotes the page", sitePage(l.language, "WordPress", "<pre>"+escaped(diePage(l.language, "WordPress", sentence))+"</pre>"))
			healthy(l.language+", short note", "<title>Note</title><p>"+sentence+" This was on our page yesterday. It is mended.</p>")
		}
	}
	if n < 40 {
		t.Errorf("only %d pages", n)
	}
}

func TestHealthyPages(t *testing.T) {
	t.Parallel()
	fatal := diePage("en-US", "WordPress &rsaquo; Error", fatalMessage(translations()[0].fatal, help, learn))
	text := translations()[0].database
	for name, p := range map[string]string{
		"site":                               sitePage("en-US", "A site", "<p>Hello.</p>"),
		"one word":                           "OK",
		"application":                        appPage,
		"log-in":                             loginPage,
		"page as long as it gets":            sitePage("en-US", "A site", strings.Repeat("<p>text</p>", 100_000)),
		"failure quoted in a text field":     sitePage("en-US", "A site", "<textarea>"+fatal+"</textarea>"),
		"failure quoted in a script":         sitePage("en-US", "A site", "<script>var page = `"+strings.ReplaceAll(fatal, "/", "\\/")+"`</script>"),
		"failure quoted in a comment":        sitePage("en-US", "A site", "<!-- "+fatal+" -->"),
		"failure quoted in a template":       sitePage("en-US", "A site", "<template>"+fatal+"</template>"),
		"failure in markup, and more behind": sitePage("en-US", "A site", fatal+"<p>This is what it looks like.</p>"),
		"long page that quotes it at its end": sitePage("en-US", "A site", strings.Repeat("<p>text</p>\n", 10_000)+
			"<textarea>"+fatal+"</textarea>"),
		"failure quoted in a text field, and only ends behind it": "<html><body><div><textarea>" + fatal + "</textarea></div></body></html>",
		"the same in a long page":                                 "<html><body><div>" + strings.Repeat("<p>text</p>\n", 10_000) + "<textarea>" + fatal + "</textarea></div></body></html>",
		"PHP's message quoted":                                    sitePage("en-US", "A site", "<pre>"+fatalText+"</pre>"),
		"PHP's message quoted at the end":                         "<html><body><h1>Today</h1>" + fatalText + "</body></html>",
		"long page that ends with PHP's message quoted":           "<html><body>" + strings.Repeat("<p>text</p>\n", 10_000) + fatalText + "</body></html>",
		"long page with PHP's message":                            sitePage("en-US", "A site", strings.Repeat("<p>text</p>\n", 10_000)+fatalText),
		"sentence under a film":                                   "<h1>" + text + `</h1><iframe src="https://www.youtube.com/embed/x"></iframe>`,
		"sentence under a picture":                                "<h1>" + text + `</h1><img src="x.png">`,
		"sentence with a form":                                    "<h1>" + text + `</h1><form action="/search"><input></form>`,
		"article about a listing":                                 sitePage("en-US", "Index of / explained", "<p>x</p>"),
		"book with an index":                                      sitePage("en-US", "Index of /Names/", "<p>A, B, C</p>"),
		"shop for domains":                                        sitePage("en-US", "Is your domain for sale?", strings.Repeat("<p>text of a shop</p>", 300)),
		"house for sale":                                          "<title>This house is for sale</title><p>With a garden.</p>",
		"page about nginx":                                        sitePage("en-US", "Welcome to nginx! What the page means", "<p>x</p>"),
		"article about PHP":                                       sitePage("en-US", "PHP", "<pre>&lt;?php echo 1;</pre>"),
		"XML, not PHP":                                            `<?xml version="1.0"?><html><head><title>A</title></head><body>b</body></html>`,
		"picture and nothing else":                                `<html><body><img src="logo.png"></body></html>`,
		"page that leads on":                                      `<meta http-equiv="refresh" content="0; url=/start/">`,
		"frames":                                                  `<html><frameset cols="*"><frame src="a.html"></frameset></html>`,
		"title alone":                                             `<html><head><title>Soon</title></head><body></body></html>`,
		"page with a theme's own id":                              `<html><head><title>Oops</title></head><body id="error-page"><h1>Not here</h1><a href="/">Home</a></body></html>`,
		"message of wp_die and more of it":                        strings.Replace(diePage("en", "x", "Soon"), "</html>", "<p>and more</p></html>", 1),
	} {
		if got := judged(p); got != (Verdict{}) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	for _, p := range []Page{{Head: []byte("{}")}, {Head: []byte(text)}, {Head: []byte("<h1>" + text + "</h1>")}} {
		if got := NewJudge().Verdict(p); got != (Verdict{}) {
			t.Errorf("%s, which is no HTML: got %+v", p.Head, got)
		}
	}
}

func TestOutline(t *testing.T) {
	t.Parallel()
	o := OutlineOf([]byte(`<!DOCTYPE html><html><head><title> A &amp;  B </title><script src=a.js></script><script>document.write("<p>no</p>")</script>
<style>p{}</style></head><body class="x y" id=z><h1>One<br>two</h1><p>a<b>b</b>&nbsp;c</p><noscript>never</noscript><template><p>nor</p></template>
<a href="/l">link</a><img src=i.png><form action=/f></form><iframe src=/i>in it</iframe></body></html>`))
	if o.Title != "A & B" || o.Heading != "One two" && o.Heading != "Onetwo" || o.Text != "One two ab c link" || o.TextBytes != len(o.Text) || o.Ending != o.Text {
		t.Errorf("texts: %+v", o)
	}
	if o.BodyID != "z" || o.BodyClass != "x y" || !o.Closed || o.InlineScripts != 1 || o.Shows != 3 || o.Styles != 1 {
		t.Errorf("structure: %+v", o)
	}
	if len(o.Scripts) != 1 || len(o.Frames) != 1 || len(o.Links) != 1 || len(o.Forms) != 1 {
		t.Errorf("addresses: %+v", o)
	}
}

// FuzzJudge shows that no page breaks the judge, and that a failure is never seen in a page
// that has a healthy site's frame around it.
func FuzzJudge(f *testing.F) {
	for _, l := range translations()[:3] {
		f.Add(diePage(l.language, "x", fatalMessage(l.fatal, help, learn)))
		f.Add(oldPage("x", l.database))
	}
	for _, p := range []string{fatalText, plainFatalText, apacheListing, installPage, bodisPage, appPage, "<?php x", "<title><h1>", "<template><template>", "\xff\xfe<body id=\"error-page\">"} {
		f.Add(p)
	}
	judge, long := NewJudge(), strings.Repeat("x", MaxHead)
	f.Fuzz(func(t *testing.T, p string) {
		o := OutlineOf([]byte(p))
		if len(o.Text) > maxText || len(o.Ending) > maxEnding || o.TextBytes > 2*len(p)+1 {
			t.Errorf("%d and %d bytes of %d", len(o.Text), len(o.Ending), len(p))
		}
		if v := judge.Verdict(pageOf(p)); (v.Kind == Good) != (v.Reason == "") {
			t.Errorf("got %+v", v)
		}
		judge.Verdict(pageOf(long + p))
		if !utf8.ValidString(p) || strings.ContainsRune(p, '<') {
			return
		}
		if v := judge.Verdict(pageOf(sitePage("en-US", "A site", "<p>"+p+"</p>"))); v.Kind == Failure || v.Kind == Empty {
			t.Errorf("a text in a site: %+v", v)
		}
	})
}

// BenchmarkJudge judges a page of usual size.
func BenchmarkJudge(b *testing.B) {
	p, judge := pageOf(sitePage("en-US", "A site", strings.Repeat("<p>Some <b>text</b> of a <a href=/x>page</a>.</p>\n", 1200))), NewJudge()
	b.ReportAllocs()
	for b.Loop() {
		if v := judge.Verdict(p); v.Kind != Good {
			b.Fatal(v)
		}
	}
}

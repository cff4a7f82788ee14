package errorlog

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// founding is the entry of the founding document: over several lines, with a call stack
// in another, and the values of a signed call in request and referrer.
const founding = `2018/01/03 11:07:23 [error] 19069#19069: *5375915 FastCGI sent in stderr: "PHP message: Error checking in buffer: The buffer you checked in was not checked out" while reading upstream, client: 192.0.87.45, server: lance.bio, request: "POST /xmlrpc.php?for=jetpack&token=SECRET1&timestamp=1514995642&nonce=SECRET2&body-hash=SECRET3%2B&signature=SECRET4%2B HTTP/1.1", upstream: "fastcgi://unix:/run/php/php7.0-fpm.sock:", host: "lance.bio", referrer: "https://lancecleveland.com/xmlrpc.php?for=jetpack&token=SECRET5&signature=SECRET6"
2018/01/03 11:08:00 [error] 19069#19069: *5375999 FastCGI sent in stderr: "PHP message: PHP   1. {main}() /var/www/lance/index.php:0
PHP message: PHP  14. Jetpack_Sync_Sender->do_full_sync() /var/www/lance/wp-includes/class-wp-hook.php:286
PHP message: Error checking in buffer: The buffer you checked in was not checked out" while reading upstream, client: 69.1.24.134, server: lance.bio, request: "GET /wp-json/jetpack/v4/plugins?_cacheBuster=1515008596547 HTTP/1.1", upstream: "fastcgi://unix:/x"
`

func read(t *testing.T, text string) Summary {
	t.Helper()
	c := New()
	if err := c.Read(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return c.Summary()
}

func TestTheFoundingMessageIsNamedAndNotTakenForFastCGIBuffers(t *testing.T) {
	t.Parallel()
	s := read(t, founding)
	if s.Entries != 2 || s.Bad != 0 || len(s.Groups) != 1 {
		t.Fatalf("%+v", s)
	}
	g := s.Groups[0]
	if g.Kind != KindBufferMismatch || g.Count != 2 || g.Jetpack != 2 || g.Harmless || !strings.Contains(g.Cause.Means, "buffer_mismatch") {
		t.Errorf("%+v", g)
	}
	if !slices.Equal(g.Paths, []string{"/wp-json/jetpack/v4/plugins", "/xmlrpc.php"}) {
		t.Errorf("paths %q", g.Paths)
	}
	if !g.First.Equal(time.Date(2018, 1, 3, 11, 7, 23, 0, time.UTC)) || !g.Last.Equal(time.Date(2018, 1, 3, 11, 8, 0, 0, time.UTC)) {
		t.Errorf("from %v to %v", g.First, g.Last)
	}
	if text := fmt.Sprintf("%+v", s); strings.Contains(text, "SECRET") {
		t.Errorf("a secret is shown: %s", text)
	}
}

func TestEachTroubleHasItsKind(t *testing.T) {
	t.Parallel()
	const nginx = "2018/01/03 11:07:23 [error] 1#1: *1 "
	for _, tt := range []struct {
		line string
		want Kind
	}{
		{nginx + "an upstream response is buffered to a temporary file /var/lib/nginx/fastcgi/1/00/0000000001 while reading upstream, client: 1.2.3.4", KindTemporaryFile},
		{nginx + "upstream timed out (110: Connection timed out) while reading response header from upstream", KindUpstreamTimeout},
		{nginx + "upstream sent too big header while reading response header from upstream", KindHeaderTooBig},
		{nginx + "upstream prematurely closed connection while reading response header from upstream", KindUpstreamClosed},
		{nginx + "recv() failed (104: Connection reset by peer) while reading response header from upstream", KindUpstreamClosed},
		{nginx + "connect() to unix:/run/php/php8.2-fpm.sock failed (11: Resource temporarily unavailable) while connecting to upstream", KindUpstreamRefused},
		{nginx + "connect() failed (111: Connection refused) while connecting to upstream", KindUpstreamRefused},
		{nginx + "client intended to send too large body: 2000000 bytes", KindRequestTooLarge},
		{nginx + "a client request body is buffered to a temporary file /x", KindRequestToFile},
		{nginx + `access forbidden by rule, client: 192.0.87.45, request: "POST /xmlrpc.php HTTP/1.1"`, KindForbiddenByRule},
		{nginx + `limiting requests, excess: 1.5 by zone "one"`, KindRateLimit},
		{nginx + `FastCGI sent in stderr: "PHP message: PHP Fatal error:  Uncaught Error: x in /y.php:3`, KindPHPFatal},
		{nginx + `FastCGI sent in stderr: "PHP message: PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted`, KindPHPMemory},
		{nginx + `FastCGI sent in stderr: "PHP message: PHP Fatal error:  Maximum execution time of 30 seconds exceeded`, KindPHPTime},
		{nginx + `FastCGI sent in stderr: "PHP message: PHP Warning:  Undefined array key`, KindPHPStderr},
		{nginx + `FastCGI sent in stderr: "PHP message: Error checking in buffer: There are no checked out buffers"`, KindSyncQueue},
		{nginx + `FastCGI sent in stderr: "PHP message: Jetpack: signature_mismatch"`, KindJetpackSigned},
		{nginx + `FastCGI sent in stderr: "PHP message: WordPress database error Table 'wp_options' is marked as crashed`, KindDatabase},
		{nginx + "open() failed", KindOther},
		{"[Wed Jan 03 11:07:23.123456 2018] [proxy_fcgi:error] [pid 1] [client 1.2.3.4:5] AH01075: Error dispatching request to : (70007)The timeout specified has expired", KindUpstreamTimeout},
		{"[Wed Jan 03 11:07:23 2018] [authz_core:error] [pid 1] AH01630: client denied by server configuration: /var/www/xmlrpc.php", KindForbiddenByRule},
		{`[Wed Jan 03 11:07:23.1 2018] [:error] [pid 1] ModSecurity: Access denied with code 406 (phase 2). [id "950006"]`, KindModSecurity},
		{"[Wed Jan 03 11:07:23 2018] [error] [client 1.2.3.4] client denied by server configuration: /var/www/xmlrpc.php", KindForbiddenByRule},
		{"[Wed Jan 03 11:07:23 2018] [alert] [client 1.2.3.4] /var/www/.htaccess: Invalid command 'php_value', perhaps misspelled", KindHtaccess},
		{"[Wed Jan 03 11:07:23.1 2018] [core:alert] [pid 1] [client 1.2.3.4:5] /var/www/.htaccess: Option FollowSymLinks not allowed here", KindHtaccess},
		{"[Wed Jan 03 11:07:23.1 2018] [core:crit] [pid 1] (13)Permission denied: [client 1.2.3.4:5] AH00529: /var/www/.htaccess pcfg_openfile: unable to check htaccess file", KindHtaccess},
		{"[Wed Jan 03 11:07:23.1 2018] [core:error] [pid 1] [client 1.2.3.4:5] AH00124: Request exceeded the limit of 10 internal redirects due to probable configuration error.", KindRedirectLoop},
		{nginx + `rewrite or internal redirection cycle while internally redirecting to "/index.php"`, KindRedirectLoop},
		{"[Wed Jan 03 11:07:23.1 2018] [proxy_fcgi:error] [pid 1] [client 1.2.3.4:5] AH01071: Got error 'Primary script unknown'", KindScriptUnknown},
		{nginx + `FastCGI sent in stderr: "Primary script unknown" while reading response header from upstream`, KindScriptUnknown},
		{"[Wed Jan 03 11:07:23.1 2018] [proxy_fcgi:error] [pid 1] [client 1.2.3.4:5] AH01071: Got error 'PHP message: PHP Fatal error:  Allowed memory size of 1 bytes exhausted", KindPHPMemory},
		{"[Wed Jan 03 11:07:23.1 2018] [mpm_prefork:error] [pid 1] AH00161: server reached MaxRequestWorkers setting", KindMaxChildren},
		{"[Wed Jan 03 11:07:23.1 2018] [core:notice] [pid 1] AH00052: child pid 2 exit signal Segmentation fault (11)", KindPHPCrash},
		{`[Wed Jan 03 11:07:23.1 2018] [:error] [pid 1] ModSecurity: Warning. Pattern match [id "920350"] [uri "/xmlrpc.php"]`, KindModSecurityNoted},
		{nginx + `connect() to unix:/run/php/php8.2-fpm.sock failed (13: Permission denied) while connecting to upstream`, KindUpstreamDenied},
		{nginx + `pwrite() "/var/lib/nginx/fastcgi/1" failed (28: No space left on device)`, KindDiskFull},
		{"2018/01/03 11:07:23 [alert] 1#1: 1024 worker_connections are not enough", KindOpenFiles},
		{"[03-Jan-2018 11:07:23] WARNING: [pool www] child 2, script '/x/xmlrpc.php' (request: \"POST /xmlrpc.php\") executing too slow (5.1 sec), logging", KindPHPSlow},
		{"[03-Jan-2018 11:07:23]  [pool www] pid 2\nscript_filename = /x/xmlrpc.php\n[0x00007f] curl_exec() /x/wp-includes/cURL.php:1\n[0x00007e] request() /x/y.php:2", KindPHPSlow},
		{"[03-Jan-2018 11:07:23] WARNING: [pool www] child 2, script '/x/y.php' execution timed out (30.1 sec), terminating", KindPHPTime},
		{"[03-Jan-2018 11:07:23] WARNING: [pool www] child 2 exited on signal 11 (SIGSEGV) after 2 seconds", KindPHPCrash},
		{"[03-Jan-2018 11:07:23] WARNING: [pool www] server reached pm.max_children setting (5), consider raising it", KindMaxChildren},
		{"[03-Jan-2018 11:07:23 UTC] PHP Fatal error:  Uncaught Error", KindPHPFatal},
		{"[03-Jan-2018 11:07:23 Europe/Berlin] PHP Notice:  x", KindPHPStderr},
	} {
		s := read(t, tt.line)
		if len(s.Groups) != 1 || s.Groups[0].Kind != tt.want || s.Bad != 0 {
			t.Errorf("%s\nis %+v, want %s", tt.line, s, tt.want)
			continue
		}
		if g := s.Groups[0]; g.Cause.Means == "" || g.Cause.Owner+g.Cause.Host == "" || !g.First.Equal(time.Date(2018, 1, 3, 11, 7, 23, 0, time.UTC)) {
			t.Errorf("%s: at %v, %+v", g.Kind, g.First, g.Cause)
		}
	}
	kinds := map[Kind]bool{}
	for _, tr := range newCatalogue().troubles {
		if kinds[tr.kind] || len(tr.marks) == 0 && tr.kind != KindOther {
			t.Errorf("%s is there twice or has no mark", tr.kind)
		}
		kinds[tr.kind] = true
	}
}

func TestGroupsAreSortedAndBadLinesCounted(t *testing.T) {
	t.Parallel()
	s := read(t, "a line of no entry\n\x00\x01binary\n"+strings.Repeat("2018/01/03 11:07:23 [error] upstream timed out\n", 3)+
		"2018/01/03 11:07:24 [error] PHP Fatal error\n  #0 stack\n  #1 stack\n")
	if s.Entries != 4 || s.Bad != 2 || len(s.Groups) != 2 || s.Groups[0].Kind != KindUpstreamTimeout || s.Groups[0].Count != 3 {
		t.Errorf("%+v", s)
	}
}

func TestPackedLogsAreRead(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(founding))
	_ = w.Close()
	c := New()
	if err := c.Read(&b); err != nil || c.Summary().Entries != 2 {
		t.Errorf("%+v, %v", c.Summary(), err)
	}
}

func TestEntriesAndPathsAreBounded(t *testing.T) {
	t.Parallel()
	c := New()
	c.line([]byte("2018/01/03 11:07:23 [error] upstream timed out"))
	for range 10_000 {
		c.line([]byte(strings.Repeat("a stack trace that does not end ", 30)))
	}
	if cap(c.open) > 8*maxEntry {
		t.Errorf("an entry of %d bytes is held", cap(c.open))
	}
	for i := range 1000 {
		c.line(fmt.Appendf(nil, `2018/01/03 11:07:23 [error] upstream timed out, request: "GET /%d HTTP/1.1"`, i))
	}
	c.flush()
	if s := c.Summary(); s.Entries != 1001 || len(s.Groups[0].Paths) > maxPaths || len(s.Groups[0].Example) > maxExample+3 {
		t.Errorf("%d entries, %d paths", s.Entries, len(s.Groups[0].Paths))
	}
}

func TestSecretsAreTakenOut(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"GET /?token=SECRET&x=1 HTTP/1.1", "token=SECRET", "a token=SECRET, b", `"signature=SECRET"`, "Authorization: Bearer SECRET",
		"Authorization: Basic SECRET x", `Authorization: X_JETPACK token="SECRET" timestamp="1" nonce="SECRET"`, "Cookie: SECRET",
		"password=SECRET", "&nonce=SECRET&", "?\nfor=jetpack\n&token=SECRET\n&body-hash=SECRET", "https://h/p?SECRET", "token%3DSECRET",
		"access_token=SECRET", "'token'=>'SECRET'", `{"token":"SECRET"}`, "[secret] => SECRET", "TOKEN=SECRET",
	} {
		if got := Redact(text); strings.Contains(got, "SECRET") {
			t.Errorf("%q shows as %q", text, got)
		}
	}
	for _, text := range []string{"PHP Fatal error: Uncaught Error in /x/token.php:3", "monkey=1", "/wp-content/keys/a.php", "error code: 403"} {
		if got := Redact(text); got != text {
			t.Errorf("%q shows as %q", text, got)
		}
	}
	if got := Redact("a\x1b[31mb\u202ec\xff\n" + strings.Repeat("é", 400)); strings.ContainsAny(got, "\x1b\n\u202e") || len(got) > maxExample+3 {
		t.Errorf("%q", got)
	}
}

func FuzzReadNeverPanics(f *testing.F) {
	f.Add([]byte(founding))
	f.Add([]byte("[Wed Jan 03 11:07:23.1 2018] x\n[03-Jan-2018 11:07:23] y\n[] z\n[0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := New()
		_ = c.Read(bytes.NewReader(data))
		var sum uint64
		for _, g := range c.Summary().Groups {
			sum += g.Count
		}
		if sum != c.Summary().Entries {
			t.Errorf("%d in groups of %d", sum, c.Summary().Entries)
		}
	})
}

func TestAGroupSaysWhoIsMetAndWhatIsBlamed(t *testing.T) {
	t.Parallel()
	const apache = "[Wed Jan 03 11:07:23.1 2018] [:error] [pid 1] "
	for _, tt := range []struct {
		line               string
		jetpack, elsewhere uint64
		path, culprit      string
	}{
		{`2018/01/03 11:07:23 [error] 1#1: access forbidden by rule, request: "GET /.env HTTP/1.1"`, 0, 1, "/.env", ""},
		{`2018/01/03 11:07:23 [error] 1#1: access forbidden by rule, request: "POST /xmlrpc.php HTTP/1.1"`, 0, 1, "/xmlrpc.php", ""},
		{`2018/01/03 11:07:23 [error] 1#1: access forbidden by rule, request: "POST /xmlrpc.php?for=jetpack&token=SECRET HTTP/1.1"`, 1, 0, "/xmlrpc.php", ""},
		{apache + `ModSecurity: Access denied with code 403 (phase 2). [id "949110"] [uri "/xmlrpc.php"]`, 1, 0, "/xmlrpc.php", "rule 949110"},
		{apache + `ModSecurity: Access denied with code 403 (phase 2). [id "949110"] [uri "/wp-login.php"]`, 0, 1, "/wp-login.php", "rule 949110"},
		{apache + `AH01630: client denied by server configuration: /var/www/xmlrpc.php`, 1, 0, "/var/www/xmlrpc.php", ""},
		{"[03-Jan-2018 11:07:23 UTC] PHP Fatal error:  Uncaught Error in /x/wp-content/plugins/slow-shop/a.php:3", 0, 0, "", "plugin slow-shop"},
		{"[03-Jan-2018 11:07:23 UTC] PHP Fatal error:  Uncaught Error in /x/wp-content/themes/old/a.php:3", 0, 0, "", "theme old"},
		{"[03-Jan-2018 11:07:23]  [pool www] pid 2\nscript_filename = /x/xmlrpc.php\n[0x00007f] curl_exec() /x/cURL.php:1", 1, 0, "/x/xmlrpc.php", "curl_exec()"},
	} {
		s := read(t, tt.line)
		if len(s.Groups) != 1 {
			t.Fatalf("%+v", s)
		}
		g := s.Groups[0]
		if g.Jetpack != tt.jetpack || g.Elsewhere != tt.elsewhere || strings.Join(g.Paths, " ") != tt.path || strings.Join(g.Culprits, " ") != tt.culprit {
			t.Errorf("%s\n%d, %d, %q, %q", tt.line, g.Jetpack, g.Elsewhere, g.Paths, g.Culprits)
		}
	}
}

func TestAdviceIsForTheServerThatWroteTheLog(t *testing.T) {
	t.Parallel()
	nginx := read(t, "2018/01/03 11:07:23 [error] 1#1: upstream timed out")
	apache := read(t, "[Wed Jan 03 11:07:23.1 2018] [proxy_fcgi:error] [pid 1] AH01075: (70007)The timeout specified has expired")
	if nginx.Server != Nginx || !strings.Contains(nginx.Groups[0].Cause.Host, "fastcgi_read_timeout") {
		t.Errorf("%+v", nginx)
	}
	if apache.Server != Apache || !strings.Contains(apache.Groups[0].Cause.Host, "ProxyTimeout") || strings.Contains(apache.Groups[0].Cause.Host, "fastcgi_") {
		t.Errorf("%+v", apache)
	}
	for _, tr := range newCatalogue().troubles {
		if host := tr.of(Apache).Host; strings.Contains(host, "fastcgi_") && tr.kind != KindHeaderTooBig {
			t.Errorf("%s tells Apache's host: %s", tr.kind, host)
		}
	}
}

func TestEveryCauseIsWholeAndItsAdviceDestroysNothing(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, c := range Causes() {
		if c.Means == "" || c.Owner+c.Host == "" {
			t.Errorf("%+v", c)
		}
		for _, text := range []string{c.Owner, c.Host} {
			if before, ok := seen[text]; ok && text != "" && before != c.Name {
				t.Errorf("%s and %s share %q", before, c.Name, text)
			}
			seen[text] = c.Name
			for _, word := range []string{"reset", "delete", "DELETE", "drop", "truncate", "rm ", "turn off the plugin", "deactivate"} {
				if strings.Contains(text, word) {
					t.Errorf("%s says %q: %s", c.Name, word, text)
				}
			}
		}
	}
}

func TestOnlyALogWithWarningsCanShowThatThereWereNone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"2018/01/03 11:07:23 [error] 1#1: upstream timed out":                                        false,
		"2018/01/03 11:07:23 [warn] 1#1: *1 an upstream response is buffered to a temporary file /x": true,
		"2018/01/03 11:07:23 [notice] 1#1: signal process started":                                   true,
		"[Wed Jan 03 11:07:23.1 2018] [mpm_event:notice] [pid 1] AH00489: Apache configured":         false,
	} {
		if s := read(t, text); s.Warnings != want {
			t.Errorf("%s: %v", text, s.Warnings)
		}
	}
}

func FuzzRedactShowsNoSecret(f *testing.F) {
	f.Add("GET /?", " HTTP/1.1")
	f.Add("a, ", ", b")
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, "S3CR3T") {
			t.Skip()
		}
		text := before + "&token=S3CR3T&" + after
		if got := Redact(text); strings.Contains(got, "S3CR3T") {
			t.Errorf("%q shows as %q", text, got)
		}
		requestPath(text)
		culprit(text)
	})
}

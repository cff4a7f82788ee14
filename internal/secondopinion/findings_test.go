package secondopinion

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/test/fakesite"
)

// TestWhatEnginesMisreadIsAGoodPage has the answers that check engines have called failures
// and browsers do not mind. With any mend of the engine undone, this reader still gets the
// page, so that no outage would be confirmed.
func TestWhatEnginesMisreadIsAGoodPage(t *testing.T) {
	t.Parallel()
	untilItComesBack := func(set, sent string) func(*fakesite.Site) {
		return answers(func(r *http.Request) string {
			if r.Header.Get("Cookie") == sent {
				return ok
			}
			return moved("Location: /", "Set-Cookie: "+set)
		})
	}
	tests := []struct {
		name string
		site func(*fakesite.Site)
		// host is another name for the site; the default is its address. path is not "/".
		host, path string
	}{
		{"a cookie of JSON that must come back", untilItComesBack(`state={"seen":1}; Path=/`, `state={"seen":1}`), "", ""},
		{"a cookie whose name is no token", untilItComesBack(`a[b]=1; Path=/`, `a[b]=1`), "", ""},
		{"a cookie in quotes with a comma", untilItComesBack(`a="b, c"`, `a="b, c"`), "", ""},
		{"a cookie in Latin-1", untilItComesBack("a=\xe9", "a=\xe9"), "", ""},
		{"a Location of three slashes", answers(func(r *http.Request) string {
			return map[bool]string{true: ok, false: moved("Location: ///" + r.Host + "/x")}[r.RequestURI == "/x"]
		}), "", ""},
		{"a Location of backslashes", only("/x", `Location: \x`), "", ""},
		{"a Location with a byte of Latin-1", only("/caf%E9", "Location: /caf\xe9"), "", ""},
		{"a Location with UTF-8", only("/caf%C3%A9", "Location: /café"), "", ""},
		{"a Location that is encoded in part", only("/a%2Fb|c", "Location: /a%2Fb|c"), "", ""},
		{"a Location with a lone per cent sign", only("/100%", "Location: /100%"), "", ""},
		{"a folded Location", only("/x", "Location:\r\n /x"), "", ""},
		{"a folded Location, with a tab", only("/x", "X-A: b", "Location:\r\n\t\t/x"), "", ""},
		{"a Location between blanks", only("/x", "Location:   /x  "), "", ""},
		{"a path with two slashes", only("//x", "Location: /.//x"), "", ""},
		{"a URL with a lone per cent sign", answers(func(r *http.Request) string {
			return map[bool]string{true: ok, false: notFound}[r.RequestURI == "/sale-100%"]
		}), "", "/sale-100%"},
		{"a host with hyphens that browsers take", says(ok), "i--.bücher.test", ""},
		{"a host of signs", says(ok), "-a~b!.test", ""},
		{"a host in capitals with a dot at its end", says(ok), "I--.XN--BCHER-KVA.test.", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			names := fakesite.NewDNS(t)
			names.Host("i--.xn--bcher-kva.test", "127.0.0.1")
			names.Host("-a~b!.test", "127.0.0.1")
			site := fakesite.New(t)
			tt.site(site)
			r := newReader(t, func(o *probe.Options) { o.Resolver = names.Addr() })
			host := site.Addr().String()
			if tt.host != "" {
				host = fmt.Sprintf("%s:%d", tt.host, site.Port())
			}
			path := tt.path
			if path == "" {
				path = "/"
			}
			isGood(t, tt.name, r.Ask(t.Context(), check.Target{URL: "http://" + host + path}, check.Observation{}))
		})
	}
}

// A URL with a scheme and one slash names the host on a page of another scheme.
func TestALocationOfOneSlashLeadsToAnotherScheme(t *testing.T) {
	t.Parallel()
	secret, plain := fakesite.NewTLS(t, fakesite.Valid), fakesite.New(t)
	says(moved("Location: https:/" + secret.Addr().String() + "/"))(plain)
	r := newReader(t, func(o *probe.Options) { o.RootCAs = secret.Roots() })
	isGood(t, "from http to https", r.Ask(t.Context(), check.Target{URL: plain.URL()}, check.Observation{}))
}

func TestAServerThatSpeaksOnlyHTTP2IsRead(t *testing.T) {
	t.Parallel()
	config, roots := fakesite.Valid.Config(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/there", http.StatusFound)
			return
		}
		fmt.Fprint(w, strings.Repeat("x", 300<<10))
	})}
	s.Protocols.SetHTTP2(true)
	s.TLSConfig = config
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.ServeTLS(l, "", "") }()
	t.Cleanup(func() { _ = s.Close(); <-ended })
	r := newReader(t, func(o *probe.Options) { o.RootCAs = roots })
	o := r.Ask(t.Context(), check.Target{URL: "https://" + l.Addr().String() + "/"}, check.Observation{})
	isGood(t, "HTTP/2 only", o)
	if o.Protocol != "HTTP/2" || len(o.Hops) != 1 || o.CertificateExpire.IsZero() {
		t.Errorf("%+v", o)
	}
}

func TestAStrayCertificateDoesNotMatter(t *testing.T) {
	t.Parallel()
	other := func(v fakesite.Variant) []byte {
		config, _ := v.Config(t)
		return config.Certificates[0].Certificate[0]
	}
	askOf := func(least uint16, v fakesite.Variant, change func(*tls.Certificate)) check.Observation {
		site := fakesite.NewTLSWith(t, v, func(c *tls.Config) {
			c.MinVersion = least
			change(&c.Certificates[0])
		})
		r := newReader(t, func(o *probe.Options) { o.RootCAs = site.Roots() })
		return r.Ask(t.Context(), check.Target{URL: site.URL(), Settings: check.Settings{RequiredTexts: []string{"status 200"}}}, check.Observation{})
	}
	ask := func(v fakesite.Variant, change func(*tls.Certificate)) check.Observation { return askOf(0, v, change) }
	shows := func(stray []byte) func(*tls.Certificate) {
		return func(c *tls.Certificate) { c.Certificate = append(c.Certificate, stray) }
	}
	expired := other(fakesite.Expired)
	for name, stray := range map[string][]byte{
		"expired": expired, "of another root": other(fakesite.SelfSigned), "cut off": expired[:99], "no certificate": []byte("hello"), "of no bytes": {},
	} {
		for _, least := range []uint16{0, tls.VersionTLS13} {
			o := askOf(least, fakesite.Valid, shows(stray))
			isGood(t, fmt.Sprintf("%s, from version %x", name, least), o)
			if o.CertificateExpire.IsZero() {
				t.Errorf("%s: the leaf's end is not known", name)
			}
		}
	}
	// What is wrong with the chain itself stays so.
	isBad(t, "behind an expired leaf", ask(fakesite.Expired, shows(expired[:99])), check.FailureTLS, "expired")
	isBad(t, "behind a leaf for another host", ask(fakesite.WrongHost, shows(expired[:99])), check.FailureTLS, "wrong_host")
	isBad(t, "behind a leaf for another host, of TLS 1.3", askOf(tls.VersionTLS13, fakesite.WrongHost, shows(expired[:99])), check.FailureTLS, "wrong_host")
	isBad(t, "in place of the issuer", ask(fakesite.MissingIntermediate, shows(expired[:99])), check.FailureTLS, "unknown_issuer")
	isBad(t, "as the leaf", ask(fakesite.Valid, func(c *tls.Certificate) { c.Certificate[0] = expired[:99] }), check.FailureTLS, "handshake_failure")
}

// A path that drops questions with EDNS answers all others.
func TestNamesAreAskedForWithoutEDNS(t *testing.T) {
	t.Parallel()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up := make(chan struct{})
	s := &dns.Server{PacketConn: packets, NotifyStartedFunc: func() { close(up) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		if q.IsEdns0() != nil {
			return
		}
		a := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			a.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)}}
		}
		_ = w.WriteMsg(a)
	})}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.ActivateAndServe() }()
	<-up
	t.Cleanup(func() { _ = s.Shutdown(); <-ended })
	site := fakesite.New(t)
	r := newReader(t, func(o *probe.Options) { o.Resolver = packets.LocalAddr().String() })
	isGood(t, "no EDNS", r.Ask(t.Context(), check.Target{URL: site.At("site.test").URL()}, check.Observation{}))
}

// TestAnAnswerThatIsTooLongComesOverTCP shows that names work without EDNS.
func TestAnAnswerThatIsTooLongComesOverTCP(t *testing.T) {
	t.Parallel()
	names, site := fakesite.NewDNS(t), fakesite.New(t)
	names.Set("site.test", fakesite.Answer{Addrs: []string{"127.0.0.1"}, Cut: true})
	r := newReader(t, func(o *probe.Options) { o.Resolver = names.Addr() })
	isGood(t, "TCP", r.Ask(t.Context(), check.Target{URL: site.At("site.test").URL()}, check.Observation{}))
	if names.OverTCP() == 0 {
		t.Error("nothing was asked over TCP")
	}
}

func TestTheSecondNameServerIsAskedWhenTheFirstFails(t *testing.T) {
	t.Parallel()
	names, broken, site := fakesite.NewDNS(t), fakesite.NewDNS(t), fakesite.New(t)
	names.Host("site.test", "127.0.0.1")
	broken.Set("site.test", fakesite.Answer{Rcode: dns.RcodeServerFailure})
	r := newReader(t, func(o *probe.Options) { o.Resolver = broken.Addr() + "," + names.Addr() })
	isGood(t, "second server", r.Ask(t.Context(), check.Target{URL: site.At("site.test").URL()}, check.Observation{}))
}

func TestNameServersAreHostAndPort(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"127.0.0.1", "127.0.0.1:53,", ":53", "127.0.0.1:", "a:b:c"} {
		if _, err := New(probe.Options{Resolver: list}); err == nil {
			t.Errorf("%q is taken", list)
		}
	}
}

// TestWhatIsBrokenStaysBroken has answers that browsers do not show either.
func TestWhatIsBrokenStaysBroken(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		site   func(*fakesite.Site)
		kind   check.FailureKind
		reason string
	}{
		{"a loop of redirects", says(moved("Location: /")), check.FailureRedirect, "too_many"},
		{"a loop that sets a cookie", says(moved("Location: /", "Set-Cookie: a=b")), check.FailureRedirect, "too_many"},
		{"a redirect to nowhere", says(moved("X-A: b")), check.FailureRedirect, "no_location"},
		{"a control byte in the first line", says("HTTP/1.1 200 O\x00K\r\nContent-Length: 0\r\n\r\n"), check.FailureProtocol, "bad_header"},
		{"two redirects in one", says(moved("Location: /a", "Location: /b")), check.FailureProtocol, "bad_header"},
		{"chunks with bad lengths by hand", says("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n4\nabcd\nzz\n"), check.FailureProtocol, "malformed"},
		{"chunks that are cut short, with line feeds", says("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n4\nabcd\n4\nab"), check.FailurePartial, "cut_short"},
		{"a redirect to a file", says(moved("Location: file:///etc/passwd")), check.FailureRedirect, "bad_location"},
		{"a redirect to a script", says(moved("Location: javascript:alert(1)")), check.FailureRedirect, "bad_location"},
		{"a redirect to a host that is none", says(moved("Location: http://a b/")), check.FailureRedirect, "bad_location"},
		{"a redirect to port 0", says(moved("Location: http://127.0.0.1:0/")), check.FailureRedirect, "bad_location"},
		{"no HTTP", says("SSH-2.0-OpenSSH_9.2\r\n"), check.FailureProtocol, "malformed"},
		{"no answer", says(""), check.FailureProtocol, "malformed"},
		{"a control byte in the header", says("HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 0\r\n\r\n"), check.FailureProtocol, "malformed"},
		{"an endless header", says("HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 300<<10)), check.FailureProtocol, "malformed"},
		{"two lengths", says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok"), check.FailureProtocol, "malformed"},
		{"a body that is cut short", says("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\ncut"), check.FailurePartial, "cut_short"},
		{"chunks that are cut short", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\ncut"), check.FailurePartial, "cut_short"},
		{"garbage for chunks", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n"), check.FailureProtocol, "malformed"},
		{"garbage for gzip", says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"), check.FailureProtocol, "malformed"},
		{"status 500", func(s *fakesite.Site) { s.SetStatus(500) }, check.FailureServer, "http_500"},
		{"status 404", func(s *fakesite.Site) { s.SetStatus(404) }, check.FailureClient, "http_404"},
		{"status 403", func(s *fakesite.Site) { s.SetStatus(403) }, check.FailureBlocked, "http_403"},
		{"status 999", says("HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n"), check.FailureProtocol, "bad_status"},
		{"a reset", (*fakesite.Site).Reset, check.FailureConnect, "reset"},
		{"a refusal", (*fakesite.Site).Refuse, check.FailureConnect, "refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			site := fakesite.New(t)
			tt.site(site)
			o := newReader(t).Ask(t.Context(), check.Target{URL: site.URL()}, check.Observation{})
			isBad(t, tt.name, o, tt.kind, tt.reason)
			if n := site.Requests(""); n > check.MaxRedirects+2 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestCertificatesAreVerified(t *testing.T) {
	t.Parallel()
	for v, reason := range map[fakesite.Variant]string{
		fakesite.Expired: "expired", fakesite.NotYetValid: "expired", fakesite.WrongHost: "wrong_host",
		fakesite.SelfSigned: "unknown_issuer", fakesite.UnknownIssuer: "unknown_issuer", fakesite.MissingIntermediate: "unknown_issuer",
		fakesite.UnknownCritical: "bad_certificate", fakesite.WrongUsage: "bad_certificate", fakesite.ClientCertificate: "handshake_failure",
	} {
		site := fakesite.NewTLS(t, v)
		r := newReader(t, func(o *probe.Options) { o.RootCAs = site.Roots() })
		o := r.Ask(t.Context(), check.Target{URL: site.URL()}, check.Observation{})
		isBad(t, fmt.Sprint("variant ", v), o, check.FailureTLS, reason)
	}
	for _, v := range []fakesite.Variant{fakesite.Valid, fakesite.Expiring, fakesite.TLS10, fakesite.TLS11, fakesite.TLS12} {
		site := fakesite.NewTLS(t, v)
		r := newReader(t, func(o *probe.Options) { o.RootCAs = site.Roots() })
		isGood(t, fmt.Sprint("variant ", v), r.Ask(t.Context(), check.Target{URL: site.URL()}, check.Observation{}))
	}
}

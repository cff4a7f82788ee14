package jetpack_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/test/fakesite"
)

// secure starts a TLS site under a name that only its own name server resolves.
func secure(t *testing.T, v fakesite.Variant, h http.Handler) (*fakesite.Site, *probe.Prober) {
	t.Helper()
	site := fakesite.NewTLS(t, v).At("shop.example.test")
	site.SetHandler(h.ServeHTTP)
	names := fakesite.NewDNS(t)
	names.Host("shop.example.test", "127.0.0.1")
	p, err := probe.New(probe.Options{AllowPrivate: true, Resolver: names.Addr(), RootCAs: site.Roots()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return site, p
}

func TestASiteWithTLSIsDiagnosedByItsName(t *testing.T) {
	t.Parallel()
	var hosts []string
	server, prober := secure(t, fakesite.Valid, http.NotFoundHandler())
	options := connected()
	options.Home = server.URL()
	site := fakejetpack.New(options)
	server.SetHandler(func(w http.ResponseWriter, r *http.Request) {
		hosts = append(hosts, r.Host) // requests come one after the other
		site.ServeHTTP(w, r)
	})
	w := newWorld(t, site)
	w.com.Sites["shop.example.test"] = fakejetpack.Metadata{ID: 7, URL: strings.TrimSuffix(server.URL(), "/"), Jetpack: true}
	r := diagnose(t, w, func(o *jetpack.Options, target *jetpack.Target) {
		o.Prober, o.RootCAs, target.URL = prober, server.Roots(), server.URL()
	})
	if r.Worst() != jetpack.Pass || r.Find("tls").Verdict != jetpack.Pass || r.Find("signed_by_blog").Verdict != jetpack.Pass {
		t.Errorf("%s", table(r))
	}
	for _, host := range hosts {
		if host != "shop.example.test:"+strconv.Itoa(int(server.Port())) {
			t.Errorf("called as %s", host)
		}
	}
}

func TestANameThatIsNotASCIIIsCalledByItsASCIIForm(t *testing.T) {
	t.Parallel()
	var hosts []string
	site := fakesite.New(t)
	site.SetHandler(func(w http.ResponseWriter, r *http.Request) {
		hosts = append(hosts, r.Host)
		fakejetpack.New(connected()).ServeHTTP(w, r)
	})
	names := fakesite.NewDNS(t)
	names.Host("xn--bcher-kva.example.test", "127.0.0.1")
	p, err := probe.New(probe.Options{AllowPrivate: true, Resolver: names.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	w := newWorld(t, fakejetpack.New(connected()))
	port := strconv.Itoa(int(site.Port()))
	r := diagnose(t, w, func(o *jetpack.Options, target *jetpack.Target) {
		o.Prober, o.MetadataURL, target.URL = p, jetpack.NoMetadata, "http://Bücher.example.test:"+port+"/"
	})
	if r.Worst() != jetpack.Pass {
		t.Errorf("%s", table(r))
	}
	for _, host := range hosts {
		if host != "xn--bcher-kva.example.test:"+port {
			t.Errorf("called as %s", host)
		}
	}
}

func TestTroubleWithTLSAndNamesIsTold(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		variant fakesite.Variant
		verdict jetpack.Verdict
		cause   string
	}{
		"an expired certificate":       {fakesite.Expired, jetpack.Fail, "tls_expired"},
		"a certificate of another":     {fakesite.WrongHost, jetpack.Fail, "tls_wrong_host"},
		"a certificate of one's own":   {fakesite.SelfSigned, jetpack.Fail, "tls_self_signed"},
		"a chain that is not complete": {fakesite.MissingIntermediate, jetpack.Fail, "tls_unknown_issuer"},
		"a certificate that ends soon": {fakesite.Expiring, jetpack.Warn, "tls_expiring"},
		"an old version":               {fakesite.TLS11, jetpack.Warn, "tls_deprecated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, prober := secure(t, tt.variant, fakejetpack.New(connected()))
			w := newWorld(t, fakejetpack.New(connected()))
			r := diagnose(t, w, func(o *jetpack.Options, target *jetpack.Target) {
				o.Prober, o.RootCAs, target.URL = prober, server.Roots(), server.URL()
			})
			expect(t, r, "tls", tt.verdict, tt.cause)
			if open := r.Find("xmlrpc_post").Verdict == jetpack.Pass; open != (tt.verdict == jetpack.Warn) {
				t.Errorf("xmlrpc.php: %+v", r.Find("xmlrpc_post"))
			}
		})
	}
	t.Run("a name that does not exist", func(t *testing.T) {
		t.Parallel()
		_, prober := secure(t, fakesite.Valid, fakejetpack.New(connected()))
		w := newWorld(t, fakejetpack.New(connected()))
		r := diagnose(t, w, func(o *jetpack.Options, target *jetpack.Target) {
			o.Prober, target.URL, o.MetadataURL = prober, "https://nobody.example.test/", jetpack.NoMetadata
		})
		expect(t, r, "dns", jetpack.Fail, "dns_nxdomain")
	})
}

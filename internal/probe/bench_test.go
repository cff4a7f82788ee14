package probe

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// BenchmarkCheck compares one HEAD check with the same check by a tuned net/http client.
// Both share the machine with the target, so only the ratio counts.
func BenchmarkCheck(b *testing.B) {
	for _, target := range []struct {
		name string
		site func() *fakesite.Site
	}{
		{"plain", func() *fakesite.Site { return fakesite.New(b) }},
		{"TLS", func() *fakesite.Site { return fakesite.NewTLS(b, fakesite.Valid) }},
	} {
		site := target.site()
		answersAtOnce(site)
		b.Run(target.name+"/probe", func(b *testing.B) { benchProbe(b, site.URL(), site.Roots()) })
		b.Run(target.name+"/net_http", func(b *testing.B) { benchNetHTTP(b, site.URL(), site.Roots()) })
	}
}

// answersAtOnce answers without the site's HTTP server, which would cost more.
func answersAtOnce(site *fakesite.Site) {
	site.SetConn(func(c net.Conn) {
		r := bufio.NewReaderSize(c, 512)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if strings.TrimSpace(line) == "" {
				break
			}
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 0\r\n\r\n")
	})
}

func benchProbe(b *testing.B, url string, roots *x509.CertPool) {
	p, err := New(Options{AllowPrivate: true, RootCAs: roots})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if o := p.Probe(b.Context(), check.Target{URL: url}); o.Outcome != check.OutcomeUp {
				b.Errorf("%+v", o)
				return
			}
		}
	})
}

func benchNetHTTP(b *testing.B, url string, roots *x509.CertPool) {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := c.Head(url)
			if err != nil {
				b.Error(err)
				return
			}
			_ = resp.Body.Close()
		}
	})
}

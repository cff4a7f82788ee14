package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/certs"
	"github.com/Automattic/jetmon/internal/rpc"
)

// startTicking starts a role in this process, and returns what has it look for new
// certificates: it returns when the role has looked.
func startTicking(t *testing.T, args ...string) (r *running, look func(*testing.T, time.Time)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r = &running{out: newOutput(), errs: newOutput(), cancel: cancel, code: make(chan int, 1)}
	ticks := make(chan time.Time)
	p := program{LookupEnv: func(string) (string, bool) { return "", false }, Out: r.out, Err: r.errs, ticks: ticks}
	go func() { r.code <- p.Run(ctx, args) }()
	t.Cleanup(func() { r.stop(t) })
	return r, func(t *testing.T, now time.Time) {
		t.Helper()
		for range 2 { // it takes the second one when it has looked
			select {
			case ticks <- now:
			case <-time.After(30 * time.Second):
				t.Fatalf("does not look; it says:\n%s", r.errs)
			}
		}
	}
}

// fleet is an authority with one certificate a role.
type fleet struct {
	dir string
	a   *certs.Authority
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	dir := t.TempDir()
	a, err := certs.Init(dir, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &fleet{dir, a}
}

// issue makes a certificate, or makes it anew, and returns its serial number.
func (f *fleet) issue(t *testing.T, role access.Role, name string, life time.Duration) (serial string) {
	t.Helper()
	r := certs.Request{Role: role, Name: name, Life: life, Replace: true}
	if certs.Usages(role)[0] == x509.ExtKeyUsageServerAuth {
		r.Hosts = []string{"127.0.0.1"}
	}
	pair, err := f.a.Issue(r, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return pair.Certificate.SerialNumber.String()
}

func (f *fleet) file(name string) string { return filepath.Join(f.dir, name) }

// client returns how a node of the fleet dials; without a name, how a stranger does.
func (f *fleet) client(t *testing.T, name string) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(f.a.Certificate())
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, NextProtos: []string{"h2"}}
	if name != "" {
		pair, err := tls.LoadX509KeyPair(f.file(name+".crt"), f.file(name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// greeted asks a veriflier, and returns the serial number of its certificate; empty if it
// does not accept the caller's.
func greeted(t *testing.T, addr string, config *tls.Config) (serial string) {
	t.Helper()
	config = config.Clone()
	config.VerifyConnection = func(s tls.ConnectionState) error {
		serial = s.PeerCertificates[0].SerialNumber.String()
		return nil
	}
	conn, err := rpc.Dial(addr, rpc.ClientOptions{TLS: config})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A target that policy refuses: an answer, and no traffic.
	_, err = veriflierv1.NewVeriflierServiceClient(conn).Verify(t.Context(), &veriflierv1.VerifyRequest{
		RequestId: "x", Target: &checkv1.Target{Url: "http://127.0.0.1:1/"},
	})
	if err != nil {
		return ""
	}
	return serial
}

func TestAServerTakesNewCertificatesByItself(t *testing.T) {
	t.Parallel()
	f, successor := newFleet(t), newFleet(t)
	old := f.issue(t, access.Veriflier, "v", 90*day)
	f.issue(t, access.Asker, "me", 90*day)
	successor.issue(t, access.Asker, "me", 90*day)
	v, look := startTicking(t, "veriflier", "--listen=127.0.0.1:0", "--name=v", "--debug-listen=127.0.0.1:0",
		"--tls-cert="+f.file("v.crt"), "--tls-key="+f.file("v.key"), "--tls-client-ca="+f.file("ca.crt"))
	addr := v.errs.find(t, `msg=started.* address=(\S+)`)
	metrics := "http://" + v.errs.find(t, `msg="debug listener".* address=(\S+)`) + "/metrics"
	mine := f.client(t, "me")
	theirs := successor.client(t, "me") // trusts the successor; the server is still of f
	theirs.RootCAs = mine.RootCAs
	if got := greeted(t, addr, mine); got != old {
		t.Fatalf("shows %q, not %q", got, old)
	}
	if greeted(t, addr, theirs) != "" || greeted(t, addr, f.client(t, "")) != "" {
		t.Fatal("takes a stranger")
	}
	theirs.ClientSessionCache = tls.NewLRUClientSessionCache(0)

	t.Run("nothing happens while nothing changes", func(t *testing.T) {
		look(t, time.Now())
		if strings.Contains(v.errs.String(), "new certificates") {
			t.Error(v.errs)
		}
	})
	renewed := f.issue(t, access.Veriflier, "v", 80*day)
	t.Run("a new certificate", func(t *testing.T) {
		look(t, time.Now())
		v.errs.find(t, `msg="new certificates taken"`)
		if got := greeted(t, addr, mine); got != renewed {
			t.Errorf("shows %q, not %q", got, renewed)
		}
		if text := getText(t, metrics); !strings.Contains(text, `jetmon_certificate_expiry_timestamp_seconds{flag="tls-cert",use="server"}`) ||
			!strings.Contains(text, `jetmon_certificate_expiry_timestamp_seconds{flag="tls-client-ca",use="ca"}`) {
			t.Errorf("metrics:\n%s", text)
		}
	})
	t.Run("authorities that overlap", func(t *testing.T) {
		var texts [][]byte
		for _, fleet := range []*fleet{f, successor} {
			text, err := os.ReadFile(fleet.a.File())
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, text)
		}
		rewrite(t, f.file("ca.crt"), bytes.Join(texts, nil))
		look(t, time.Now())
		if greeted(t, addr, theirs) != renewed || greeted(t, addr, mine) != renewed {
			t.Error("does not take clients of both")
		}
		rewrite(t, f.file("ca.crt"), texts[0])
		look(t, time.Now())
		if greeted(t, addr, theirs) != "" {
			t.Error("takes a client of an authority that is gone, or resumes its session")
		}
		if greeted(t, addr, mine) != renewed {
			t.Error("does not take its own client")
		}
	})
	t.Run("a broken file changes nothing and is logged once", func(t *testing.T) {
		good, err := os.ReadFile(f.file("v.key"))
		if err != nil {
			t.Fatal(err)
		}
		rewrite(t, f.file("v.key"), []byte("nonsense"))
		for range 3 {
			look(t, time.Now())
		}
		if n := strings.Count(v.errs.String(), "new certificates not taken, the old ones stay"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, v.errs)
		}
		if got := greeted(t, addr, mine); got != renewed {
			t.Errorf("shows %q, not %q", got, renewed)
		}
		rewrite(t, f.file("v.key"), good)
		look(t, time.Now())
		if got := greeted(t, addr, mine); got != renewed {
			t.Errorf("shows %q, not %q", got, renewed)
		}
	})
	t.Run("it warns once a day from two weeks before the end", func(t *testing.T) {
		for _, tt := range []struct {
			after time.Duration
			want  int
		}{{65 * day, 0}, {67 * day, 1}, {67*day + time.Hour, 1}, {68*day + time.Hour, 2}} {
			look(t, time.Now().Add(tt.after))
			if got := strings.Count(v.errs.String(), `msg="certificate ends soon" flag=tls-cert`); got != tt.want {
				t.Errorf("after %s: %d warnings, not %d", tt.after, got, tt.want)
			}
		}
		look(t, time.Now().Add(81*day))
		v.errs.find(t, `level=ERROR msg="certificate has expired" flag=tls-cert`)
	})
}

// rewrite replaces a file as a whole.
func rewrite(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestAClientTakesNewCertificatesByItself(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.issue(t, access.Coordinator, "c", 90*day)
	old := f.issue(t, access.Checker, "n", 90*day)
	pair, err := tls.LoadX509KeyPair(f.file("c.crt"), f.file("c.key"))
	if err != nil {
		t.Fatal(err)
	}
	server := f.client(t, "")
	server.Certificates, server.ClientCAs, server.ClientAuth = []tls.Certificate{pair}, server.RootCAs, tls.RequireAndVerifyClientCert
	// A server that looks at its clients and hangs up, so that they come again.
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan string)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if tls, ok := conn.(*tls.Conn); ok && tls.HandshakeContext(t.Context()) == nil {
				select {
				case came <- tls.ConnectionState().PeerCertificates[0].SerialNumber.String():
				case <-t.Context().Done():
				}
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-gone })
	_, look := startTicking(t, "checker", "--coordinator="+l.Addr().String(), "--node=n",
		"--coordinator-tls-ca="+f.file("ca.crt"), "--coordinator-tls-cert="+f.file("n.crt"), "--coordinator-tls-key="+f.file("n.key"))
	if got := <-came; got != old {
		t.Fatalf("shows %q, not %q", got, old)
	}
	renewed := f.issue(t, access.Checker, "n", 80*day)
	look(t, time.Now())
	deadline, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		select {
		case got := <-came:
			if got == renewed {
				return
			}
		case <-deadline.Done():
			t.Fatal("the new certificate is never shown")
		}
	}
}

// The files of --certs are watched as those that flags name one by one.
func TestAFolderOfCertificatesIsWatched(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	old := f.issue(t, access.Veriflier, "v", 90*day)
	f.issue(t, access.Asker, "me", 90*day)
	v, look := startTicking(t, "veriflier", "--listen=127.0.0.1:0", "--name=v", "--certs="+f.dir)
	addr := v.errs.find(t, `msg=started.* address=(\S+)`)
	if got := greeted(t, addr, f.client(t, "me")); got != old {
		t.Fatalf("shows %q, not %q", got, old)
	}
	renewed := f.issue(t, access.Veriflier, "v", 80*day)
	look(t, time.Now())
	if got := greeted(t, addr, f.client(t, "me")); got != renewed {
		t.Errorf("shows %q, not %q; it says:\n%s", got, renewed, v.errs)
	}
}

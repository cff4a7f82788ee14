package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The four roles over TCP, each with the certificate that `jetmon certs` made for it, and
// without any token of a role.
func TestRolesWorkTogetherByCertificatesAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "certs")
	file := func(name string) string { return filepath.Join(dir, name) }
	certs := func(args ...string) {
		t.Helper()
		if code, _, stderr := run(t, nil, append([]string{"certs"}, append(args, "--dir="+dir)...)...); code != exitOK {
			t.Fatalf("%v: exit code %d: %s", args, code, stderr)
		}
	}
	certs("init")
	for role, name := range map[string]string{"coordinator": "c1", "veriflier": "v1", "gateway": "g1"} {
		certs("issue", "--role="+role, "--name="+name, "--host=127.0.0.1")
	}
	certs("issue", "--role=checker", "--name=n1")
	certs("issue", "--role=caller", "--name=alice")
	serving := func(name string) []string {
		return []string{"--listen=127.0.0.1:0", "--tls-cert=" + file(name+".crt"), "--tls-key=" + file(name+".key"), "--tls-client-ca=" + file("ca.crt")}
	}
	dialling := func(peer, name string) []string {
		return []string{"--" + peer + "-tls-ca=" + file("ca.crt"), "--" + peer + "-tls-cert=" + file(name+".crt"), "--" + peer + "-tls-key=" + file(name+".key")}
	}
	db := "--db=sqlite:" + filepath.Join(t.TempDir(), "jetmon.db")
	if code, _, stderr := run(t, nil, "migrate", db); code != exitOK {
		t.Fatal(stderr)
	}
	v := start(t, slices.Concat([]string{"veriflier", "--name=v1", "--region=eu"}, serving("v1"))...)
	panel := "--veriflier=name=v1,region=eu,addr=" + v.errs.find(t, `msg=started.* address=(\S+)`)
	c := start(t, slices.Concat([]string{"coordinator", db, "--node=c1", "--no-notify", panel}, serving("c1"), dialling("veriflier", "c1"))...)
	api := "--coordinator=" + c.errs.find(t, `msg=started.* role=coordinator.* address=(\S+)`)
	start(t, slices.Concat([]string{"checker", "--node=n1", api}, dialling("coordinator", "n1"))...)
	g := start(t, slices.Concat([]string{"gateway", api}, serving("g1"), dialling("coordinator", "g1"))...)
	url := "https://" + g.errs.find(t, `msg=started.* address=(\S+)`) + "/v1/fleet"

	code, made, stderr := run(t, nil, "tokens", "create", db, "--name=alice", "--scope=fleet:read")
	if code != exitOK {
		t.Fatal(stderr)
	}
	words := strings.Fields(made)
	bearer := "Bearer " + words[len(words)-1]
	client := mutual(t, file)
	defer client.CloseIdleConnections()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		fleet := fleetOf(t, client, url, bearer)
		if len(fleet.Checkers) == 1 && fleet.Checkers[0].Node == "n1" && len(fleet.Verifliers) == 1 && fleet.Verifliers[0].State == "VERIFLIER_STATE_OK" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the fleet is %+v; the coordinator says:\n%s", fleet, c.errs)
		}
	}
	if code, _, stderr := run(t, nil, "sites", "list", api); code != exitFailed || !strings.Contains(stderr, "if it has certificates, ask it with --coordinator-tls-ca FILE") {
		t.Errorf("without TLS: exit code %d, %q", code, stderr)
	}
	stranger := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}
	if resp, err := stranger.Get(url); err == nil {
		resp.Body.Close()
		t.Errorf("somebody without a certificate gets %s", resp.Status)
	}
}

// mutual is a client of the gateway with the certificate of a caller.
func mutual(t *testing.T, file func(string) string) *http.Client {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(file("alice.crt"), file("alice.key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	authority, err := tls.LoadX509KeyPair(file("ca.crt"), file("ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(authority.Leaf)
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}}
}

// fleetJSON is what the test reads of a fleet.
type fleetJSON struct {
	Checkers   []struct{ Node string }
	Verifliers []struct{ Name, State string }
}

// fleetOf asks a gateway; a coordinator that is not ready yet is an empty fleet.
func fleetOf(t *testing.T, client *http.Client, url, authorization string) (fleet fleetJSON) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(text, &fleet); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	return fleet
}

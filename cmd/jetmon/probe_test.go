package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
)

// probedSite is one whose paths are its behaviours.
func probedSite(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/up", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello world") })
	mux.HandleFunc("/down", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("/secret", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") != "a: b" || r.Header.Get("User-Agent") != "me" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	mux.Handle("/moved", http.RedirectHandler("/up", http.StatusFound))
	mux.HandleFunc("/nohead", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	return site
}

func TestProbeFlagsReachTheEngine(t *testing.T) {
	t.Parallel()
	site := probedSite(t)
	for _, tt := range []struct {
		name, path string
		args       []string
		code       int
		want       string
	}{
		{"a header", "/secret", []string{"--header=X-Key: a: b", "--header=user-agent:me"}, exitOK, "is UP"},
		{"without the header", "/secret", nil, int(exitDown), "CLIENT (http_401)"},
		{"two required texts", "/up", []string{"--require=hello", "--require=world"}, exitOK, "by GET"},
		{"a required text that is missing", "/up", []string{"--require=hello", "--require=moon, and stars"}, int(exitDown), "CONTENT (required_text_missing)"},
		{"a forbidden text", "/up", []string{"--forbid=moon", "--forbid=world"}, int(exitDown), "CONTENT (forbidden_text_present)"},
		{"redirects followed", "/moved", []string{"--redirects=follow"}, exitOK, "302 to"},
		{"redirects that fail", "/moved", []string{"--redirects=fail"}, int(exitDown), "REDIRECT (not_allowed)"},
		{"slow", "/up", []string{"--slow-after=1ns"}, exitOK, "SLOW"},
		{"a GET after a HEAD", "/nohead", []string{"--method=head-then-get"}, exitOK, "HEAD_UNSUPPORTED"},
		{"HEAD alone", "/nohead", []string{"--method=head"}, int(exitDown), "CLIENT (http_405)"},
		{"GET alone", "/nohead", []string{"--method=get"}, exitOK, "by GET"},
		{"a header that may not be sent", "/up", []string{"--header=Host: evil"}, int(exitUnknown), "POLICY (bad_header)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, nil, append([]string{"probe", site.URL + tt.path, "--allow-private"}, tt.args...)...)
			if code != tt.code || stderr != "" || !strings.Contains(stdout, tt.want) {
				t.Errorf("exit code %d, stderr %q, want %d and %q in:\n%s", code, stderr, tt.code, tt.want, stdout)
			}
		})
	}
}

func TestInputThatCannotBeProbedIsUnknown(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"ftp://example.com/", "example.com", "http://user:secret@example.com/", "http://example.com/\x1b[31m",
		"http://example.com/\r\nX: y", "http://example.com:99999/", "http://a b/", "javascript:alert(1)",
	} {
		code, stdout, stderr := run(t, nil, "probe", "--json", "--", url)
		var seen checkv1.Observation
		if err := protojson.Unmarshal([]byte(stdout), &seen); err != nil {
			t.Fatalf("%q: %v in:\n%s", url, err, stdout)
		}
		if code != int(exitUnknown) || stderr != "" || seen.GetOutcome() != checkv1.Outcome_OUTCOME_UNKNOWN || seen.GetFailure() != checkv1.FailureKind_FAILURE_KIND_POLICY {
			t.Errorf("%q: exit code %d, %q, %v", url, code, stderr, &seen)
		}
		code, stdout, _ = run(t, nil, "probe", "--", url)
		if code != int(exitUnknown) || !strings.Contains(stdout, "is UNKNOWN: POLICY") || strings.ContainsAny(stdout, "\x1b\r") {
			t.Errorf("%q: exit code %d and %q", url, code, stdout)
		}
	}
}

func TestMistakesInProbesFlags(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{
		"--header=nothing", "--require=", "--forbid=", "--redirects=maybe", "--slow-after=-1s", "--repeat=0", "--repeat=10001",
		"--method=head_then_get", "--ca-file=/nonexistent/ca.pem", "--ca-file=" + empty, "--tls-session-cache=-1", "--dns-cache-max=-1s", "--dns-cache-max=25h", "--timeout=0s",
	} {
		code, stdout, stderr := run(t, nil, "probe", "http://127.0.0.1/", arg)
		flag, _, _ := strings.Cut(arg, "=")
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, flag) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q, %q", arg, code, stdout, stderr)
		}
	}
}

func TestRepeatedProbes(t *testing.T) {
	t.Parallel()
	calls := 0
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 2 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(site.Close)
	code, stdout, _ := run(t, nil, "probe", "--json", "--repeat=3", "--method=head", "--allow-private", site.URL)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != int(exitDown) || len(lines) != 3 {
		t.Fatalf("exit code %d, %d lines:\n%s", code, len(lines), stdout)
	}
	for i, line := range lines {
		var seen map[string]any
		if err := json.Unmarshal([]byte(line), &seen); err != nil {
			t.Fatalf("line %d: %v", i, err)
		}
		if want := []string{"OUTCOME_UP", "OUTCOME_DOWN", "OUTCOME_UP"}[i]; seen["outcome"] != want {
			t.Errorf("line %d: %v, want %s", i, seen["outcome"], want)
		}
	}
	code, stdout, _ = run(t, nil, "probe", "--repeat=2", "--allow-private", site.URL)
	for _, want := range []string{"1/2", "2/2", "2 checks: 2 up, 0 down, 0 unknown", "median of others"} {
		if code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d, no %q in:\n%s", code, want, stdout)
		}
	}
}

func TestProbeTrustsTheFileGiven(t *testing.T) {
	t.Parallel()
	site := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(site.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: site.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, _ := run(t, nil, "probe", "--allow-private", "--ca-file="+file, "--repeat=2", site.URL); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, stdout)
	}
	if code, stdout, _ := run(t, nil, "probe", "--allow-private", site.URL); code != int(exitDown) || !strings.Contains(stdout, "TLS (") {
		t.Errorf("trusted without the file: exit code %d:\n%s", code, stdout)
	}
}

package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
)

const (
	siteToken  = "blogkey.bl0gs3cret"
	userToken  = "userkey.us3rs3cret.3"
	noMetadata = "--metadata-url=none"
)

// fakeSite starts a site that is connected, behind an obstacle, and gives its URL.
func fakeSite(t *testing.T, o fakejetpack.Obstacle) string {
	t.Helper()
	s := httptest.NewServer(fakejetpack.New(fakejetpack.Options{
		Tokens: signature.Keyring{Blog: siteToken, Users: map[int64]string{3: userToken}}, Obstacle: o,
	}))
	t.Cleanup(s.Close)
	return s.URL + "/"
}

func TestDiagnoseSaysThatAHealthySiteIsWell(t *testing.T) {
	t.Parallel()
	tokens := write(t, "tokens", "# of the site\n"+siteToken+"\n"+userToken+"\n")
	code, stdout, stderr := run(t, nil, "diagnose", fakeSite(t, ""), "--allow-private", noMetadata, "--token-file="+tokens)
	if code != exitOK || stderr != "" || !strings.HasSuffix(stdout, "\nNothing wrong was found.\n") {
		t.Errorf("exit code %d, stderr %q:\n%s", code, stderr, stdout)
	}
	for _, want := range []string{"1  The way in", "2  xmlrpc.php", "3  Jetpack's answer", "4  What WordPress.com knows", "5  The site's own view", "pass  signed_by_user"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "s3cret") || strings.Contains(stdout, "\x1b") || strings.Contains(stdout, "FAIL") || strings.Contains(stdout, "WARN") {
		t.Errorf("a secret, a colour or a warning is in\n%s", stdout)
	}
}

func TestDiagnoseNamesTheBlockAndExitsWith1(t *testing.T) {
	t.Parallel()
	site := fakeSite(t, fakejetpack.Sucuri)
	code, stdout, stderr := run(t, nil, "diagnose", "site", site, "--allow-private", noMetadata)
	if code != exitFailed || stderr != "" || !strings.Contains(stdout, "\nMost likely cause: Sucuri refuses the calls") {
		t.Errorf("exit code %d, stderr %q:\n%s", code, stderr, stdout)
	}
	code, stdout, _ = run(t, nil, "diagnose", site, "--allow-private", noMetadata, "--json")
	var d monitorv1.Diagnosis
	if err := protojson.Unmarshal([]byte(stdout), &d); err != nil || code != exitFailed {
		t.Fatalf("exit code %d, %v:\n%s", code, err, stdout)
	}
	if d.GetCauseCheck() != "xmlrpc_get" || d.GetCause() != "firewall_sucuri" || len(d.GetFindings()) < 20 || !strings.Contains(stdout, `"cause_check"`) || strings.Count(stdout, `"advice":`) != len(d.GetFindings())+len(d.GetCauses()) {
		t.Errorf("%v", &d)
	}
}

func TestDiagnoseColoursOnlyWhereWanted(t *testing.T) {
	t.Parallel()
	site := fakeSite(t, "")
	for _, tt := range []struct {
		args string
		env  map[string]string
		want bool
	}{
		{args: "--color=auto"}, {args: "--color=never"}, {args: "--color=always", want: true},
		{args: "--color=always --json"}, {args: "--color=auto", env: map[string]string{"NO_COLOR": "1"}},
	} {
		args := append([]string{"diagnose", site, "--allow-private", noMetadata}, strings.Fields(tt.args)...)
		if _, stdout, _ := run(t, tt.env, args...); strings.Contains(stdout, "\x1b[") != tt.want {
			t.Errorf("%s: colours are %v", tt.args, !tt.want)
		}
	}
}

func TestAFurtherTokenIsTriedWhenTheFirstIsRefused(t *testing.T) {
	t.Parallel()
	tokens := write(t, "tokens", "oldkey.olds3cret\n"+userToken+"\n"+siteToken+"\n")
	code, stdout, _ := run(t, nil, "diagnose", fakeSite(t, ""), "--allow-private", noMetadata, "--token-file="+tokens)
	if code != exitFailed || !strings.Contains(stdout, "another of the given tokens") || strings.Contains(stdout, "s3cret") || strings.Contains(stdout, "oldkey") {
		t.Errorf("exit code %d:\n%s", code, stdout)
	}
}

func TestDiagnoseNeverQuotesATokenFile(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a token that is none": "bl0gs3cret\n", "too many": strings.Repeat(siteToken+"\n", 7), "a bad user": "userkey.us3rs3cret.x\n", "empty": "",
	} {
		code, stdout, stderr := run(t, nil, "diagnose", "http://127.0.0.1:1/", "--token-file="+write(t, "tokens", text))
		if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "--token-file") || strings.Contains(stderr, "s3cret") {
			t.Errorf("%s: exit code %d, stderr %q", name, code, stderr)
		}
	}
}

func TestMistakesOfDiagnoseAreOneLineAndExitCode2(t *testing.T) {
	t.Parallel()
	log := write(t, "access.log", "")
	for args, want := range map[string]string{
		"diagnose":                                                  "<url>",
		"diagnose ftp://example.com/":                               "must begin with http",
		"diagnose http://example.com:99999/":                        "port must be from 1 to 65535",
		"diagnose http://example.com/ --timeout=0s":                 "--timeout",
		"diagnose http://example.com/ --step-timeout=61s":           "--step-timeout",
		"diagnose http://example.com/ --metadata-url=x":             "--metadata-url",
		"diagnose http://example.com/ --token-file=/none":           "/none",
		"diagnose http://example.com/ --color=red":                  "--color",
		"diagnose http://example.com/ --resolver=1.1.1.1":           "--resolver",
		"diagnose logs":                                             "--access",
		"diagnose logs --access=/none":                              "/none",
		"diagnose logs --access=/":                                  "is not a file",
		"diagnose logs --access=" + log + " --error=/none":          "/none",
		"diagnose logs --access=" + log + " --top=0":                "--top",
		"diagnose logs --access=" + log + " --fastcgi-buffers=many": "--fastcgi-buffers",
	} {
		code, stdout, stderr := run(t, nil, strings.Fields(args)...)
		if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "jetmon diagnose") || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, stderr %q, want one line with %q", args, code, stderr, want)
		}
	}
}

func TestHelpOfDiagnoseShowsBothForms(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"diagnose --help": "logs", "diagnose site --help": "--token-file", "diagnose logs --help": "--fastcgi-buffers",
	} {
		code, stdout, _ := run(t, nil, strings.Fields(args)...)
		if code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("%s: exit code %d, %q is not in\n%s", args, code, want, stdout)
		}
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
)

func TestDiagnoseAnswersASymptom(t *testing.T) {
	t.Parallel()
	site := fakeSite(t, fakejetpack.Sucuri)
	code, stdout, stderr := run(t, nil, "diagnose", site, "--allow-private", noMetadata, "--symptom", "Premium plan is powering up")
	if code != exitFailed || stderr != "" || !strings.Contains(stdout, "\nOn the screen: \"Your Premium plan is powering up\"\n") || !strings.Contains(stdout, "Explained by: ") || !strings.Contains(stdout, "  open  signed_by_blog: ") {
		t.Errorf("exit code %d, %q:\n%s", code, stderr, stdout)
	}
	code, stdout, stderr = run(t, nil, "diagnose", "--symptom", "list")
	if code != exitOK || stderr != "" || !strings.Contains(stdout, "buffer_mismatch") || !strings.Contains(stdout, "The buffer you checked in was not checked out") {
		t.Errorf("exit code %d, %q:\n%s", code, stderr, stdout)
	}
}

func TestAReportForSupportIsANewFileForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	site := fakeSite(t, "")
	path := filepath.Join(t.TempDir(), "report.md")
	tokens := write(t, "tokens", siteToken+"\n"+userToken+"\n")
	args := []string{"diagnose", site, "--allow-private", noMetadata, "--token-file=" + tokens, "--report=" + path}
	if code, stdout, stderr := run(t, nil, args...); code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, %q:\n%s", code, stderr, stdout)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "- Made by:     jetmon ") || !strings.Contains(string(text), "blog and user") || strings.Contains(string(text), "s3cret") {
		t.Errorf("%v:\n%s", err, text)
	}
	code, _, stderr := run(t, nil, args...)
	if after, err := os.ReadFile(path); code != exitUsage || !strings.Contains(stderr, "exists") || err != nil || string(after) != string(text) {
		t.Errorf("exit code %d, %q, %v: a file is overwritten", code, stderr, err)
	}
	path = filepath.Join(t.TempDir(), "none.md")
	if code, _, _ := run(t, nil, "diagnose", "http://a.example/", "--report="+filepath.Join(path, "x")); code != exitUsage {
		t.Errorf("a folder that is not there: exit code %d", code)
	}
	if code, _, stderr := run(t, nil, "diagnose", "ftp://a.example/", "--report="+path); code != exitUsage {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a report of nothing is left")
	}
}

func TestDiagnoseManySites(t *testing.T) {
	t.Parallel()
	ill, well := fakeSite(t, fakejetpack.Sucuri), fakeSite(t, "")
	list := write(t, "sites.txt", "# ours\n"+ill+"\n"+well+"\n")
	code, stdout, stderr := run(t, nil, "diagnose", "--from="+list, "--allow-private", noMetadata)
	if code != exitFailed || stderr != "" || !strings.HasPrefix(stdout, "2 sites: 1 well, 0 with warnings, 1 with failures\n") || strings.Contains(stdout, "\x1b") {
		t.Errorf("exit code %d, %q:\n%s", code, stderr, stdout)
	}
	code, stdout, _ = run(t, nil, "diagnose", "--from="+list, "--allow-private", noMetadata, "--json", "--parallel=2")
	if code != exitFailed || strings.Count(stdout, "\n") != 2 || !strings.Contains(stdout, `"given_url":"`+ill) {
		t.Errorf("exit code %d:\n%s", code, stdout)
	}
	code, stdout, stderr = run(t, nil, "diagnose", "--from="+write(t, "sites.csv", "url\n"+well+"\nnonsense\n"), "--allow-private", noMetadata)
	if code != exitFailed || !strings.Contains(stderr, "line 3: ") || !strings.Contains(stderr, "1 line was refused") || !strings.Contains(stdout, "Nothing wrong was found on any site.") {
		t.Errorf("exit code %d, %q:\n%s", code, stderr, stdout)
	}
}

func TestMistakesWithManySitesAreOneLineAndExitCode2(t *testing.T) {
	t.Parallel()
	list := write(t, "sites.txt", "http://a.example/\n")
	for args, want := range map[string]string{
		"diagnose http://a.example/ --from=" + list:       "not both",
		"diagnose --from=/none":                           "/none",
		"diagnose --from=/":                               "is no file",
		"diagnose --from=" + list + " --parallel=0":       "--parallel",
		"diagnose --from=" + list + " --parallel=65":      "--parallel",
		"diagnose --from=" + list + " --token-file=x":     "--token-file",
		"diagnose --from=" + list + " --report=x":         "--report",
		"diagnose http://a.example/ --symptom=nonsense":   "--symptom list",
		"diagnose --symptom=powering_up":                  "<url>",
		"diagnose http://a.example/ --report=/none/there": "--report",
	} {
		code, stdout, stderr := run(t, nil, strings.Fields(args)...)
		if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, stderr %q, want one line with %q", args, code, stderr, want)
		}
	}
	code, _, stderr := run(t, nil, "diagnose", "--from="+write(t, "none.txt", "# none\n"))
	if code != exitFailed || !strings.Contains(stderr, "no site is in it") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

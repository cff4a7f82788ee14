package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAWordIsCompleted(t *testing.T) {
	t.Parallel()
	env := map[string]string{"HOME": t.TempDir()}
	if code, _, stderr := run(t, env, "context", "set", "prod", "--server", "a:1"); code != exitOK {
		t.Fatal(stderr)
	}
	for line, want := range map[string]string{ // the words, with a blank before the last
		"sit":                              "sites",
		"sites ex":                         "explain export",
		"__":                               "",
		"sites list --stat":                "--state= --status=",
		"sites list --state=con":           "--state=confirmed-down",
		"sites list --state con":           "confirmed-down",
		"sites list --limit 3 --out":       "--output=",
		"sites list -o ":                   "table json ndjson",
		"sites list --json --order site_i": "site_id site_id desc",
		"sites list --context ":            "prod",
		"sites list --server x --cont":     "--context=",
		"context use ":                     "prod",
		"sites import ":                    ":files",
		"sites import x --errors ":         ":files",
		"sites import --format=ga":         "--format=gatus",
		"sites edit 3 --clear ta":          "tags",
		"completion ":                      "bash zsh fish",
		"diagnose l":                       "logs",
		"diagnose --symptom set":           "settings_error",
		"diagnose --symptom=po":            "--symptom=powering_up",
		"diagnose --from ":                 ":files",
		"sites nonsense ":                  "add check delete edit explain export get import list pause resume",
		"sites list --nonsense=":           "",
		"":                                 "dev",
	} {
		words := strings.Split(line, " ")
		code, stdout, stderr := run(t, env, append([]string{"__complete", "--"}, words...)...)
		var got []string
		for row := range strings.Lines(stdout) {
			word, _, _ := strings.Cut(strings.TrimSpace(row), "\t")
			got = append(got, word)
		}
		if line == "" || line == "sites nonsense " {
			if code != exitOK || !slices.Contains(got, strings.Fields(want)[0]) {
				t.Errorf("%q: %v lacks %s", line, got, want)
			}
			continue
		}
		if code != exitOK || stderr != "" || strings.Join(got, " ") != want {
			t.Errorf("%q: exit code %d, %q, want %q: %s", line, code, got, want, stderr)
		}
	}
}

// asCommand returns the environment of a shell that finds this test binary as jetmon.
func asCommand(t *testing.T) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "jetmon")); err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(), asProgram+"=1", "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+bin, "XDG_CONFIG_HOME="+bin)
}

func TestShellsCompleteByTheirScripts(t *testing.T) {
	t.Parallel()
	for shell, tests := range map[string]map[string]string{
		"bash": {
			`source <(jetmon completion bash); COMP_WORDS=(jetmon sites ex); COMP_CWORD=2; _jetmon 2>/dev/null; echo "${COMPREPLY[@]}"`:                                                   "explain export",
			`source <(jetmon completion bash); COMP_WORDS=(jetmon sites list --state = con); COMP_CWORD=5; _jetmon 2>/dev/null; echo "${COMPREPLY[@]}"`:                                   "confirmed-down",
			`source <(jetmon completion bash); COMP_WORDS=(jetmon sites list --server a : 1 --js); COMP_CWORD=7; _jetmon 2>/dev/null; echo "${COMPREPLY[@]}"`:                             "--json",
			`source <(jetmon completion bash); cd /etc; COMP_WORDS=(jetmon sites import passw); COMP_CWORD=3; _jetmon 2>/dev/null; echo "${COMPREPLY[@]}" | tr ' ' '\n' | grep -x passwd`: "passwd",
			`jetmon completion bash | bash -n && echo good`: "good",
		},
		"zsh": {
			`jetmon completion zsh > _jetmon.zsh && zsh -n _jetmon.zsh && echo good`:                                                                                                            "good",
			`compdef() { }; _describe() { print -l -- $found; }; _files() { print files; }; compset() { }; source <(jetmon completion zsh); words=(jetmon sites ex); CURRENT=3; _jetmon`:        "explain:Explain the status of a site, now or at an earlier time\nexport:Write sites into a file that can be imported",
			`compdef() { }; _describe() { print -l -- $found; }; _files() { print files; }; compset() { }; source <(jetmon completion zsh); words=(jetmon sites import ''); CURRENT=4; _jetmon`: "files",
		},
		"fish": {
			`jetmon completion fish | source; complete -C 'jetmon sites ex'`:             "explain\tExplain the status of a site, now or at an earlier time\nexport\tWrite sites into a file that can be imported",
			`jetmon completion fish | source; complete -C 'jetmon sites list --state=s'`: "--state=suspect\tstate",
		},
	} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(shell); err != nil {
				t.Fatalf("%s is missing: make programs installs it", shell)
			}
			env, dir := asCommand(t), t.TempDir()
			for script, want := range tests {
				ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
				cmd := exec.CommandContext(ctx, shell, "-c", script)
				cmd.Env, cmd.Dir = env, dir
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				out, err := cmd.Output()
				cancel()
				if got := strings.TrimSpace(string(out)); err != nil || got != want {
					t.Errorf("%s: %v, %q, want %q: %s", script, err, got, want, &stderr)
				}
			}
		})
	}
}

func TestManualPagesRenderWithoutWarnings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if code, _, stderr := run(t, nil, "man", "--dir", dir); code != exitOK {
		t.Fatal(stderr)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil || len(pages) < 30 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, linter := range [][]string{{"groff", "-man", "-ww", "-Tutf8", "-z"}, {"mandoc", "-T", "lint", "-W", "warning"}} {
		if _, err := exec.LookPath(linter[0]); err != nil {
			t.Fatalf("%s is missing: make programs installs it", linter[0])
		}
		cmd := exec.CommandContext(t.Context(), linter[0], append(linter[1:], pages...)...)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v: %s", linter[0], err, out)
		}
	}
	code, stdout, _ := run(t, nil, "man", "sites", "add")
	for _, want := range []string{`.TH JETMON-SITES-ADD 1 20`, `.SH "EXAMPLES"`, `.B "\-\-[no\-]paused"`, `.SH "EXIT STATUS"`, "XDG_CONFIG_HOME"} {
		if code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d, the page lacks %s:\n%s", code, want, stdout)
		}
	}
	if code, _, stderr := run(t, nil, "man", "nonsense"); code != exitUsage || strings.Count(stderr, "\n") != 1 {
		t.Errorf("a command that is none: %d, %s", code, stderr)
	}
}

package docs

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/mariadb"
)

const readme = root + "/README.md"

// The README's tour, word by word and in its order. https://example.com/ cannot be reached where
// the test runs, and need not be: the tour shows that a site is watched, what a veriflier says of
// it, and that a diagnosis says what is wrong.
func TestTheTourOfTheREADME(t *testing.T) {
	programs, isInside := alone(t)
	if !isInside {
		return
	}
	t.Run("with make run", func(t *testing.T) {
		makeRun(t, programs)
		s := shell{t, programs}
		ran := 0
		for _, block := range examples(t, readme, "## A tour") {
			for _, e := range block.commands() {
				s.check("README.md", e)
				ran++
			}
		}
		if ran < 15 {
			t.Errorf("the tour has only %d commands", ran)
		}
		s.diagnoses()
	})
	t.Run("four processes", func(t *testing.T) { fourProcesses(t, programs) })
}

// diagnoses asks why Jetpack cannot connect: here our own name servers do not answer, which is
// what is wanted.
func (s shell) diagnoses() {
	s.t.Helper()
	s.files(map[string]string{
		"tokens":    "key.secret\n",
		"sites.txt": "# ours\nhttps://a.example/\nhttps://b.example/\n",
		"error.log": "2026/11/30 09:15:00 [error] 7#7: *1 upstream timed out (110: Connection timed out) while reading response header from upstream, client: 192.0.2.1, server: example.com\n",
	})
	log, err := os.Create(filepath.Join(s.programs, "access.log.gz"))
	if err != nil {
		s.t.Fatal(err)
	}
	z := gzip.NewWriter(log)
	fmt.Fprintln(z, `192.0.2.1 - - [30/Nov/2026:09:15:00 +0000] "POST /xmlrpc.php?for=jetpack HTTP/1.1" 200 312 "-" "Jetpack by WordPress.com"`)
	if err := z.Close(); err != nil {
		s.t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		s.t.Fatal(err)
	}
	wanted := map[string]string{
		"bin/jetmon diagnose https":  "Our own name servers do not answer",
		"bin/jetmon diagnose --from": "2 sites: ",
		"bin/jetmon diagnose logs":   "/xmlrpc.php?for=jetpack",
	}
	for _, block := range examples(s.t, readme, "### Why can Jetpack not connect to this site?") {
		for _, e := range block.commands() {
			out := s.run("set +o pipefail; " + strings.TrimSuffix(strings.SplitN(e.text, " #", 2)[0], " ") + " | cat")
			known := false
			for begin, want := range wanted {
				if strings.HasPrefix(e.text, begin) {
					known = true
					if !strings.Contains(out, want) {
						s.t.Errorf("README.md:%d: %s\ndoes not say %q:\n%s", e.line, e.text, want, out)
					}
				}
			}
			if !known {
				s.t.Errorf("README.md:%d: nobody knows what %s is to say", e.line, e.text)
			}
		}
	}
}

// files writes files that only their owner can read.
func (s shell) files(all map[string]string) {
	s.t.Helper()
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(s.programs, name), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

// terminal is one bash, into which a reader types, with processes in its background.
type terminal struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

// openTerminal starts it in a directory; it ends, with all that it has started, with the test.
func openTerminal(t *testing.T, dir string) *terminal {
	t.Helper()
	cmd := exec.Command("bash")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	background := &log{}
	cmd.Stderr = background
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("the processes logged:\n%s", background)
		}
	})
	return &terminal{t, in, bufio.NewReader(out)}
}

// end marks the end of a command's output, before its exit code.
const end = "=== end of the output"

// types types a command, and what it reads, and returns its output. It must succeed.
func (m *terminal) types(command, input string) string {
	m.t.Helper()
	code, _, _ := strings.Cut(command, " # ")
	if _, err := fmt.Fprintf(m.in, "%s\n%secho \"%s $?\"\n", strings.TrimSpace(code), input, end); err != nil {
		m.t.Fatal(err)
	}
	var out strings.Builder
	for {
		line, err := m.out.ReadString('\n')
		if err != nil {
			m.t.Fatalf("%s: %v\n%s", command, err, out.String())
		}
		if before, code, ok := strings.Cut(line, end); ok {
			out.WriteString(before)
			if strings.TrimSpace(code) != "0" {
				m.t.Errorf("%s: exit code %s\n%s", command, code, out.String())
			}
			return out.String()
		}
		out.WriteString(line)
	}
}

// fourProcesses is the README's section about several processes and MySQL.
func fourProcesses(t *testing.T, programs string) {
	dsn := mariadb.Start(t)
	s := shell{t, programs}
	s.files(map[string]string{"jetmon.dsn": dsn + "\n"})
	m := openTerminal(t, programs)
	blocks := examples(t, readme, "### Four processes and MySQL")
	secret := ""
	for _, block := range blocks {
		for _, e := range block.commands() {
			if strings.Contains(e.text, "/v1/sites") { // the processes have just been started
				waitFor(t, "the gateway reaches the coordinator", func() bool { return reads(t, "http://localhost:7802/readyz") })
			}
			input := ""
			if strings.HasPrefix(e.text, "read ") {
				input = secret + "\n"
			}
			out := m.types(e.text, input)
			if strings.Contains(e.text, "tokens create") {
				secret = strings.TrimSpace(out[strings.LastIndex(out, "jm_"):])
				s.files(map[string]string{"me.token": secret + "\n"})
			}
			if strings.Contains(e.text, "/v1/sites") {
				if err := matches(`{"sites":[],"next_page_token":""}`, out); err != nil {
					t.Errorf("README.md:%d: %s: %v\n%s", e.line, e.text, err, out)
				}
			}
		}
	}
	const withFiles = "bin/jetmon sites list --coordinator-tls-ca certs/ca.crt --coordinator-token-file me.token"
	if raw, err := os.ReadFile(readme); err != nil || !strings.Contains(string(raw), "`"+withFiles+"`") {
		t.Errorf("the README has no %q: %v", withFiles, err)
	}
	m.types(withFiles, "")
	waitFor(t, "both checkers have joined", func() bool {
		return strings.Count(m.types(`curl -s -H "Authorization: Bearer $TOKEN" localhost:7802/v1/fleet`, ""), `"node":"checker-`) == 2
	})
}

// waitFor waits for a condition.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %s", what, patience)
		}
	}
}

package docs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/gocmd"
)

const root = "../.."

// patience bounds what is waited for: the demo's first outage comes within a minute.
const patience = 2 * time.Minute

// build compiles the programs of the examples: Jetmon, grpcurl, and the recipe in Go.
func build(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"build", "-o", filepath.Join(dir, "bin", "jetmon"), "./cmd/jetmon"},
		{"build", "-o", filepath.Join(dir, "recipe"), "./test/docs/recipe"},
		{"build", "-o", filepath.Join(dir, "watching"), "./test/docs/recipe/watching"},
		{"build", "-modfile=tools/go.mod", "-o", filepath.Join(dir, "grpcurl"), "github.com/fullstorydev/grpcurl/cmd/grpcurl"},
	} {
		cmd := gocmd.Command(t.Context(), args...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return dir
}

// log collects what a process writes.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// makeRun starts what `make run` does, and waits until a reader of the page would go on: the
// demo's site behind a firewall is down.
func makeRun(t *testing.T, programs string) {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil || !strings.Contains(string(makefile), "\n\t./bin/jetmon dev\n") {
		t.Fatalf("make run starts something else than ./bin/jetmon dev: %v", err)
	}
	out := &log{}
	cmd := exec.Command("./bin/jetmon", "dev")
	cmd.Dir, cmd.Stdout, cmd.Stderr = programs, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // Ctrl-C
		if err := <-ended; err != nil {
			t.Errorf("make run ended with %v", err)
		}
		if t.Failed() {
			t.Logf("make run printed:\n%s", out)
		}
	})
	waitFor(t, "a site of the demo is down", func() bool {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("make run ended: %v\n%s", err, out)
		default:
		}
		return reads(t, "http://localhost:7802/v1/outages/1")
	})
}

// reads reports whether a URL can be read.
func reads(t *testing.T, url string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// shell is where a reader types the commands of a page, one after the other.
type shell struct {
	t        *testing.T
	programs string
}

// run types a command and returns its output. It must succeed.
func (s shell) run(command string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	// Variables live on, as in one shell.
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -a; touch .vars; . ./.vars; set -o pipefail\n"+command+"\nok=$?; declare -p ID ETAG KEY 2>/dev/null >.vars || :; exit $ok")
	cmd.Dir = s.programs
	cmd.Env = append(os.Environ(), "PATH="+s.programs+":"+os.Getenv("PATH"))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		s.t.Errorf("%s: %v\n%s%s", command, err, out.Bytes(), errs.Bytes())
	}
	return out.String()
}

// check runs the commands of a page and compares what it shows. A command whose output is not
// shown must not be refused.
func (s shell) check(page string, e example) {
	s.t.Helper()
	got := s.run(e.text)
	where := fmt.Sprintf("%s:%d: %s", page, e.line, e.text)
	if e.shown != "" {
		if err := matches(e.shown, got); err != nil {
			s.t.Errorf("%s\n%v\noutput: %s\nshown: %s", where, err, got, e.shown)
		}
		return
	}
	var refusal struct {
		Code    any    `json:"code"`
		Message string `json:"message"`
	}
	for line := range strings.Lines(got) {
		if json.Unmarshal([]byte(line), &refusal) == nil && refusal.Code != nil && refusal.Message != "" {
			s.t.Errorf("%s\nis refused: %s", where, got)
		}
	}
	if strings.HasPrefix(e.text, "curl") && strings.Contains(e.text, "localhost:7802") && !strings.Contains(e.text, "-o ") && strings.TrimSpace(got) == "" {
		s.t.Errorf("%s\nanswers nothing", where)
	}
}

// The page of the API, word by word.
func TestThePageOfTheAPI(t *testing.T) {
	programs, isInside := alone(t)
	if !isInside {
		return
	}
	makeRun(t, programs)
	s := shell{t, programs}
	page := filepath.Join(root, "docs", "api.md")
	langs := map[string]int{}
	for _, block := range examples(t, page, "") {
		langs[block.lang]++
		switch block.lang {
		case "sh":
			for _, e := range block.commands() {
				s.check("docs/api.md", e)
			}
		case "php":
			s.php(block)
		case "go":
			s.goRecipe(block)
		default:
			t.Errorf("docs/api.md:%d: nobody runs a block of %q", block.line, block.lang)
		}
	}
	if langs["sh"] < 10 || langs["php"] != 1 || langs["go"] != 2 {
		t.Errorf("the page has examples in %v", langs)
	}
}

// php runs the recipe in PHP.
func (s shell) php(e example) {
	s.t.Helper()
	if _, err := exec.LookPath("php"); err != nil {
		s.t.Fatal("php is missing: make programs installs it")
	}
	if err := os.WriteFile(filepath.Join(s.programs, "recipe.php"), []byte(e.text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.shows("recipe in PHP", s.run("php -d error_reporting=-1 -d display_errors=1 recipe.php"), e)
}

// goRecipe runs a recipe in Go, which is compiled from the tree. That for watching has no end.
func (s shell) goRecipe(e example) {
	s.t.Helper()
	file, command := "recipe/main.go", "./recipe"
	if strings.Contains(e.text, "WatchChanges") {
		file, command = "recipe/watching/main.go", "head -n 1 <(timeout 10 ./watching)"
	}
	source, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(source), "\n\n") // below the comment of the package
	if strings.TrimSpace(program) != strings.TrimSpace(e.text) {
		s.t.Errorf("docs/api.md:%d: the recipe in Go is not test/docs/%s", e.line, file)
	}
	s.shows("recipe in Go", s.run(command), e)
}

// shows compares the output of a recipe.
func (s shell) shows(what, got string, e example) {
	s.t.Helper()
	if err := matches(e.shown, got); err != nil {
		s.t.Errorf("docs/api.md:%d: the %s: %v\noutput: %s\nshown: %s", e.line, what, err, got, e.shown)
	}
}

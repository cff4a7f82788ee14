//go:build wordpress

package wordpress

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/test/gocmd"
)

// TestTheCommandFindsNothingWrongWithAHealthySite runs jetmon diagnose as an owner does, with
// the tokens and without.
func TestTheCommandFindsNothingWrongWithAHealthySite(t *testing.T) {
	s := newSite(t, Options{})
	binary := filepath.Join(t.TempDir(), "jetmon")
	if out, err := gocmd.Command(t.Context(), "build", "-o", binary, "../../cmd/jetmon").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte(BlogToken+"\n"+UserToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(more ...string) (string, error) {
		out, err := exec.Command(binary, append([]string{"diagnose", s.URL, "--allow-private", "--metadata-url=none"}, more...)...).CombinedOutput()
		if strings.Contains(string(out), "s3cret") {
			t.Errorf("a token is shown:\n%s", out)
		}
		return string(out), err
	}
	for _, more := range [][]string{nil, {"--token-file=" + tokens}, {"--token-file=" + tokens, "--json"}} {
		out, err := run(more...)
		if err != nil || !strings.Contains(out, "Nothing wrong was found.") {
			t.Errorf("%v: %v\n%s", more, err, out)
		}
		t.Log(out)
	}
	s.Put(t, ".maintenance", "<?php $upgrading = time();")
	if out, err := run("--token-file=" + tokens); err == nil || !strings.Contains(out, "maintenance mode") {
		t.Errorf("in maintenance: %v\n%s", err, out)
	}
}

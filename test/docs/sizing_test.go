package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The table of docs/sizing.md is what docs/sizing.awk prints.
func TestTheTableOfSizesIsWhatItsProgramPrints(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "sizing.md"))
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join("..", "..", "docs", "sizing.awk")
	out, err := exec.CommandContext(t.Context(), "awk", "-f", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 500 || !strings.Contains(string(page), string(out)) {
		t.Errorf("docs/sizing.md does not have what awk -f docs/sizing.awk prints:\n%s", out)
	}
	one, err := exec.CommandContext(t.Context(), "awk", "-v", "sites=250000", "-v", "interval=120", "-f", program).Output()
	if err != nil || !strings.Contains(string(one), "| checks a second | 2083 |\n") {
		t.Errorf("250,000 sites every 120 s: %v\n%s", err, one)
	}
}

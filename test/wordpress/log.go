package wordpress

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Visits returns the lines of the access log of the server that the world reaches, and
// forgets them.
func (s *Site) Visits(t testing.TB) []string {
	t.Helper()
	path := filepath.Join(s.dir, "access.log")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.Truncate(path, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	// The site's own calls, by which it starts its cron, are no visits.
	var lines []string
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "/wp-cron.php") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

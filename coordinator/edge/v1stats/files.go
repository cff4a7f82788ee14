package v1stats

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/Automattic/jetmon/coordinator/engine/tally"
)

// writeFiles replaces v1's three files in a directory. A reader sees the old file or the new
// one, and never a part.
func writeFiles(dir string, s *sample) error {
	var totals strings.Builder
	for _, line := range []struct {
		label string
		n     uint64
	}{
		{"working", uint64(s.working)}, {"waiting", uint64(s.free)}, {"halting", uint64(s.halting)},
		{"error", s.counts.Total(tally.Down)}, {"offline", s.counts.Total(tally.StillDown)},
		{"success", s.counts.Total(tally.Up)}, {"total", s.total()},
	} {
		fmt.Fprintf(&totals, "%-8s: %d\n", line.label, line.n)
	}
	return errors.Join(
		replace(filepath.Join(dir, "sitespersec"), "sites per second: "+rate(s.perSecond())+"\n"),
		replace(filepath.Join(dir, "sitesqueue"), fmt.Sprintf("sites in queue: %d\n", s.waiting)),
		replace(filepath.Join(dir, "totals"), totals.String()),
	)
}

// rate writes a number as v1 does: an integer, or with one decimal.
func rate(n float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(n, 'f', 1, 64), ".0")
}

func replace(path, text string) error {
	next := path + ".new"
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}

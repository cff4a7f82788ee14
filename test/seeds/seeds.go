package seeds

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Run calls f once for each of the fixed seeds, or of those that the environment asks for
// instead; each call is a subtest, one after the other. f may have parallel subtests of its
// own, but its test is not to be made parallel.
func Run(t *testing.T, fixed []uint64, f func(t *testing.T, seed uint64)) {
	t.Helper()
	w, err := asked(os.Getenv("TESTSEED"), os.Getenv("TESTSOAK"))
	switch {
	case err != nil:
		t.Fatal(err)
	case len(fixed) == 0:
		t.Fatal("a random test without a seed tests nothing")
	case w.one:
		run(t, w.seed, f)
	case w.soak > 0:
		soak(t, w.soak, f)
	default:
		for _, seed := range fixed {
			run(t, seed, f)
		}
	}
}

// Soaks reports whether new seeds are tried, so that a test may do more with each.
func Soaks() bool { return os.Getenv("TESTSEED") == "" && os.Getenv("TESTSOAK") != "" }

// wish is what the environment asks for.
type wish struct {
	one  bool
	seed uint64
	soak time.Duration
}

// asked reads the two variables.
func asked(seed, soak string) (w wish, err error) {
	if seed != "" {
		if w.seed, err = strconv.ParseUint(seed, 10, 64); err != nil {
			return wish{}, fmt.Errorf("TESTSEED: %w", err)
		}
		w.one = true
		return w, nil
	}
	if soak == "" {
		return wish{}, nil
	}
	whole, parts, shared := strings.Cut(soak, "/")
	if w.soak, err = time.ParseDuration(whole); err != nil {
		return wish{}, fmt.Errorf("TESTSOAK: %w", err)
	}
	if shared {
		n, err := strconv.Atoi(parts)
		if err != nil {
			return wish{}, fmt.Errorf("TESTSOAK: %w", err)
		}
		if n < 1 {
			return wish{}, fmt.Errorf("TESTSOAK: %d parts", n)
		}
		w.soak /= time.Duration(n)
	}
	if w.soak <= 0 {
		return wish{}, fmt.Errorf("TESTSOAK: %q is no time", soak)
	}
	return w, nil
}

// soak calls f with new seeds for a while, or until one fails.
func soak(t *testing.T, lasts time.Duration, f func(*testing.T, uint64)) {
	t.Helper()
	n := 0
	for end := time.Now().Add(lasts); n == 0 || time.Now().Before(end) && !t.Failed(); n++ {
		run(t, rand.Uint64(), f)
	}
	t.Logf("%d new seeds", n)
}

// run calls f with one seed.
func run(t *testing.T, seed uint64, f func(*testing.T, uint64)) {
	t.Helper()
	repeat := fmt.Sprintf("seed %d failed; to repeat it: %s", seed, command(t.Name(), seed))
	ended := false
	t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
		returned := false
		defer func() {
			ended = true
			if !returned && !t.Failed() && !t.Skipped() { // it panics
				t.Log(repeat)
			}
		}()
		t.Cleanup(func() { // by now its own subtests have failed, too
			if t.Failed() {
				t.Log(repeat)
			}
		})
		f(t, seed)
		returned = true
	})
	if !ended {
		t.Fatal("a random test is not to make its seeds parallel: a soak would never end")
	}
}

// command is what repeats the test of that name with the seed, from the root of the module.
func command(name string, seed uint64) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return fmt.Sprintf("TESTSEED=%d go test ./%s -count=1 -run '%s'", seed, directory(), strings.Join(parts, "/"))
}

// directory is the package that is tested, inside its module: go test runs a test where
// its package is.
func directory() string {
	here, err := os.Getwd()
	if err != nil {
		return "..."
	}
	for root := here; ; root = filepath.Dir(root) {
		_, err := os.Stat(filepath.Join(root, "go.mod"))
		if err == nil {
			inside, err := filepath.Rel(root, here)
			if err != nil {
				return "..."
			}
			return filepath.ToSlash(inside)
		}
		if !errors.Is(err, os.ErrNotExist) || root == filepath.Dir(root) {
			return "..."
		}
	}
}

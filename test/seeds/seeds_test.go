package seeds

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// victim makes this test binary run a test of victims below.
const victim = "JETMON_TEST_SEEDS_VICTIM"

// victims are the tests that others here run in a process of their own. What they print
// is "drew", the seed and what follows from it.
func victims() map[string]func(*testing.T) {
	drew := func(t *testing.T, seed uint64) { fmt.Printf("drew %d in %s\n", seed, t.Name()) }
	return map[string]func(*testing.T){
		"passes": func(t *testing.T) { Run(t, []uint64{3, 1}, drew) },
		"fails": func(t *testing.T) {
			t.Run("a part", func(t *testing.T) {
				Run(t, []uint64{3, 1, 2}, func(t *testing.T, seed uint64) {
					if drew(t, seed); seed != 3 {
						t.Error("so it is")
					}
				})
			})
		},
		"panics":       func(t *testing.T) { Run(t, []uint64{8}, func(*testing.T, uint64) { panic("so it is") }) },
		"has none":     func(t *testing.T) { Run(t, nil, drew) },
		"is parallel":  func(t *testing.T) { Run(t, []uint64{1}, func(t *testing.T, _ uint64) { t.Parallel() }) },
		"has property": func(t *testing.T) { Check(t, []uint64{5, 6}, property) },
	}
}

// property holds for numbers that are not too large.
func property(t *rapid.T) {
	n := rapid.Uint64().Draw(t, "n")
	fmt.Printf("drew %d in %s\n", n, t.Name())
	if n > 1<<40 {
		t.Fatal("it is too large")
	}
}

func TestVictim(t *testing.T) {
	if f := victims()[os.Getenv(victim)]; f != nil {
		f(t)
	}
}

// suffer runs a victim and returns what it printed, and whether it passed.
func suffer(t *testing.T, name string, env ...string) (output string, passed bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestVictim$", "-test.v")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool {
		return strings.HasPrefix(s, "TESTSEED=") || strings.HasPrefix(s, "TESTSOAK=")
	})
	cmd.Env = append(append(cmd.Env, victim+"="+name), env...)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), err == nil
}

// drawn finds the seeds, or numbers, that a victim drew.
func drawn(output string) (seeds []string) {
	for _, m := range regexp.MustCompile(`drew (\d+) in`).FindAllStringSubmatch(output, -1) {
		seeds = append(seeds, m[1])
	}
	return seeds
}

func TestTheFixedSeedsAreDrawnInTheirOrder(t *testing.T) {
	t.Parallel()
	if out, passed := suffer(t, "passes"); !passed || !slices.Equal(drawn(out), []string{"3", "1"}) {
		t.Errorf("passed: %v\n%s", passed, out)
	}
}

func TestOneSeedIsDrawnInsteadOfTheList(t *testing.T) {
	t.Parallel()
	if out, passed := suffer(t, "passes", "TESTSEED=18446744073709551615", "TESTSOAK=1s"); !passed || !slices.Equal(drawn(out), []string{"18446744073709551615"}) {
		t.Errorf("passed: %v\n%s", passed, out)
	}
}

func TestASoakDrawsNewSeedsUntilItsTimeIsOver(t *testing.T) {
	t.Parallel()
	out, passed := suffer(t, "passes", "TESTSOAK=100ms/2")
	seeds := drawn(out)
	if slices.Sort(seeds); !passed || len(seeds) < 2 || len(slices.Compact(seeds)) != len(seeds) || slices.Contains(seeds, "3") {
		t.Errorf("passed: %v, drew %v", passed, seeds)
	}
}

func TestASoakDrawsOneSeedHoweverShortItIs(t *testing.T) {
	t.Parallel()
	if out, passed := suffer(t, "passes", "TESTSOAK=1ns"); !passed || len(drawn(out)) != 1 {
		t.Errorf("passed: %v\n%s", passed, out)
	}
}

func TestASoakEndsWithTheSeedThatFails(t *testing.T) {
	t.Parallel()
	out, passed := suffer(t, "fails", "TESTSOAK=1h")
	if seeds := drawn(out); passed || len(seeds) != 1 || !strings.Contains(out, "TESTSEED="+seeds[0]+" go test") {
		t.Errorf("passed: %v\n%s", passed, out)
	}
}

func TestAFailurePrintsTheCommandThatRepeatsIt(t *testing.T) {
	t.Parallel()
	out, passed := suffer(t, "fails")
	if passed || !slices.Equal(drawn(out), []string{"3", "1", "2"}) {
		t.Fatalf("passed: %v\n%s", passed, out)
	}
	for seed, want := range map[int]bool{3: false, 1: true, 2: true} {
		line := fmt.Sprintf("TESTSEED=%d go test ./test/seeds -count=1 -run '^TestVictim$/^a_part$'", seed)
		if strings.Contains(out, line) != want {
			t.Errorf("seed %d: want a line %q: %v\n%s", seed, line, want, out)
		}
	}
}

func TestAPanicPrintsTheCommandToo(t *testing.T) {
	t.Parallel()
	if out, passed := suffer(t, "panics"); passed || !strings.Contains(out, "TESTSEED=8 go test ./test/seeds") {
		t.Errorf("passed: %v\n%s", passed, out)
	}
}

func TestTestsThatWouldTestNothingOrNeverEndFail(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"has none", "is parallel"} {
		if out, passed := suffer(t, name); passed {
			t.Errorf("%s\n%s", name, out)
		}
	}
}

func TestAPropertyRepeatsWithItsSeed(t *testing.T) {
	t.Parallel()
	list, passed := suffer(t, "has property")
	again, _ := suffer(t, "has property")
	if passed || len(drawn(list)) < 2 || !slices.Equal(drawn(list), drawn(again)) {
		t.Errorf("passed: %v, drew %v, then %v", passed, drawn(list), drawn(again))
	}
	if !strings.Contains(list, "TESTSEED=5 go test ./test/seeds -count=1 -run '^TestVictim$'") {
		t.Errorf("no command that repeats it:\n%s", list)
	}
	one, _ := suffer(t, "has property", "TESTSEED=5")
	if got := drawn(one); len(got) == 0 || got[0] != drawn(list)[0] {
		t.Errorf("drew %v with the seed alone, %v before", got, drawn(list))
	}
	if other, _ := suffer(t, "has property", "TESTSEED=7"); slices.Equal(drawn(other), drawn(one)) {
		t.Errorf("another seed drew the same: %v", drawn(one))
	}
	if _, err := os.Stat("testdata"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file stays behind: %v", err)
	}
}

func TestWhatTheEnvironmentMayAskFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		seed, soak string
		want       wish
		wrong      bool
	}{
		{"", "", wish{}, false},
		{"0", "", wish{one: true}, false},
		{"7", "1m", wish{one: true, seed: 7}, false},
		{"", "90s", wish{soak: 90 * time.Second}, false},
		{"", "10m/30", wish{soak: 20 * time.Second}, false},
		{"-1", "", wish{}, true},
		{"0x7", "", wish{}, true},
		{"", "10", wish{}, true},
		{"", "10m/0", wish{}, true},
		{"", "10m/x", wish{}, true},
		{"", "-1m", wish{}, true},
		{"", "0s", wish{}, true},
	} {
		got, err := asked(tt.seed, tt.soak)
		if got != tt.want || (err != nil) != tt.wrong {
			t.Errorf("%s, %s: %+v, %v", strconv.Quote(tt.seed), strconv.Quote(tt.soak), got, err)
		}
	}
	if _, err := asked("x", ""); !errors.Is(err, strconv.ErrSyntax) {
		t.Errorf("%v", err)
	}
}

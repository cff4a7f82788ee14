package seeds

import (
	"flag"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// turn lets one property be checked at a time: rapid has one seed for a process.
var turn = sync.OnceValue(func() *sync.Mutex { return new(sync.Mutex) })

// Check checks a property as rapid.Check does, with the seeds that Run takes. A seed of
// zero means a new one to rapid, so it is none here.
func Check(t *testing.T, fixed []uint64, property func(*rapid.T)) {
	t.Helper()
	Run(t, fixed, func(t *testing.T, seed uint64) {
		t.Helper()
		if seed == 0 {
			t.Fatal("zero is no seed of rapid's")
		}
		turn().Lock()
		defer turn().Unlock()
		// The seed is all that it takes to repeat a failure; a file would only stay behind.
		for name, value := range map[string]string{"rapid.seed": strconv.FormatUint(seed, 10), "rapid.nofailfile": "true"} {
			if err := flag.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
		rapid.Check(t, property)
	})
}

package logbook

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/internal/check"
)

// FuzzABlob wants whatever lies in the database to be opened or refused, within the memory of a
// blob.
func FuzzABlob(f *testing.F) {
	p := newPress()
	for _, x := range []binary{new(history.Sheet), new(history.Summaries), new(history.Fleet)} {
		blob, err := p.pack(x)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(blob)
	}
	f.Add(p.enc.EncodeAll(make([]byte, maxPlain+1), nil))
	f.Fuzz(func(t *testing.T, blob []byte) {
		err := p.open(blob, func(b []byte) error {
			if len(b) > maxPlain {
				t.Fatalf("%d bytes of %d", len(b), len(blob))
			}
			_, _ = history.ParseSheet(b)
			_, _ = history.ParseSummaries(b)
			_, err := history.ParseFleet(b)
			return err
		})
		if err == nil && len(blob) == 0 {
			t.Fatal("nothing is something")
		}
	})
}

// Times that differ at random have nothing that repeats. They must be compressed all the same:
// what they have is that some differences are frequent.
func TestWhatDoesNotRepeatIsCompressed(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 0))
	for regions, most := range map[int]float64{1: 0.65, 3: 0.95} {
		s := &history.Sheet{Regions: []string{"", "a", "b", "c"}}
		for site := check.SiteID(1); len(s.Strips) < 128; site += 1 + check.SiteID(rng.IntN(1000)) {
			x := history.Strip{Site: site, Interval: 5 * time.Minute, First: 6_000_000}
			for median := 0.05 + 2*rng.Float64(); len(x.Codes) < 288; {
				x.Codes = append(x.Codes, history.Took(time.Duration(median*math.Exp(0.2*rng.NormFloat64())*1e9)))
				x.Regions = append(x.Regions, uint8(1+rng.IntN(regions)))
			}
			s.Strips = append(s.Strips, x)
		}
		blob, err := newPress().pack(s)
		if err != nil {
			t.Fatal(err)
		}
		if is := float64(len(blob)) / (128 * 288); is > most {
			t.Errorf("with %d regions a check takes %.3f bytes, want %.2f at most", regions, is, most)
		}
	}
}

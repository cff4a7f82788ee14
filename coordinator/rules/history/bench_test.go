package history_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// fleet makes up sites as real ones are, as far as is known in public: the medians of their times
// are spread log-normally about 0.4 s, by a factor of 2.5 for one in three, between 50 ms and 3 s.
// The times of a site are spread log-normally about its median, by a sigma of its own; a rhythm
// of the day of up to 15 % is in them, one check in a hundred is two to some ten times slower,
// outages begin once in 3,000 checks and last some seven, and one check in 2,000 could not tell.
type fleet struct {
	rng *rand.Rand
	// sigma is the median of the sites' own; they are spread by a factor of 1.65 for one in three.
	sigma float64
}

// site makes a site; its function returns the code of each check, of perDay a day.
func (f *fleet) site(perDay int) func(turn int) history.Code {
	median := min(3, max(0.05, 0.4*math.Exp(0.9*f.rng.NormFloat64())))
	sigma := f.sigma * math.Exp(0.5*f.rng.NormFloat64())
	rhythm, phase := 0.15*f.rng.Float64(), 2*math.Pi*f.rng.Float64()
	failing := 0
	return func(turn int) history.Code {
		if failing == 0 && f.rng.IntN(3000) == 0 {
			failing = 1 + int(6*f.rng.ExpFloat64())
		}
		switch {
		case failing > 0:
			failing--
			return history.Failed
		case f.rng.IntN(2000) == 0:
			return history.Unknown
		}
		took := median * math.Exp(sigma*f.rng.NormFloat64()+rhythm*math.Sin(phase+2*math.Pi*float64(turn)/float64(perDay)))
		if f.rng.IntN(100) == 0 {
			took *= 2 + 3*f.rng.ExpFloat64()
		}
		return history.Took(time.Duration(took * float64(time.Second)))
	}
}

const perDay = 24 * 60 / 5 // turns, at an interval of five minutes

// sheet makes the sheet of some sites and turns from the start of the day.
func (f *fleet) sheet(sites, turns, regions int) *history.Sheet {
	s := &history.Sheet{Regions: []string{""}}
	for i := range regions {
		s.Regions = append(s.Regions, fmt.Sprint("region-", i))
	}
	for i := range sites {
		x := history.Strip{Site: check.SiteID(1_000_000 + i*check.Buckets + f.rng.IntN(check.Buckets)), Interval: 5 * time.Minute}
		x.First = schedule.TurnBefore(x.Site, x.Interval, day.Start()) + 1
		code := f.site(perDay)
		for turn := range turns {
			x.Codes = append(x.Codes, code(turn))
			x.Regions = append(x.Regions, uint8(1+f.rng.IntN(regions)))
		}
		s.Strips = append(s.Strips, x)
	}
	return s
}

// compressor is the fastest level: a slower one finds nothing more.
func compressor(b *testing.B) *zstd.Encoder {
	b.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithAllLitEntropyCompression(true), zstd.WithEncoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	return z
}

// BenchmarkStored measures what is stored of a check, compressed, in rows as they are at a
// million sites and at ten million: a flush has two turns of a bucket, an hour twelve, and a day
// has 288 of the 128 sites of a part.
func BenchmarkStored(b *testing.B) {
	z := compressor(b)
	for _, row := range []struct {
		name         string
		sites, turns int
	}{
		{"flush, 1M", 2000, 2},
		{"flush, 10M", 20_000, 2},
		{"hour, 1M", 2000, 12},
		{"hour, 10M", 20_000, 12},
		{"day", 128, perDay},
	} {
		for _, sigma := range []float64{0.1, 0.2, 0.3} {
			for _, regions := range []int{1, 3} {
				b.Run(fmt.Sprintf("%s/sigma=%.1f/regions=%d", row.name, sigma, regions), func(b *testing.B) {
					f := fleet{rand.New(rand.NewPCG(1, 1)), sigma}
					s := f.sheet(row.sites, row.turns, regions)
					checks := float64(row.sites * row.turns)
					var blob, packed []byte
					for b.Loop() {
						blob = s.AppendBinary(blob[:0])
						packed = z.EncodeAll(blob, packed[:0])
					}
					b.ReportMetric(float64(len(packed))/checks, "B/check")
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/checks, "ns/check")
				})
			}
		}
	}
}

// BenchmarkSummaries measures a day's summaries of a part: what they take in the store for each
// site, and what an hour more of them costs.
func BenchmarkSummaries(b *testing.B) {
	z := compressor(b)
	const sites = 128
	f := fleet{rand.New(rand.NewPCG(1, 1)), 0.2}
	s := f.sheet(sites, perDay, 1)
	first, end := day.Hours()
	var hours []*history.Sheet
	for h := first; h < end; h++ {
		hours = append(hours, history.Merge(h.Start(), (h+1).Start(), s))
	}
	var blob []byte
	for b.Loop() {
		sum := history.Summaries{Until: first}
		for i, h := range hours {
			sum.Add(first+history.Hour(i)+1, h)
		}
		blob = sum.AppendBinary(blob[:0])
	}
	b.ReportMetric(float64(len(z.EncodeAll(blob, nil)))/sites, "B/site/day")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/sites/24, "ns/site/hour")
}

// BenchmarkFlush measures what a flush costs a check, of a bucket at a million sites and at ten
// million: notes become a sheet, which becomes bytes, which are compressed.
func BenchmarkFlush(b *testing.B) {
	z := compressor(b)
	for _, sites := range []int{2000, 20_000} {
		f := fleet{rand.New(rand.NewPCG(1, 1)), 0.2}
		var notes []history.Note
		for _, x := range f.sheet(sites, 2, 1).Strips {
			for i, c := range x.Codes {
				notes = append(notes, history.Note{Site: x.Site, Turn: uint32(x.First + int64(i)), Interval: 300, Code: c, Region: 1})
			}
		}
		// They come by turns, not by site: after some seconds.
		late := map[history.Note]time.Time{}
		for _, n := range notes {
			late[n] = schedule.TurnTime(n.Site, 5*time.Minute, int64(n.Turn)).Add(time.Duration(f.rng.ExpFloat64() * float64(time.Second)))
		}
		slices.SortFunc(notes, func(x, y history.Note) int { return late[x].Compare(late[y]) })
		for _, upTo := range []string{"sheets", "bytes", "compressed"} {
			b.Run(fmt.Sprintf("sites=%d/%s", sites, upTo), func(b *testing.B) {
				var binder history.Binder
				var all []history.Note
				var blob, packed []byte
				b.ReportAllocs()
				for b.Loop() {
					all = append(all[:0], notes...)
					for _, x := range binder.Bind(all, []string{"", "europe"}) {
						if upTo != "sheets" {
							blob = x.Sheet.AppendBinary(blob[:0])
						}
						if upTo == "compressed" {
							packed = z.EncodeAll(blob, packed[:0])
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(notes)), "ns/check")
			})
		}
	}
}

// BenchmarkMerge measures what a fold costs a check: six flushes of a bucket become an hour, and
// 24 hours become a day.
func BenchmarkMerge(b *testing.B) {
	for _, fold := range []struct {
		name   string
		sheets int
		turns  int
	}{{"hour of flushes", 6, 2}, {"day of hours", 24, 12}} {
		b.Run(fold.name, func(b *testing.B) {
			const sites = 2000
			f := fleet{rand.New(rand.NewPCG(1, 1)), 0.2}
			all := f.sheet(sites, fold.sheets*fold.turns, 1)
			var blobs [][]byte
			for i := range fold.sheets {
				from := day.Start().Add(time.Duration(i*fold.turns) * 5 * time.Minute)
				blobs = append(blobs, history.Merge(from, from.Add(time.Duration(fold.turns)*5*time.Minute), all).AppendBinary(nil))
			}
			b.ReportAllocs()
			for b.Loop() {
				var sheets []*history.Sheet
				for _, blob := range blobs {
					s, err := history.ParseSheet(blob)
					if err != nil {
						b.Fatal(err)
					}
					sheets = append(sheets, s)
				}
				if s := history.Merge(day.Start(), (day + 1).Start(), sheets...); len(s.Strips) != sites {
					b.Fatalf("%d strips", len(s.Strips))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(sites*fold.sheets*fold.turns), "ns/check")
		})
	}
}

// BenchmarkFind measures how a site is found in the days of its part, for thirty days of them.
func BenchmarkFind(b *testing.B) {
	f := fleet{rand.New(rand.NewPCG(1, 1)), 0.2}
	s := f.sheet(128, perDay, 3)
	blob := s.AppendBinary(nil)
	for b.Loop() {
		for i := range 30 {
			site := s.Strips[i*4].Site
			if x, _, err := history.FindStrips(blob, site); err != nil || len(x) != 1 {
				b.Fatal(x, err)
			}
		}
	}
}

// BenchmarkNote measures what a note costs: which turn it is of, its code, and its place in the
// book.
func BenchmarkNote(b *testing.B) {
	book := history.NewBook()
	at := day.Start()
	i := 0
	for b.Loop() {
		site := check.SiteID(i*7919%10_000_000 + 1)
		if i++; i%4_000_000 == 0 {
			for s := range shard.Count {
				book.Reuse(book.Take(shard.ID(s)))
			}
		}
		turn, seconds, _ := history.Noted(site, 5*time.Minute, at, at)
		book.Note(check.BucketID(site%check.Buckets), history.Note{Site: site, Turn: turn, Interval: seconds, Code: history.Took(time.Duration(i) * time.Microsecond)})
	}
}

// BenchmarkBook measures the memory of notes: the most that sites at five minutes take when each
// shard's notes are taken every ten minutes, one shard after the other, with the memory that
// sorting takes. Nobody else has the engine's lock while they are taken: us/take is the longest.
func BenchmarkBook(b *testing.B) {
	const flush = 10 * 60
	for _, sites := range []int{1_000_000, 10_000_000} {
		b.Run(fmt.Sprintf("sites=%d", sites), func(b *testing.B) {
			for b.Loop() {
				before, most, longest := heap(), uint64(0), time.Duration(0)
				book := history.NewBook()
				var binder history.Binder
				var notes []history.Note
				taken := 0
				for second := range 2 * flush {
					for site := second % 300; site < sites; site += 300 { // whose turn it is
						book.Note(check.BucketID(site*7%check.Buckets), history.Note{Site: check.SiteID(site + 1), Turn: uint32(second / 300), Interval: 300, Code: 100})
					}
					for ; taken < second*shard.Count/flush; taken++ {
						begun := time.Now()
						t := book.Take(shard.ID(taken % shard.Count))
						longest = max(longest, time.Since(begun))
						for i := range shard.BucketsPer {
							notes = notes[:0]
							t.Notes(i, func(of []history.Note) { notes = append(notes, of...) })
							binder.Bind(notes, t.Regions)
						}
						if second > flush && taken%8 == 0 {
							most = max(most, heap())
						}
						book.Reuse(t)
					}
				}
				b.ReportMetric(float64(most-before)/float64(sites), "B/site")
				b.ReportMetric(float64(longest.Microseconds()), "us/take")
				b.ReportMetric(0, "ns/op")
				runtime.KeepAlive(book)
			}
		})
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

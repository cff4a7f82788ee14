package loader_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

// all are the ids of sites 1 to n whose buckets are in a span.
func all(n int, in span) (ids []int) {
	for id := 1; id <= n; id++ {
		if b := site(id).Bucket; in.first <= b && b <= in.last {
			ids = append(ids, id)
		}
	}
	return ids
}

func want[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// On trial of a sample only its sites are watched, after a load and after every reading; of a
// shard that was taken over all are.
func TestATrialOfASampleWatchesItsSites(t *testing.T) {
	t.Parallel()
	storySampled(t, 2000, span{0, 511}, 10, func(h *house) {
		h.shards.Speak(shard.OnTrial)
		h.shards.Set(3, shard.Tenure{Term: 1, Sure: true})
		h.gain(0, 31)
		h.loader.Settled()
		var ids []int
		for id := 1; id <= 2000; id++ {
			if (shard.Trial{Sample: 10}).Has(check.SiteID(id)) || shard.Of(site(id).Bucket) == 3 {
				ids = append(ids, id)
			}
		}
		h.after(0)
		want(t, "sites", h.has(2000), ids)
		h.after(3 * time.Minute) // every row is read again within a minute
		want(t, "sites later", h.has(2000), ids)
		if len(ids) < 200 || len(ids) > 350 {
			t.Errorf("%d of 2000 sites are watched", len(ids))
		}
	})
}

func TestAllShardsAtOnceAreReadInTheOrderOfTheTable(t *testing.T) {
	t.Parallel()
	story(t, 1000, func(h *house) {
		h.gain(0, 31)
		h.after(time.Minute)
		if got := h.has(1000); len(got) > 0 || h.loaded() {
			t.Errorf("%d sites before all had come that could be had", len(got))
		}
		h.loader.Settled()
		h.after(0)
		want(t, "sites", h.has(1000), all(1000, span{0, 511}))
		want(t, "loads", h.loads(), []span{{0, 511}})
		want(t, "reported as loaded", h.loaded(), true)
		for _, id := range []int{1, 77, 1000} {
			v, _ := h.engine.View(time.Now(), check.SiteID(id))
			if due := schedule.Next(check.SiteID(id), every, time.Now()); v.State.Stage != lifecycle.NeverChecked || v.Next.Sub(due).Abs() > time.Second {
				t.Errorf("site %d is %v and due at %s, want %s", id, v.State.Stage, v.Next, due)
			}
		}
	})
}

func TestAFewShardsAreReadOneByOne(t *testing.T) {
	t.Parallel()
	story(t, 600, func(h *house) {
		h.loader.Settled()
		h.after(0)
		want(t, "reported as loaded, of nothing", h.loaded(), true)
		h.gain(3, 3)
		h.gain(9, 10)
		h.after(0)
		loads := h.loads()
		slices.SortFunc(loads, func(a, b span) int { return int(a.first) - int(b.first) })
		want(t, "loads", loads, []span{{48, 63}, {144, 159}, {160, 175}})
		want(t, "sites", h.has(600), slices.Concat(all(511, span{48, 63}), all(511, span{144, 175}), all(600, span{48, 63})[16:]))
	})
}

func TestShardsGainedDuringALoadAreLoadedNext(t *testing.T) {
	t.Parallel()
	story(t, 511, func(h *house) {
		h.table.pause = 100 * time.Millisecond
		h.loader.Settled()
		h.gain(0, 0)
		h.after(50 * time.Millisecond)
		h.gain(1, 31)
		h.after(time.Minute / 2)
		want(t, "loads", h.loads(), []span{{0, 15}, {16, 511}})
		want(t, "sites", h.has(511), all(511, span{0, 511}))
	})
}

func TestOnlyTheBucketsOfAStaticRangeAreRead(t *testing.T) {
	t.Parallel()
	storyOf(t, 511, span{24, 300}, func(h *house) {
		h.gain(1, 18)
		h.loader.Settled()
		h.after(0)
		want(t, "loads", h.loads(), []span{{24, 300}})
		want(t, "sites", h.has(511), all(511, span{24, 300}))
	})
	storyOf(t, 511, span{24, 35}, func(h *house) {
		h.gain(1, 2)
		h.loader.Settled()
		h.after(0)
		want(t, "sites", h.has(511), all(511, span{24, 35}))
	})
}

func TestAShardLostDuringALoadIsDiscarded(t *testing.T) {
	t.Parallel()
	story(t, 511, func(h *house) {
		h.table.pause = 100 * time.Millisecond
		h.gain(0, 31)
		h.loader.Settled()
		h.after(950 * time.Millisecond) // 90 of 511 rows are there
		want(t, "sites", h.has(511), all(90, span{0, 511}))
		h.loader.Lost(2)  // read already
		h.loader.Lost(20) // not yet
		h.after(time.Minute / 2)
		rest := slices.DeleteFunc(all(511, span{0, 511}), func(id int) bool { s := id / 16; return s == 2 || s == 20 })
		want(t, "sites", h.has(511), rest)
		h.gain(20, 20)
		h.after(time.Minute / 2)
		want(t, "sites of the one that came back", len(h.has(511)), len(rest)+16)
	})
}

func TestAShardRegainedDuringALoadIsLoadedAgain(t *testing.T) {
	t.Parallel()
	story(t, 511, func(h *house) {
		h.table.pause = 100 * time.Millisecond
		h.gain(0, 31)
		h.loader.Settled()
		h.after(time.Second)
		h.loader.Lost(2)
		h.gain(2, 2)
		h.after(10 * time.Second)
		want(t, "loads", h.loads()[:2], []span{{0, 511}, {32, 47}})
		want(t, "sites", h.has(511), all(511, span{0, 511}))
	})
}

func TestAFailedLoadIsRetriedTogetherWithNewShards(t *testing.T) {
	t.Parallel()
	story(t, 511, func(h *house) {
		h.table.fails = 2
		h.gain(0, 15)
		h.loader.Settled()
		h.after(500 * time.Millisecond)
		want(t, "reported as loaded, when it failed", h.loaded(), false)
		h.gain(16, 31)
		h.after(time.Second) // it fails once more
		h.after(time.Second)
		want(t, "loads while it waits longer", h.loads(), []span{{0, 255}, {0, 511}})
		h.after(time.Second)
		want(t, "loads", h.loads(), []span{{0, 255}, {0, 511}, {0, 511}})
		want(t, "sites", h.has(511), all(511, span{0, 511}))
		want(t, "reported as loaded", h.loaded(), true)
	})
}

func TestAFailingShardDelaysNoOther(t *testing.T) {
	t.Parallel()
	story(t, 5110, func(h *house) {
		h.table.fails = 1
		h.loader.Settled()
		h.gain(0, 3)
		h.after(0)
		if got := len(h.has(5110)); got < 3*150 || got >= 4*150 {
			t.Errorf("%d sites at first", got)
		}
		h.after(time.Second)
		want(t, "sites", len(h.has(5110)), len(all(5110, span{0, 63})))
	})
}

func TestALoadDoesNotUndoEdits(t *testing.T) {
	t.Parallel()
	story(t, 511, func(h *house) {
		h.table.pause = 100 * time.Millisecond
		h.table.is(func(d *table) { d.away = true }) // for polls only
		h.gain(0, 31)
		h.loader.Settled()
		h.after(time.Second)
		// Each is made in the table, too late for the pages before it, and in the engine.
		edit := func(id int) {
			s := site(id)
			s.Interval = time.Hour
			h.engine.Put(time.Now(), s)
		}
		edit(5)   // was read
		edit(400) // is yet to be read, as it was before the edit
		h.engine.Remove(time.Now(), 6)
		h.engine.Remove(time.Now(), 401)
		late := site(12) // created where the scan has been
		late.ID = 3000
		h.engine.Put(time.Now(), late)
		h.after(10 * time.Second)
		want(t, "interval of one that was read", h.interval(5), time.Hour)
		want(t, "interval of one that was not", h.interval(400), time.Hour)
		want(t, "sites", len(h.has(511)), 509)
		want(t, "interval of the new one", h.interval(3000), every)
	})
}

// leftBehind is what an earlier owner knew of a site.
func leftBehind(t *testing.T, id int) record.Snapshot {
	s := site(id)
	state, err := json.Marshal(map[string]any{"State": lifecycle.State{Stage: lifecycle.Suspect, Status: check.StatusRunning, Failures: 1, Observed: time.Now()}})
	if err != nil {
		t.Fatal(err)
	}
	return record.Snapshot{SiteID: s.ID, Bucket: s.Bucket, At: time.Now(), URL: s.URL, State: state}
}

func TestSnapshotsAreRecalledAndThoseOfMissingSitesForgottenAfterALoad(t *testing.T) {
	t.Parallel()
	for name, shards := range map[string]shard.ID{"all shards": 31, "a few": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, 511, func(h *house) {
				h.table.pause = 100 * time.Millisecond
				h.table.snapshots[0] = []record.Snapshot{leftBehind(t, 3), leftBehind(t, 512+3)} // of which one is gone
				h.gain(0, shards)
				h.loader.Settled()
				h.after(150 * time.Millisecond)
				if v, _ := h.engine.View(time.Now(), 3); v.State.Stage != lifecycle.Suspect {
					t.Errorf("it is %v", v.State.Stage)
				}
				for _, m := range h.engine.Unsaved(time.Now(), 0, 10) {
					if m.Forget {
						t.Errorf("site %d is forgotten before all is read", m.Site)
					}
				}
				h.after(10 * time.Second)
				var forgotten []check.SiteID
				for _, m := range h.engine.Unsaved(time.Now(), 0, 10) {
					if m.Forget {
						forgotten = append(forgotten, m.Site)
					}
				}
				want(t, "forgotten", forgotten, []check.SiteID{512 + 3})
			})
		})
	}
}

// An edit through the API puts a site before its snapshot is recalled.
func TestASnapshotSurvivesAnEditBeforeItsRecall(t *testing.T) {
	t.Parallel()
	for name, shards := range map[string]shard.ID{"all shards": 31, "a few": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, 511, func(h *house) {
				h.table.slow = 2 * time.Second
				h.table.snapshots[0] = []record.Snapshot{leftBehind(t, 3), leftBehind(t, 4)}
				h.gain(0, shards)
				h.loader.Settled()
				h.after(time.Second)
				edited := site(3)
				edited.Interval = time.Hour
				h.table.set(edited)
				h.engine.Put(time.Now(), edited)
				h.after(time.Minute)
				for id, interval := range map[int]time.Duration{3: time.Hour, 4: every} {
					v, _ := h.engine.View(time.Now(), check.SiteID(id))
					if v.State.Stage != lifecycle.Suspect || v.State.Failures != 1 || v.Interval != interval {
						t.Errorf("site %d is %v after %d failures, every %s", id, v.State.Stage, v.State.Failures, v.Interval)
					}
				}
				for s := range shards + 1 {
					h.loader.Lost(s)
				}
				want(t, "sites when all is given up", len(h.has(511)), 0)
			})
		})
	}
}

func TestAShardLostBeforeItsLoadIsNotWatched(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*house){
		"though it was edited":      func(h *house) { h.engine.Put(time.Now(), site(3)); h.loader.Lost(0) },
		"nor what came too late":    func(h *house) { h.loader.Lost(0); h.engine.Put(time.Now(), site(3)) },
		"nor what is not there now": func(h *house) { h.loader.Lost(0); h.engine.Put(time.Now(), site(5123)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, 511, func(h *house) {
				h.table.slow = 2 * time.Second
				h.gain(0, 31)
				h.loader.Settled()
				h.after(time.Second)
				edit(h)
				h.after(time.Minute)
				h.loader.Gained(0)
				h.after(0)
				want(t, "sites before it is loaded", len(h.has(511)), 511-15)
				h.after(time.Minute)
				want(t, "sites when it is back", len(h.has(511)), 511)
				_, stray := h.engine.View(time.Now(), 5123)
				h.loader.Lost(0)
				want(t, "sites when it is lost", len(h.has(511)), 511-15)
				want(t, "one that is not in the table", stray, false)
			})
		})
	}
}

func TestSnapshotsOfALostShardAreLeftToTheNextOwner(t *testing.T) {
	t.Parallel()
	story(t, 511, func(h *house) {
		h.table.pause = 100 * time.Millisecond
		h.table.snapshots[30] = []record.Snapshot{leftBehind(t, 485), leftBehind(t, 512+485)}
		h.gain(0, 31)
		h.loader.Settled()
		h.after(time.Second)
		h.loader.Lost(30)
		h.after(10 * time.Second)
		want(t, "to be written", len(h.engine.Unsaved(time.Now(), 30, 10)), 0)
	})
}

func TestTheEndOfRunEndsAllReads(t *testing.T) {
	t.Parallel()
	for name, shards := range map[string]shard.ID{"all shards": 31, "a few": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, 5110, func(h *house) {
				h.table.pause = 100 * time.Millisecond
				h.gain(0, shards)
				h.loader.Settled()
				h.after(time.Second)
				h.stop()
				want(t, "reported as loaded", h.loaded(), false)
				want(t, "still reading", len(h.table.reading), 0)
			})
		})
	}
}

func TestRandomGainsAndLossesLeaveExactlyOurSites(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for n := range 6 {
			t.Run(fmt.Sprint("plan ", n), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(seed, uint64(n)))
				const sites = 1500
				story(t, sites, func(h *house) {
					ours := map[shard.ID]bool{}
					for step := range 150 {
						s := shard.ID(rng.IntN(shard.Count))
						id := 1 + rng.IntN(sites)
						switch k := rng.IntN(10); {
						case step == 20:
							h.loader.Settled()
						case ours[s] && k < 2:
							h.loader.Lost(s)
							delete(ours, s)
						case !ours[s] && k < 6:
							h.loader.Gained(s)
							ours[s] = true
						case k == 6:
							h.table.remove(check.SiteID(id))
						case k == 7:
							edited := site(id)
							edited.Interval, edited.Bucket = time.Hour, check.BucketID(rng.IntN(check.Buckets))
							h.table.set(edited)
						case k == 8:
							h.table.mu.Lock()
							h.table.fails, h.table.pause = rng.IntN(3), time.Duration(rng.IntN(50_000_000))
							h.table.mu.Unlock()
						}
						h.after(time.Duration(rng.IntN(2_000_000_000)))
					}
					h.table.mu.Lock()
					h.table.fails, h.table.pause = 0, 0
					h.table.mu.Unlock()
					h.after(3 * time.Minute)
					for id := 1; id <= sites; id++ {
						row, there := h.table.rows[check.SiteID(id)]
						wanted := time.Duration(0)
						if there && ours[shard.Of(row.Bucket)] {
							wanted = row.Interval
						}
						if got := h.interval(id); got != wanted {
							t.Errorf("site %d in bucket %d: interval %s, want %s", id, row.Bucket, got, wanted)
						}
					}
				})
			})
		}
	})
}

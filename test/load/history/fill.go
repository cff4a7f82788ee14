//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// sampled is how many sites of all buckets have summaries.
const sampled = 1000

// fill writes thirty days, of some buckets turn by turn, of some sites in all buckets as summaries.
func (b *bench) fill(ctx context.Context) error {
	f := &filler{bench: b}
	// As package logbook has it.
	var err error
	if f.enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithAllLitEntropyCompression(true), zstd.WithEncoderCRC(true), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20)); err != nil {
		return err
	}
	began := time.Now()
	for i := range b.full {
		bucket := check.BucketID(i * check.Buckets / b.full)
		for _, ids := range parts(b.world.buckets[bucket]) {
			if err := f.part(ctx, bucket, ids, true); err != nil {
				return err
			}
		}
	}
	for _, s := range b.sample() {
		for _, ids := range parts(b.world.buckets[s.Bucket]) {
			if history.PartOf(ids[0]) == history.PartOf(s.ID) {
				if err := f.part(ctx, s.Bucket, ids, false); err != nil {
					return err
				}
			}
		}
	}
	say("%d days, written in %v: %d buckets turn by turn, and %d sites of all buckets as summaries, with their parts", days, time.Since(began).Round(time.Second), b.full, sampled)
	say("  a check, turn by turn      %.3f bytes (%d rows, %.1f KB each)", float64(f.bytes)/float64(f.checks), f.rows, float64(f.bytes)/float64(f.rows)/1e3)
	say("  a site's day, summed up    %.1f bytes (%d rows, %.1f KB each)", float64(f.sumBytes)/float64(f.siteDays), f.sumRows, float64(f.sumBytes)/float64(f.sumRows)/1e3)
	return nil
}

// filler writes days.
type filler struct {
	*bench
	enc                 *zstd.Encoder
	bytes, checks, rows int
	sumBytes, sumRows   int
	siteDays            int
	plain               []byte
	written             map[store.PartKey]bool
}

// part writes the days of a part, each of its own checks.
func (f *filler) part(ctx context.Context, bucket check.BucketID, ids []check.SiteID, turns bool) error {
	key := store.PartKey{Bucket: bucket, Part: history.PartOf(ids[0])}
	if f.written[key] {
		return nil
	}
	if f.written == nil {
		f.written = map[store.PartKey]bool{}
	}
	f.written[key] = true
	var x store.CheckFold
	for day := f.today - days; day < f.today; day++ {
		first, end := day.Hours()
		sheet := f.world.sheet(ids, first.Start(), end.Start())
		sums := &history.Summaries{Until: first}
		sums.Add(end, sheet)
		if turns {
			blob := f.pack(sheet)
			x.Days = append(x.Days, store.DayRow{PartKey: key, Day: day, Blob: blob})
			f.bytes, f.rows = f.bytes+len(blob), f.rows+1
			for _, s := range sheet.Strips {
				f.checks += len(s.Codes)
			}
		}
		blob := f.pack(sums)
		x.Summaries = append(x.Summaries, store.DayRow{PartKey: key, Day: day, Blob: blob})
		f.sumBytes, f.sumRows, f.siteDays = f.sumBytes+len(blob), f.sumRows+1, f.siteDays+len(ids)
	}
	if err := f.store.FoldChecks(ctx, shard.Fence{Shard: shard.Of(bucket), Node: shardtest.Node, Term: 1}, x); err != nil {
		return fmt.Errorf("write part %d of bucket %d: %w", key.Part, bucket, err)
	}
	return nil
}

func (f *filler) pack(x interface{ AppendBinary([]byte) []byte }) []byte {
	f.plain = x.AppendBinary(f.plain[:0])
	return f.enc.EncodeAll(f.plain, nil)
}

// sample are some sites of all buckets, the same ones each time.
func (b *bench) sample() []record.Site {
	sites := make([]record.Site, sampled)
	for i := range sites {
		bucket := check.BucketID(i * 31 % check.Buckets)
		ids := b.world.buckets[bucket]
		sites[i] = record.Site{ID: ids[mix(uint64(i))%uint64(len(ids))], Bucket: bucket, Interval: b.interval}
	}
	return sites
}

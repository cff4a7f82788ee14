package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/trial"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/internal/check"
)

// handoverCommand is `jetmon handover`.
type handoverCommand struct {
	databaseFlags `embed:""`
	Buckets       string        `required:"" placeholder:"FIRST-LAST" help:"Buckets to hand over, whole shards of 16: 0-15, 0-511."`
	From          string        `enum:"v1," default:"" placeholder:"v1" help:"Take the buckets over from v1, which must have been stopped with them."`
	To            string        `enum:"v1," default:"" placeholder:"v1" help:"Give the buckets back to v1, which is started with them afterwards."`
	Yes           bool          `help:"Do it; without this flag the command says what would happen."`
	Wait          time.Duration `default:"1m" help:"How long to wait until WordPress.com has accepted the notifications of buckets that go back."`
	DBUpdates     bool          `name:"db-updates" help:"As for the coordinators: Jetmon writes jetpack_monitor_sites, so that a row that says something else than WordPress.com knows is set right before v1 starts from it."`
}

// Run hands buckets over.
func (c *handoverCommand) Run(ctx context.Context, p *program) (err error) {
	if (c.From == "") == (c.To == "") {
		return usagef("either --from v1 or --to v1 is needed")
	}
	shards, err := bucketRange(c.Buckets)
	if err != nil {
		return usagef("--buckets: %w", err)
	}
	db, err := c.open(ctx, sqlstore.Options{LegacyWrites: c.DBUpdates})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return trial.HandOver(ctx, db, trial.Order{Range: shards, ToV1: c.To != "", Do: c.Yes, Wait: c.Wait}, p.Out)
}

// bucketRange parses FIRST-LAST.
func bucketRange(text string) (trial.Range, error) {
	first, last, found := strings.Cut(text, "-")
	from, err1 := strconv.ParseUint(first, 10, 16)
	to, err2 := strconv.ParseUint(last, 10, 16)
	if !found || err1 != nil || err2 != nil {
		return trial.Range{}, errors.New(strconv.Quote(text) + " is not a range like 0-15")
	}
	return trial.RangeOf(check.BucketID(from), check.BucketID(to))
}

package main

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/v1stats"
)

// A reload while the database is away changes what a reload may, and nothing else.
func TestAReloadBeforeTheDatabaseIsThereKeepsTheRest(t *testing.T) {
	t.Parallel()
	changes := &v1stats.ChangeLog{}
	l := &lateCoordinator{o: coordinator.Options{
		Node: "a", Endpoint: "a:7800", BucketMax: 15, Trial: 100, ChangeLog: changes, Stats: v1stats.Options{Dir: "stats"},
	}}
	if err := l.Change(coordinator.Options{BucketMax: 31, IntervalOverride: time.Minute}); err != nil {
		t.Fatal(err)
	}
	o := l.o
	if o.Node != "a" || o.Endpoint != "a:7800" || o.BucketMax != 15 || o.Trial != 100 || o.ChangeLog != changes || o.Stats.Dir != "stats" {
		t.Errorf("the reload changed %+v", o)
	}
	if o.IntervalOverride != time.Minute {
		t.Error("the reload did not change the interval")
	}
}

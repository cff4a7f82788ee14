package engine

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
)

// A site whose turn came while its shard had no owner is checked in a moment, by whichever way its
// row comes; every other site waits for its next turn.
func TestATurnThatCameWhileNobodyOwnedTheShardIsMadeUpFor(t *testing.T) {
	t.Parallel()
	r := row()
	turn := schedule.Next(r.ID, r.Interval, time.Unix(1_700_000_000, 0))
	for name, tt := range map[string]struct {
		idle, now, want time.Time
	}{
		"the turn came in between":                {turn.Add(-2 * time.Second), turn.Add(6 * time.Second), turn.Add(9 * time.Second)},
		"its check was under way":                 {turn.Add(2 * time.Second), turn.Add(6 * time.Second), turn.Add(8 * time.Second)},
		"the last owner made it":                  {turn.Add(11 * time.Second), turn.Add(13 * time.Second), turn.Add(r.Interval)},
		"it is still to come":                     {turn.Add(-20 * time.Second), turn.Add(-10 * time.Second), turn},
		"the monitor stood still for two minutes": {turn.Add(-2 * time.Minute), turn.Add(time.Second), turn.Add(r.Interval)},
		"the shard never had an owner":            {time.Time{}, turn.Add(time.Second), turn.Add(r.Interval)},
	} {
		for way, give := range map[string]func(*Engine, record.Site){
			"read": func(e *Engine, s record.Site) {
				reading := e.Read(tt.now, s.Bucket)
				reading.Put([]record.Site{s})
				reading.Done()
			},
			"put": func(e *Engine, s record.Site) { e.Put(tt.now, s) },
		} {
			e, holder := bare(tt.now), shardtest.New()
			holder.Set(shard.Of(r.Bucket), shard.Tenure{Term: 2, Sure: true, Idle: tt.idle})
			e.o.Shards = holder
			give(e, r)
			due, ok := e.agenda.Due(&schedule.Timer{Slot: 0})
			if late := due.Sub(tt.want); !ok || late < 0 || late > 200*time.Millisecond { // a tick of the wheel
				t.Errorf("%s, %s: due %s after its turn, want %s", name, way, due.Sub(turn), tt.want.Sub(turn))
			}
		}
	}
}

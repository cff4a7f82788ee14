package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

func fenceTests() []test {
	return []test{
		{"every fenced write changes the row of its shard", fencesChangeTheirRow},
	}
}

// fencedCalls are all the methods of a store that prove the ownership of a shard, by name.
func fencedCalls(s store.Store, site record.Site, l shard.Lease) map[string]func(*testing.T, int) error {
	return map[string]func(*testing.T, int) error{
		"CommitAll": func(t *testing.T, n int) error {
			_, err := s.CommitAll(t.Context(), l.Fence(), []record.Change{opening(site, fmt.Sprint("group-", n))})
			return err
		},
		"KeepBallot":    func(t *testing.T, _ int) error { return s.KeepBallot(t.Context(), l.Fence(), aBallot(site)) },
		"KeepSnapshots": func(t *testing.T, _ int) error { return s.KeepSnapshots(t.Context(), l.Fence(), nil, nil) },
		"Remark": func(t *testing.T, n int) error {
			return s.Remark(t.Context(), l.Fence(), []record.Remark{remarkOf(site, check.AdvisorySlow, n%2 == 0, time.Duration(n)*time.Minute)})
		},
		"WriteIncident": func(t *testing.T, n int) error {
			return s.WriteIncident(t.Context(), l.Fence(), anIncident(int64(n+1), 1))
		},
		"KeepIncidentPlace": func(t *testing.T, n int) error {
			return s.KeepIncidentPlace(t.Context(), l.Fence(), event.Positions{int64(n)})
		},
		"Expire": func(t *testing.T, _ int) error {
			_, err := s.Expire(t.Context(), l.Fence(), store.Expiry{}, 10)
			return err
		},
		"AddChecks": func(t *testing.T, n int) error {
			return s.AddChecks(t.Context(), l.Fence(), []store.CheckRow{aCheckRow(site.Bucket, 100, int64(n))})
		},
		"FoldChecks": func(t *testing.T, _ int) error { return s.FoldChecks(t.Context(), l.Fence(), store.CheckFold{}) },
		"ExpireChecks": func(t *testing.T, _ int) error {
			_, err := s.ExpireChecks(t.Context(), l.Fence(), store.CheckExpiry{}, 10)
			return err
		},
		"NotePauses": func(t *testing.T, _ int) error {
			_, err := s.NotePauses(t.Context(), l.Fence(), []int64{1}, noon())
			return err
		},
		"EndOrphans": func(t *testing.T, _ int) error {
			_, err := s.EndOrphans(t.Context(), l.Fence(), []int64{1}, noon())
			return err
		},
		"Mute": func(t *testing.T, _ int) error {
			_, err := s.Mute(t.Context(), l.Fence(), 10)
			return err
		},
		"AdoptOutbox": func(t *testing.T, _ int) error {
			_, err := s.AdoptOutbox(t.Context(), l.Fence(), 10)
			return err
		},
		"BeginDeliveries": func(t *testing.T, _ int) error {
			_, err := s.BeginDeliveries(t.Context(), l.Fence(), []int64{1}, noon())
			return err
		},
		"SettleDeliveries": func(t *testing.T, _ int) error {
			return s.SettleDeliveries(t.Context(), l.Fence(), []delivery.Result{{Delivery: delivery.Delivery{ID: 1}, Then: delivery.Delivered}})
		},
		"RenewShard": func(t *testing.T, _ int) error {
			_, err := s.RenewShard(t.Context(), l, l.Expires) // as it is already
			return err
		},
		"ReleaseShard": func(t *testing.T, _ int) error { return s.ReleaseShard(t.Context(), l) },
	}
}

func fencesChangeTheirRow(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	id := shard.Of(site.Bucket)
	calls := fencedCalls(s, site, shard.Lease{})
	all := reflect.TypeFor[store.Store]()
	for i := range all.NumMethod() {
		m := all.Method(i)
		for j := range m.Type.NumIn() {
			if in := m.Type.In(j); in != reflect.TypeFor[shard.Fence]() && in != reflect.TypeFor[shard.Lease]() {
				continue
			}
			if calls[m.Name] == nil {
				t.Errorf("%s is fenced, and not tried here", m.Name)
			}
		}
	}
	for name := range calls {
		for n := range 3 {
			lease := get[shard.Lease](t)(s.ClaimShard(t.Context(), id, anOwner("a"), after(time.Minute)))
			before := db.Int(t, "SELECT writes FROM jetmon_shards WHERE shard = ?", id)
			if err := fencedCalls(s, site, lease)[name](t, n); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if writes := db.Int(t, "SELECT writes FROM jetmon_shards WHERE shard = ?", id); writes <= before {
				t.Errorf("%s, time %d: the row of its shard has counted %d writes, and %d before", name, n+1, writes, before)
			}
		}
	}
}

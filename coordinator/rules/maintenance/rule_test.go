package maintenance_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/maintenance"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/test/seeds"
)

// A rule that is accepted can be unfolded for years: otherwise all coordinators would panic in the
// month in which its trouble comes.
func TestARuleThatIsAcceptedCanBeUnfolded(t *testing.T) {
	seeds.Run(t, []uint64{1, 2, 3}, func(t *testing.T, seed uint64) {
		r, accepted := rand.New(rand.NewPCG(seed, 0)), 0
		for range 400 {
			rule := someRule(r)
			p, err := maintenance.NewPlan(record.Maintenance{Start: at(t, "UTC", "2027-01-01 02:00"), Duration: time.Hour, Rule: rule})
			if err != nil {
				continue
			}
			accepted++
			unfold(t, p)
		}
		if accepted < 100 {
			t.Errorf("only %d rules were accepted", accepted)
		}
	})
}

// unfold looks at the windows of some years.
func unfold(t *testing.T, p *maintenance.Plan) {
	t.Helper()
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("%s: %v", p.Rule, v)
		}
	}()
	windows := 0
	p.Each(time.Time{}, func(w maintenance.Window) bool {
		windows++
		return windows < 50 && w.Start.Year() < 2040
	})
}

// someRule makes a rule of parts that are allowed by themselves.
func someRule(r *rand.Rand) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	some := func(one func() string) string {
		all := make([]string, 1+r.IntN(3))
		for i := range all {
			all[i] = one()
		}
		return strings.Join(all, ",")
	}
	number := func(most int) func() string {
		return func() string { return fmt.Sprint((1 + r.IntN(most)) * (1 - 2*r.IntN(2))) }
	}
	counts := r.IntN(2) == 0
	parts := []string{"FREQ=" + pick("DAILY", "WEEKLY", "MONTHLY", "YEARLY")}
	for _, part := range []struct {
		name  string
		value func() string
	}{
		{"INTERVAL", func() string { return fmt.Sprint(1 + r.IntN(20)) }},
		{"WKST", func() string { return pick("MO", "WE", "SU") }},
		{"BYMONTH", func() string { return some(func() string { return fmt.Sprint(1 + r.IntN(12)) }) }},
		{"BYDAY", func() string {
			return some(func() string {
				count := ""
				if counts {
					count = pick("1", "-1", "5", "-5", "6", "-6", "30", "53", "-53")
				}
				return count + pick("MO", "TU", "WE", "TH", "FR", "SA", "SU")
			})
		}},
		{"BYMONTHDAY", func() string { return some(number(31)) }},
		{"BYYEARDAY", func() string { return some(number(366)) }},
		{"BYWEEKNO", func() string { return some(number(53)) }},
		{"BYSETPOS", func() string { return some(number(366)) }},
	} {
		if r.IntN(4) == 0 {
			parts = append(parts, part.name+"="+part.value())
		}
	}
	return strings.Join(parts, ";")
}

package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/plan"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

func at(seconds int) time.Time {
	return time.Unix(1_700_000_000, 0).Add(time.Duration(seconds) * time.Second)
}

// members reads "a b:0-15 c!": c is not fresh, b takes a part only.
func members(text string) (out []shard.Member) {
	for word := range strings.FieldsSeq(text) {
		m := shard.Member{Last: shards - 1, Expires: at(12)}
		word, stale := strings.CutSuffix(word, "!")
		if stale {
			m.Expires = at(4)
		}
		name, part, limited := strings.Cut(word, ":")
		m.Node = name
		if limited {
			if n, _ := fmt.Sscanf(part, "%d-%d", &m.First, &m.Last); n != 2 {
				panic("range of " + word)
			}
		}
		out = append(out, m)
	}
	return out
}

// leases reads "aab.": a letter a shard, a dot for a free one; the lease of a capital has expired.
func leases(text string) (out []plan.Lease) {
	for i, c := range text {
		l := plan.Lease{Lease: shard.Lease{Shard: shard.ID(i), Node: strings.ToLower(string(c)), Expires: at(10)}}
		if c == '.' {
			l = plan.Lease{Lease: shard.Lease{Shard: shard.ID(i)}}
		} else if string(c) != l.Node {
			l.Expires = at(-1)
		}
		l.Held = l.Node == "a"
		out = append(out, l)
	}
	return out
}

func TestAPlan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		members, leases string
		edit            func([]plan.Lease)
		want            plan.Plan
	}{
		"one alone claims all":                                 {"a", "....", nil, plan.Plan{Claim: []shard.ID{0, 1, 2, 3}}},
		"of two each claims half":                              {"a b", "....", nil, plan.Plan{Claim: []shard.ID{0, 2}, Pending: 2}},
		"who has a surplus gives it up":                        {"a b", "aaaa", nil, plan.Plan{Release: []shard.ID{0, 1}}},
		"who is short waits":                                   {"a b", "bbbb", nil, plan.Plan{}},
		"a difference of one stays":                            {"a b c", "aaabbcc", nil, plan.Plan{}},
		"what is nobody's goes to the lightest":                {"a b c", "aa.bb.c", nil, plan.Plan{Claim: []shard.ID{5}, Pending: 1}},
		"a dead one's shards are not claimed before their end": {"a", "aabb", nil, plan.Plan{}},
		"a dead one's shards are claimed when they are over":   {"a", "aaBB", nil, plan.Plan{Claim: []shard.ID{2, 3}}},
		"a late one that is fresh keeps its shards":            {"a b", "aaBB", nil, plan.Plan{}},
		"a late one that is not fresh does not":                {"a b!", "aaBB", nil, plan.Plan{Claim: []shard.ID{2, 3}}},
		"a late one that never renews does not":                {"a b", "aaBB", func(l []plan.Lease) { l[2].Expires = at(-15) }, plan.Plan{Pending: 1}},
		"nothing is given to one that is not fresh":            {"a b!", "aaaa", nil, plan.Plan{}},
		"an earlier life's shards are claimed at once":         {"a", "aa", func(l []plan.Lease) { l[1].Held = false }, plan.Plan{Claim: []shard.ID{1}}},
		"an earlier life's surplus is given back":              {"a b", "aaaa", func(l []plan.Lease) { l[0].Held = false }, plan.Plan{Release: []shard.ID{0, 1}}},
		"a static range takes its own only":                    {"a:1-2", "....", nil, plan.Plan{Claim: []shard.ID{1, 2}}},
		"what is outside its range is given up":                {"a:1-2", "aaaa", nil, plan.Plan{Release: []shard.ID{0, 3}}},
		"ranges that overlap in part share what they can":      {"a b:0-1", "aaaaaa", nil, plan.Plan{Release: []shard.ID{0, 1}}},
		"shards pass through one that is in the middle":        {"a:0-3 b:2-5 c:4-5", "aaaabb", nil, plan.Plan{Release: []shard.ID{2, 3}}},
		"one who is not a member has no part":                  {"b", "....", nil, plan.Plan{}},
		"a node that announces nothing is left its shards":     {"a b", "aabb" + "zzzz", nil, plan.Plan{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := leases(c.leases)
			if c.edit != nil {
				c.edit(l)
			}
			got := plan.Make("a", members(c.members), l, at(0))
			if !slices.Equal(got.Claim, c.want.Claim) || !slices.Equal(got.Release, c.want.Release) || got.Pending != c.want.Pending {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestTheOrderOfWhatWasReadDoesNotMatter(t *testing.T) {
	t.Parallel()
	m, l := members("a b:4-20 c d!"), leases("aaaa..bbBBcccc..aaaadddd......zz")
	want := plan.Make("a", m, l, at(0))
	slices.Reverse(m)
	slices.Reverse(l)
	got := plan.Make("a", m, l, at(0))
	if !slices.Equal(got.Claim, want.Claim) || !slices.Equal(got.Release, want.Release) || got.Pending != want.Pending {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

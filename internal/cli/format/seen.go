package format

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// view is what one coordinator sees of the others' kinds of node.
type view struct {
	by         string
	checkers   []*monitorv1.CheckerStatus
	verifliers []*monitorv1.VeriflierStatus
	pairs      []*monitorv1.VeriflierPair
}

// views lists what each coordinator that answers sees. One of an older version says nothing of its
// verifliers, and there is none without.
func views(f *monitorv1.Fleet) []view {
	all := []view{{f.GetCoordinator().GetNode(), f.GetCheckers(), f.GetVerifliers(), f.GetVeriflierPairs()}}
	for _, p := range f.GetPeers() {
		if p.GetStatus() != nil && len(p.GetVerifliers()) > 0 {
			all = append(all, view{p.GetNode(), p.GetCheckers(), p.GetVerifliers(), p.GetVeriflierPairs()})
		}
	}
	slices.SortFunc(all, func(a, b view) int { return cmp.Compare(a.by, b.by) })
	return all
}

// shown is a node as some coordinators see it: by has their names, in the order of as.
type shown[T any] struct {
	name string
	by   []string
	as   []T
}

// gather lists each node once, by name.
func gather[T any](all []view, list func(view) []T, name func(T) string) []shown[T] {
	var out []shown[T]
	for _, v := range all {
		for _, one := range list(v) {
			i := slices.IndexFunc(out, func(s shown[T]) bool { return s.name == name(one) })
			if i < 0 {
				i, out = len(out), append(out, shown[T]{name: name(one)})
			}
			out[i].by, out[i].as = append(out[i].by, v.by), append(out[i].as, one)
		}
	}
	slices.SortFunc(out, func(a, b shown[T]) int { return cmp.Compare(a.name, b.name) })
	return out
}

// said joins what coordinators say of a node: once when all say the same, else with who says it.
func (s shown[T]) said(say func(T) string) string {
	first, same := say(s.as[0]), true
	var each []string
	for i, one := range s.as {
		word := say(one)
		same = same && word == first
		if word != "" {
			each = append(each, s.by[i]+": "+word)
		}
	}
	if same {
		return first
	}
	return strings.Join(each, "; ")
}

// sum adds numbers of a node.
func (s shown[T]) sum(of func(T) uint64) (n uint64) {
	for _, one := range s.as {
		n += of(one)
	}
	return n
}

func checkers(t *Table, f *monitorv1.Fleet, now time.Time) *Table {
	all := views(f)
	for _, c := range gather(all, func(v view) []*monitorv1.CheckerStatus { return v.checkers }, (*monitorv1.CheckerStatus).GetNode) {
		first := slices.MinFunc(c.as, func(a, b *monitorv1.CheckerStatus) int {
			return a.GetConnectTime().AsTime().Compare(b.GetConnectTime().AsTime())
		})
		remarks := []string{c.said(func(s *monitorv1.CheckerStatus) string {
			if s.GetQuarantineTime() != nil {
				return "in quarantine since " + moment(s.GetQuarantineTime())
			}
			return s.GetSelfCheck().GetDetail()
		})}
		for _, v := range all {
			if !slices.Contains(c.by, v.by) {
				remarks = append(remarks, "not connected to "+v.by)
			}
		}
		remarks = slices.DeleteFunc(remarks, func(s string) bool { return s == "" })
		t.Add(c.name, first.GetRegion(), count(c.sum(func(s *monitorv1.CheckerStatus) uint64 { return uint64(s.GetOpenChecks()) })),
			count(c.sum(func(s *monitorv1.CheckerStatus) uint64 { return uint64(s.GetCredit()) })), since(first.GetConnectTime(), now), strings.Join(remarks, "; "))
	}
	return t
}

func verifliers(t *Table, f *monitorv1.Fleet) *Table {
	for _, v := range gather(views(f), func(v view) []*monitorv1.VeriflierStatus { return v.verifliers }, (*monitorv1.VeriflierStatus).GetName) {
		latest := slices.MaxFunc(v.as, func(a, b *monitorv1.VeriflierStatus) int {
			return a.GetLastAnswerTime().AsTime().Compare(b.GetLastAnswerTime().AsTime())
		})
		t.Add(v.name, v.as[0].GetRegion(), v.said(func(s *monitorv1.VeriflierStatus) string { return word(s.GetState(), "VERIFLIER_STATE_") }),
			count(v.sum((*monitorv1.VeriflierStatus).GetAsked)), count(v.sum((*monitorv1.VeriflierStatus).GetUnknown)),
			count(v.sum((*monitorv1.VeriflierStatus).GetDissented)), moment(latest.GetLastAnswerTime()), v.said((*monitorv1.VeriflierStatus).GetDetail))
	}
	return t
}

// dissents lists the pairs of verifliers that differed, the most frequent first; nil when none did.
func dissents(w io.Writer, width int, f *monitorv1.Fleet) *Table {
	type sum struct{ ballots, differed uint64 }
	sums := map[[2]string]sum{}
	for _, v := range views(f) {
		for _, p := range v.pairs {
			at := [2]string{p.GetVeriflier(), p.GetOtherVeriflier()}
			sums[at] = sum{sums[at].ballots + p.GetBallots(), sums[at].differed + p.GetDiffered()}
		}
	}
	var names [][2]string
	for at, n := range sums {
		if n.differed > 0 {
			names = append(names, at)
		}
	}
	slices.SortFunc(names, func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(sums[b].differed, sums[a].differed), slices.Compare(a[:], b[:]))
	})
	if len(names) == 0 {
		return nil
	}
	t := NewTable(w, width, "VERIFLIER", "DIFFERS FROM", "TIMES", "OF BALLOTS", "SHARE")
	for _, at := range names {
		n := sums[at]
		t.Add(at[0], at[1], strconv.FormatUint(n.differed, 10), count(n.ballots), fmt.Sprintf("%.1f %%", 100*float64(n.differed)/float64(n.ballots)))
	}
	return t
}

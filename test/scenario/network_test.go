package scenario

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/cluster"
	"github.com/Automattic/jetmon/test/fakesite"
)

// farSites are sites on unrelated networks.
func farSites(t *testing.T, n int) []*fakesite.Site {
	t.Helper()
	list := make([]*fakesite.Site, n)
	for i := range list {
		list[i] = fakesite.NewOn(t, netip.MustParseAddrPort(fmt.Sprintf("127.0.%d.1:0", i+1)))
	}
	return list
}

// The monitor's own network fails. Suddenly no node reaches anything, neither sites nor
// anchors; only the coordinator and the gateway still see each other.
func TestOwnNetworkFailureIsNotReportedAsDowntime(t *testing.T) {
	t.Parallel()
	takePlace(t)
	anchors := uplinkAnchors(t)
	ownNetworkFails(t, setup{}, anchors, uplink{
		cut: func(sites []*fakesite.Site) {
			for _, it := range slices.Concat(sites, anchors) {
				it.Refuse()
			}
		},
		heal: func(sites []*fakesite.Site) {
			for _, it := range slices.Concat(sites[1:], anchors) {
				it.SetStatus(http.StatusOK)
			}
		},
	})
}

// The network fails by losing packets: no connection is refused, all of them hang until their
// time is up.
func TestABlackHoleInOurOwnNetworkIsNotReportedAsDowntime(t *testing.T) {
	t.Parallel()
	r := &route{
		v4: fakesite.Blackhole(t, netip.MustParseAddrPort("127.0.0.1:0")),
		v6: fakesite.Blackhole(t, netip.MustParseAddrPort("[::1]:0")),
	}
	o := setup{prober: func(_ node, real cluster.Prober) cluster.Prober { return routed{real, r} }}
	ownNetworkFails(t, o, uplinkAnchors(t), uplink{
		lasts: true,
		cut:   func([]*fakesite.Site) { r.cut.Store(true) },
		heal:  func([]*fakesite.Site) { r.cut.Store(false) },
	})
}

// route is the path of all nodes to the Internet; while it is cut it leads nowhere.
type route struct {
	cut    atomic.Bool
	v4, v6 netip.AddrPort
}

// routed is a prober that uses a route.
type routed struct {
	cluster.Prober
	route *route
}

// Probe probes, or tries to.
func (r routed) Probe(ctx context.Context, t check.Target) check.Observation {
	if r.route.cut.Load() {
		hole := r.route.v4
		if strings.Contains(t.URL, "[") {
			hole = r.route.v6
		}
		t.URL = "http://" + hole.String() + "/"
	}
	return r.Prober.Probe(ctx, t)
}

// uplink is one way for the network to fail and recover. A failure that lasts is there for longer
// than it takes to find out that no veriflier can vote.
type uplink struct {
	cut, heal func(sites []*fakesite.Site)
	lasts     bool
}

func uplinkAnchors(t *testing.T) []*fakesite.Site {
	t.Helper()
	return []*fakesite.Site{fakesite.New(t), fakesite.NewOn(t, netip.MustParseAddrPort("[::1]:0"))}
}

// ownNetworkFails tells the story: no notification, one alarm, and everything works afterwards.
func ownNetworkFails(t *testing.T, o setup, anchors []*fakesite.Site, net uplink) {
	t.Helper()
	o.idle, o.anchors = true, []string{anchors[0].URL(), anchors[1].URL()}
	s := begin(t, inProcess(), o)
	sites := farSites(t, 15)
	var ids []string
	for i, site := range sites {
		ids = append(ids, s.rest.create(t, site.URL(), i+1).SiteID)
	}
	for _, id := range ids {
		s.rest.awaitState(t, id, "UP")
	}
	net.cut(sites)
	await(t, "the one alarm", patience, func() bool { return oneAlarm(t, s) })
	for range 3 {
		allCheckedAgain(t, s, ids)
		wantOneAlarm(t, s)
	}
	if net.lasts {
		await(t, "the alarm names the verifliers", patience, func() bool {
			return strings.Contains(s.rest.fleet(t).Alarms[0].Message, "nor do the verifliers veriflier-1 (europe), veriflier-2 (america), veriflier-3 (asia)")
		})
		for since := time.Now(); time.Since(since) < voteless; {
			allCheckedAgain(t, s, ids)
		}
		wantOneAlarm(t, s)
	}
	for i, id := range ids {
		switch now := s.rest.site(t, id); {
		case now.StatusID != 1 || now.OutageID != "0":
			t.Errorf("%s is %+v, want that nothing is said of it", sites[i].URL(), now)
		case now.State != "SITE_STATE_UP" && now.State != "SITE_STATE_SUSPECT" && now.State != "SITE_STATE_VERIFYING":
			t.Errorf("%s is %s, want it up or suspect", sites[i].URL(), now.State)
		}
	}
	if n := len(s.inbox.all()); n != 0 {
		t.Errorf("WordPress.com got %d requests, want none", n)
	}

	// One of the sites goes down for good while nobody can see it.
	sites[0].SetStatus(http.StatusServiceUnavailable)
	net.heal(sites)
	for _, id := range ids[1:] {
		s.rest.awaitState(t, id, "UP")
	}
	await(t, "the alarm ends", patience, func() bool { return len(s.rest.fleet(t).Alarms) == 0 })
	s.inbox.awaitTold(t, sites[0].URL(), undecided, 0)
	for _, site := range sites[1:] {
		s.inbox.isTold(t, site.URL())
	}
	if n := len(s.inbox.all()); n != 1 {
		t.Errorf("WordPress.com got %d requests, want 1", n)
	}
}

// allCheckedAgain waits for another check of each site. It waits for all together, because a
// hanging check takes its whole time.
func allCheckedAgain(t *testing.T, s system, ids []string) {
	t.Helper()
	before := map[string]time.Time{}
	for _, id := range ids {
		before[id] = s.rest.site(t, id).LastCheckTime
	}
	await(t, "all sites are checked again", patience, func() bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return !s.rest.site(t, id).LastCheckTime.After(before[id]) })
	})
}

// voteless is how long a veriflier cannot vote when it has an alarm of its own.
const voteless = 17 * time.Second

func wantOneAlarm(t *testing.T, s system) {
	t.Helper()
	if !oneAlarm(t, s) {
		t.Errorf("the alarms are %+v, want one of the network", s.rest.fleet(t).Alarms)
	}
}

// oneAlarm reports whether the network is the only alarm, but for that of a database that a busy
// machine serves too slowly.
func oneAlarm(t *testing.T, s system) bool {
	t.Helper()
	alarms := s.rest.fleet(t).Alarms
	for i := len(alarms) - 1; i >= 0; i-- {
		if alarms[i].Kind == "ALARM_KIND_STORE" {
			alarms = slices.Delete(alarms, i, i+1)
		}
	}
	return len(alarms) == 1 && alarms[0].Kind == "ALARM_KIND_CONNECTIVITY"
}

// biased is a node with a fixed opinion of every site, although it looks healthy.
type biased struct {
	cluster.Prober
	anchor string
	says   check.Observation
}

// Probe returns the fixed opinion.
func (b biased) Probe(ctx context.Context, t check.Target) check.Observation {
	if t.URL == b.anchor {
		return b.Prober.Probe(ctx, t)
	}
	return b.says
}

func TestVerdictsAreRightAmongLiarsAndTheirDissentIsCounted(t *testing.T) {
	t.Parallel()
	anchor := fakesite.New(t)
	s := begin(t, inProcess(), setup{
		anchors: []string{anchor.URL()},
		regions: []string{"europe", "europe", "america", "america", "asia", "asia"},
		prober: func(n node, real cluster.Prober) cluster.Prober {
			switch n {
			case veriflier1:
				return biased{real, anchor.URL(), check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureTimeout}}
			case veriflier2:
				return biased{real, anchor.URL(), check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200}}
			case checker1, checker2:
				return mistaken{real}
			}
			return real
		},
	})
	// What is down is confirmed, against the vote of veriflier-2.
	down := fakesite.New(t)
	id := s.rest.create(t, down.URL(), 1).SiteID
	s.rest.awaitState(t, id, "UP")
	down.SetStatus(http.StatusServiceUnavailable)
	s.inbox.awaitTold(t, down.URL(), patience, 0)
	if d1, d2 := dissent(t, s, veriflier1), dissent(t, s, veriflier2); d1 != 0 || d2 != 1 {
		t.Errorf("after an outage %s dissented %d times and %s %d, want 0 and 1", veriflier1, d1, veriflier2, d2)
	}
	// What only the checkers see failing is rejected, against the vote of veriflier-1.
	well := fakesite.New(t)
	id = s.rest.create(t, well.URL()+"?mistaken", 2).SiteID
	await(t, "a false alarm", patience, func() bool { return len(rejected(t, s, id)) > 0 })
	await(t, "the dissent", patience, func() bool { return dissent(t, s, veriflier1) > 0 })
	for _, n := range []node{veriflier3, "veriflier-4", "veriflier-5", "veriflier-6"} {
		if d := dissent(t, s, n); d != 0 {
			t.Errorf("%s is said to have dissented %d times", n, d)
		}
	}
	s.inbox.isTold(t, well.URL()+"?mistaken")
	if all := s.rest.outages(t, id); len(all) != 0 {
		t.Errorf("a false alarm left outages: %+v", all)
	}
}

// mistaken sees sites fail if their URL asks for it.
type mistaken struct{ cluster.Prober }

// Probe is wrong about some sites.
func (m mistaken) Probe(ctx context.Context, t check.Target) check.Observation {
	o := m.Prober.Probe(ctx, t)
	if len(t.URL) > 9 && t.URL[len(t.URL)-9:] == "?mistaken" {
		o.Outcome, o.Failure = check.OutcomeDown, check.FailureServer
	}
	return o
}

func dissent(t *testing.T, s system, n node) int {
	t.Helper()
	for _, v := range s.rest.fleet(t).Verifliers {
		if v.Name == string(n) {
			d, err := strconv.Atoi(v.Dissented)
			if err != nil {
				t.Fatalf("%s dissented %q times", n, v.Dissented)
			}
			return d
		}
	}
	t.Fatalf("the fleet has no %s", n)
	return 0
}

package main

import (
	"fmt"
	"math"
	"net"
	"time"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/config"
)

// judgeFlags are the conditions for confirming an outage: the policy, the panel and its rule.
type judgeFlags struct {
	Veriflier          []member      `sep:"none" placeholder:"name=NAME,region=REGION,addr=HOST:PORT" help:"Veriflier to ask (repeatable)."`
	PeerOfflineLimit   int           `default:"0" help:"DOWN votes needed to confirm an outage (PEER_OFFLINE_LIMIT); 0: all of up to 2 verifliers, all but one of 3 to 5, all but two of more."`
	NumOfChecks        int           `default:"3" help:"Failing checks before the verifliers vote (NUM_OF_CHECKS)."`
	TimeBetweenChecks  time.Duration `default:"20s" help:"Time between those checks (TIME_BETWEEN_CHECKS_SEC)."`
	TimeBetweenNotices time.Duration `default:"59m" help:"Time from down to confirmed down (TIME_BETWEEN_NOTICES_MIN)."`

	ShadowNeed    int `default:"0" placeholder:"N" help:"Evaluate a second rule on every ballot without effect: the DOWN votes it needs. /v1/fleet counts how often it agrees."`
	ShadowRegions int `default:"0" placeholder:"N" help:"Regions that the second rule needs; by default as many as the real one."`

	VeriflierDial dialFlags `embed:"" prefix:"veriflier-"`
}

// apply sets the policy and the verifliers. Verifliers of the command line take precedence
// over the file's.
func (f judgeFlags) apply(o *coordinator.Options, file *config.File) error {
	switch {
	case f.NumOfChecks < 1 || f.NumOfChecks > math.MaxUint8:
		return usagef("--num-of-checks: must be from 1 to 255, is %d", f.NumOfChecks)
	case f.TimeBetweenChecks <= 0:
		return usagef("--time-between-checks: must be more than 0, is %s", f.TimeBetweenChecks)
	case f.TimeBetweenNotices <= 0:
		return usagef("--time-between-notices: must be more than 0, is %s", f.TimeBetweenNotices)
	}
	o.Policy = lifecycle.DefaultPolicy()
	o.Policy.Failures = uint8(f.NumOfChecks)
	o.Policy.Between = f.TimeBetweenChecks
	o.Policy.NoticeWindow = f.TimeBetweenNotices

	verifliers := f.Veriflier
	if len(verifliers) == 0 && file != nil {
		for _, v := range file.Verifliers {
			verifliers = append(verifliers, member{Name: v.Name, Region: v.Region, Addr: net.JoinHostPort(v.Host, v.Port), Token: v.Token})
		}
	}
	if err := f.members(o, verifliers); err != nil {
		return err
	}
	if f.PeerOfflineLimit < 0 || f.PeerOfflineLimit > len(verifliers) {
		return usagef("--peer-offline-limit: is %d with %d verifliers: no outage could ever be confirmed", f.PeerOfflineLimit, len(verifliers))
	}
	o.PeerOfflineLimit = f.PeerOfflineLimit
	switch {
	case f.ShadowNeed < 0 || f.ShadowNeed > len(verifliers):
		return usagef("--shadow-need: must be from 1 to %d, the number of verifliers, is %d", len(verifliers), f.ShadowNeed)
	case f.ShadowRegions < 0 || f.ShadowRegions > 0 && f.ShadowNeed == 0:
		return usagef("--shadow-regions: must be 1 or more, and goes with --shadow-need")
	}
	o.ShadowNeed, o.ShadowRegions = f.ShadowNeed, f.ShadowRegions
	return nil
}

func (f judgeFlags) members(o *coordinator.Options, verifliers []member) error {
	client, err := f.VeriflierDial.options("veriflier")
	if err != nil {
		return err
	}
	token := client.Token
	client.Token = "" // each member has its own
	o.VeriflierClient = client
	seen := map[string]bool{}
	for _, v := range verifliers {
		if seen[v.Name] {
			return usagef("--veriflier: there are two with the name %s", v.Name)
		}
		seen[v.Name] = true
		m := panel.Member{Name: v.Name, Region: v.Region, Address: v.Addr, Token: v.Token}
		if token != "" {
			m.Token = token
		}
		o.Verifliers = append(o.Verifliers, m)
	}
	return nil
}

// buckets checks a range of buckets, both ends included: one coordinator owns a shard as a
// whole.
func buckets(first, last int) (check.BucketID, check.BucketID, error) {
	if first < 0 || first > last || last >= check.Buckets {
		return 0, 0, usagef("--bucket-min, --bucket-max: must be a range within 0..%d, is %d..%d", check.Buckets-1, first, last)
	}
	r := shard.Range{First: check.BucketID(first), Last: check.BucketID(last)}
	if !r.Whole() {
		inside, ok, around := r.Nearest()
		near := fmt.Sprintf("%d..%d", around.First, around.Last)
		if ok {
			near = fmt.Sprintf("%d..%d or %s", inside.First, inside.Last, near)
		}
		return 0, 0, usagef("--bucket-min, --bucket-max (BUCKET_NO_MIN, BUCKET_NO_MAX): %d..%d cuts a shard of %d buckets, and nobody could watch the rest of it: the nearest ranges are %s",
			first, last, shard.BucketsPer, near)
	}
	return r.First, r.Last, nil
}

package main

import (
	"context"
	"strings"

	"github.com/Automattic/jetmon/coordinator/edge/api"
	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/cli"
)

// maxVia limits the verifliers of one probe.
const maxVia = 100

// viaFlags name verifliers that check instead of this machine.
type viaFlags struct {
	Via []string `sep:"none" placeholder:"HOST:PORT,..." help:"Ask these verifliers and show the ballot: HOST:PORT,HOST:PORT, or name=NAME,region=REGION,addr=HOST:PORT (repeatable). A veriflier given without a name may answer under any name."`

	VeriflierDial dialFlags `embed:"" prefix:"veriflier-"`
}

// members parses --via.
func (f viaFlags) members() ([]panel.Member, error) {
	var all []panel.Member
	for _, text := range f.Via {
		if strings.Contains(text, "=") {
			var m member
			if err := m.UnmarshalText([]byte(text)); err != nil {
				return nil, usagef("--via: %w", err)
			}
			all = append(all, panel.Member{Name: m.Name, Region: m.Region, Address: m.Addr})
			continue
		}
		for addr := range strings.SplitSeq(text, ",") {
			if err := checkAddr(addr, 1); err != nil {
				return nil, usagef("--via: %w", err)
			}
			all = append(all, panel.Member{Address: addr})
		}
	}
	if len(all) > maxVia {
		return nil, usagef("--via: at most %d verifliers, not %d", maxVia, len(all))
	}
	return all, nil
}

// askVia has the verifliers of --via check the target.
func (c *probeCommand) askVia(ctx context.Context, p *program, t check.Target) error {
	if c.Repeat > 1 || c.CAFile != "" || c.Resolver != "" || c.AllowPrivate || c.AllowMetadata {
		return usagef("--via: --repeat, --ca-file, --resolver, --allow-private and --allow-metadata are about checks from here, not about those of verifliers")
	}
	members, err := c.viaFlags.members()
	if err != nil {
		return err
	}
	dial, err := c.VeriflierDial.options("veriflier")
	if err != nil {
		return err
	}
	b, err := panel.Consult(ctx, members, dial, t)
	if err != nil {
		return usagef("--via: %w", err)
	}
	if err := cli.ShowBallot(p.Out, c.URL, api.BallotToProto(b), c.JSON); err != nil {
		return err
	}
	switch b.Verdict {
	case quorum.Rejected:
		return nil
	case quorum.Confirmed:
		return exitDown
	}
	return exitUnknown
}

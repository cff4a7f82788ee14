package coordinator

import (
	"fmt"

	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/internal/rpc"
)

// Change replaces what may change while a coordinator runs: the verifliers with their rule,
// the policy, the interval, the page rule, how WordPress.com is told, and how verifliers and
// peers are dialled. Checks and ballots under way go on. An error changes nothing. What else
// the options say is not looked at; the caller's server follows its Accept and TLS by itself.
func (c *Coordinator) Change(o Options) error {
	o.Node, o.Store, o.Listeners, o.Log = c.o.Node, c.o.Store, c.o.Listeners, c.o.Log
	if err := o.validate(); err != nil {
		return err
	}
	o.Notify.VeriflierHosts = VeriflierHosts(o.Verifliers)
	deliver, err := c.notify.Prepare(o.Notify)
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	if err := c.panel.Change(panelOptions(o)); err != nil {
		return err
	}
	deliver()
	c.engine.Change(engine.Terms{Policy: o.Policy, Interval: o.IntervalOverride, Pages: o.Pages, TLSErrors: o.TLSErrors})
	c.toPeers.Set(o.PeerClient)
	c.stats.Reloaded()
	if c.o.ChangeLog != nil {
		if err := c.o.ChangeLog.Reload(o.Notify.VeriflierHosts); err != nil {
			c.o.Log.Warn("the log of status changes was not opened anew", "error", err)
		}
	}
	return nil
}

func panelOptions(o Options) panel.Options {
	return panel.Options{
		Members: o.Verifliers, PeerOfflineLimit: o.PeerOfflineLimit, Client: o.VeriflierClient,
		ShadowNeed: o.ShadowNeed, ShadowRegions: o.ShadowRegions, Traces: o.Traces.Recorder, Log: o.Log,
	}
}

// identified gives a client an identity that may change.
func identified(o rpc.ClientOptions) (rpc.ClientOptions, *rpc.Identity) {
	id := rpc.NewIdentity(o)
	o.Identity = id
	return o, id
}

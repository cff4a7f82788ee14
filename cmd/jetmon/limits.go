package main

import (
	"log/slog"

	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/internal/limits"
	"github.com/Automattic/jetmon/internal/limits/machine"
)

// warnOfLimits logs each limit of the machine that is below what a role's flags ask for.
func warnOfLimits(log *slog.Logger, needs []limits.Need) {
	for _, f := range limits.Compare(machine.Read(), needs) {
		if f.Short() {
			log.Warn("machine's limit too low", "limit", f.Limit, "has", f.Limit.Amount(f.Has), "wants", f.Limit.Amount(f.Least),
				"for", f.For, "raise", f.Raise())
		}
	}
}

// needs lists what a checker's flags ask for.
func (c *checkerCommand) needs() []limits.Need {
	return limits.Probing{InFlight: c.MaxInFlight, Sessions: uint64(c.TLSSessionCache) << 20}.Needs()
}

// needs lists what a veriflier's flags ask for.
func (c *veriflierCommand) needs() []limits.Need {
	return limits.Probing{InFlight: c.MaxInFlight, Sessions: uint64(c.TLSSessionCache) << 20, SecondReader: true, Serves: true}.Needs()
}

// needs lists what a coordinator asks for with so many verifliers. dsn has been parsed before.
func (c *coordinatorCommand) needs(dsn sqlstore.DSN, verifliers int) []limits.Need {
	sessions, _ := dsn.Sessions()
	if replicas, err := c.replicas(); err == nil && replicas != "" {
		if read, err := sqlstore.ParseDSN(replicas); err == nil {
			_, readers := read.Sessions()
			sessions += readers
		}
	}
	return limits.Coordinating{Sessions: sessions, Verifliers: verifliers}.Needs()
}

// limits tells what is asked of the machine and what it has; too little is no failure, since the
// coordinator starts with it.
func (f *findings) limits(needs []limits.Need) {
	for _, l := range limits.Compare(machine.Read(), needs) {
		verdict, detail := "ok", "has "+l.Limit.Amount(l.Has)+", wants "+l.Limit.Amount(l.Least)+": "+l.For
		if l.Short() {
			verdict, detail = "note", detail+"; "+l.Raise()
		}
		f.line(verdict, "limit", string(l.Limit), detail)
	}
}

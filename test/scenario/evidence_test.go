package scenario

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// twoFaced makes a site that fails for checkers and works for verifliers, and the name
// servers that lead each group there.
func twoFaced(t *testing.T) (url string, o setup) {
	t.Helper()
	const name = "shop.example.com"
	bad := fakesite.NewOn(t, netip.MustParseAddrPort("127.0.0.2:0"))
	bad.SetStatus(http.StatusServiceUnavailable)
	good := fakesite.NewOn(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.3"), bad.Port()))
	o.checkerDNS = leadsTo(t, name, bad)
	o.veriflierDNS = leadsTo(t, name, good)
	return fmt.Sprintf("http://%s:%d/", name, bad.Port()), o
}

func leadsTo(t *testing.T, name string, s *fakesite.Site) string {
	t.Helper()
	d := fakesite.NewDNS(t)
	d.Host(name, s.Addr().Addr().String())
	return d.Addr()
}

// rejected reads the false alarms of a site from the database; no API shows them yet.
func rejected(t *testing.T, s system, id string) []record.Ballot {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), s.dsn(), sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	list, err := db.ListBallots(t.Context(), check.SiteID(n), 100)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(b record.Ballot) bool { return b.Verdict != quorum.Rejected })
}

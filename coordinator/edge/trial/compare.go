package trial

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/parity"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

// Finding is a site about which v1 and we do not agree. WordPress.com will hear of it soon
// after we take over, if both still say the same then.
type Finding struct {
	parity.Site
	Agreement parity.Agreement
}

// Options are how to compare.
type Options struct {
	// Now is the moment of the comparison.
	Now time.Time
	// Found, optional, is called for each site about which the two do not agree. The finding
	// is valid during the call only.
	Found func(*Finding) error
}

// Compare compares all sites on trial.
func Compare(ctx context.Context, s store.Handover, o Options) (*parity.Report, error) {
	r := &parity.Report{}
	err := s.ScanParity(ctx, func(sites []parity.Site) error {
		for i := range sites {
			a := sites[i].Compare(o.Now)
			r.Add(o.Now, &sites[i], a)
			if o.Found == nil || a != parity.OnlyV1Down && a != parity.OnlyOursDown {
				continue
			}
			if err := o.Found(&Finding{sites[i], a}); err != nil {
				return err
			}
		}
		return nil
	})
	return r, err
}

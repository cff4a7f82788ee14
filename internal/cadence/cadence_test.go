package cadence

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

func TestTheTimesOfTheStreamFitTogether(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ shorter, longer time.Duration }{
		"a stream without a checker ends before a session of a silent one":        {HelloWithin, SessionTimeout},
		"a lost heartbeat ends no session":                                        {2 * Heartbeat, SessionTimeout},
		"a checker that cannot send leaves before the coordinator gives it up":    {SendWithin + Heartbeat, SessionTimeout},
		"a dead checker's checks go out again long before their lease ends":       {2 * SessionTimeout, Lease},
		"the lease of a check that waits and runs as long as it may does not end": {check.VerifyTimeout + SessionTimeout, Lease},
		"a checker leaves a coordinator that stops before it would be given up":   {Drain, SessionTimeout},
	} {
		if tt.shorter >= tt.longer {
			t.Errorf("%s: %s is not less than %s", name, tt.shorter, tt.longer)
		}
	}
}

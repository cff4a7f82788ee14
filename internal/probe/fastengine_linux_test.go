package probe

import (
	"bytes"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// TestWithoutEpollThePortableEngineWorks checks on a machine that forbids epoll.
func TestWithoutEpollThePortableEngineWorks(t *testing.T) {
	t.Parallel()
	plain, secure := fakesite.New(t), fakesite.NewTLS(t, fakesite.Valid)
	var log bytes.Buffer
	p := newProber(t, func(o *Options) {
		o.RootCAs, o.Log = secure.Roots(), slog.New(slog.NewTextHandler(&log, nil))
	})
	p.engine.(*fastEngine).pollers.create = func() (int, error) { return -1, syscall.EPERM }
	for range 3 {
		for _, site := range []*fakesite.Site{plain, secure} {
			if o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL()}); o.Outcome != check.OutcomeUp {
				t.Errorf("%s: %+v", site.URL(), o)
			}
		}
	}
	if said := log.String(); strings.Count(said, "portable engine used") != 1 || !strings.Contains(said, "operation not permitted") {
		t.Errorf("the log says %q", said)
	}
}

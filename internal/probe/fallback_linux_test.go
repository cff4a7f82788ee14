package probe

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// TestPortableEngineReplacesTheFastOneWithoutEpoll shows that checks go on where epoll cannot
// be opened or takes no socket, and that the log says so once.
func TestPortableEngineReplacesTheFastOneWithoutEpoll(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func() (*poller, error){
		"epoll cannot be opened": func() (*poller, error) { return nil, syscall.EPERM },
		"epoll takes no socket": func() (*poller, error) {
			p, err := newPoller()
			if err == nil {
				p.fd = -1
			}
			return p, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site, secure := fakesite.New(t), fakesite.NewTLS(t, fakesite.Valid)
			names := fakesite.NewDNS(t)
			names.Host("both.test", "127.0.0.1", "127.0.0.1", "::1")
			var logged bytes.Buffer
			p := makerOf(fast)(t, func(o *Options) {
				o.RootCAs, o.Resolver, o.Log = secure.Roots(), names.Addr(), slog.New(slog.NewTextHandler(&logged, nil))
			})
			opened := 0
			p.engine.(*fastEngine).pollers.open = func() (*poller, error) { opened++; return open() }
			for range 2 {
				for _, url := range []string{site.URL(), secure.URL(), fmt.Sprintf("http://both.test:%d/", site.Port())} {
					for _, method := range []check.Method{check.MethodHead, check.MethodGet} {
						o := probeInTime(t.Context(), t, p, check.Target{URL: url, Settings: check.Settings{Method: method}})
						if o.Outcome != check.OutcomeUp {
							t.Errorf("%s: %+v", url, o)
						}
					}
				}
			}
			if n := strings.Count(logged.String(), "fast engine unavailable"); n != 1 {
				t.Errorf("logged %d times: %s", n, logged.String())
			}
			if opened > maxPollers {
				t.Errorf("opened %d times", opened)
			}
		})
	}
}

func TestTooManyWatchedSocketsAreOurOwnFault(t *testing.T) {
	t.Parallel()
	if f := connectFailure(fmt.Errorf("epoll_ctl: %w", syscall.ENOSPC), true); f.outcome != check.OutcomeUnknown {
		t.Errorf("got %+v", f)
	}
}

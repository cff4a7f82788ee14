package main

import (
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

// Which flags let a caller of the API write jetpack_monitor_sites.
func TestCallersEditTheTableOnlyWhereAFlagLetsThem(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]codes.Code{
		"--no-notify":                     codes.FailedPrecondition,
		"--no-notify --db-updates":        codes.OK,
		"--no-notify --db-edits":          codes.OK,
		"--trial --db-updates --db-edits": codes.FailedPrecondition,
	} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			db := "--db=sqlite:" + filepath.Join(t.TempDir(), "jetmon.db")
			if code, _, stderr := run(t, nil, "migrate", db); code != exitOK {
				t.Fatal(stderr)
			}
			c := start(t, append([]string{"coordinator", db, "--listen=127.0.0.1:0", "--veriflier=name=v,region=eu,addr=127.0.0.1:1"}, strings.Fields(flags)...)...)
			api := c.errs.find(t, `msg=started.* role=coordinator.* address=(\S+)`)
			answers(t, api)
			conn, err := rpc.Dial(api, rpc.ClientOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, err = monitorv1.NewSiteServiceClient(conn).CreateSite(t.Context(), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{Url: "https://example.com/"}})
			if status.Code(err) != want {
				t.Errorf("a new site: %v, want %v", err, want)
			}
		})
	}
}

package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A gateway takes other public pages. That no coordinator answers tells them from pages that are not
// there.
func TestAGatewayReloadsItsStatusPages(t *testing.T) {
	t.Parallel()
	const file = "listen: 127.0.0.1:0\ncoordinator: 127.0.0.1:1\nstatus-token-file: %s\nlog-level: info\nstatus-page:\n%s"
	token := write(t, "status.token", oursToken+"\n")
	g := startDaemon(t, "gateway", fmt.Sprintf(file, token, "  - shops=shop\n"), "--insecure")
	base := "http://" + g.errs.find(t, `msg=started.* address=(\S+)`) + "/status/"
	want := func(page string, status int) {
		t.Helper()
		resp, err := http.Get(base + page)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%s: %d, want %d", page, resp.StatusCode, status)
		}
	}
	want("shops", http.StatusServiceUnavailable)
	want("blogs", http.StatusNotFound)
	if log := g.reload(t, fmt.Sprintf(file, token, "  - blogs=blog,Our blogs\n"), reloaded); !strings.Contains(log, "changed=[status-page]") {
		t.Errorf("log:\n%s", log)
	}
	want("shops", http.StatusNotFound)
	want("blogs", http.StatusServiceUnavailable)
	if log := g.reload(t, fmt.Sprintf(file, token, "  - shops\n"), `level=ERROR .*\n`); !strings.Contains(log, "is not NAME=TAG") {
		t.Errorf("log:\n%s", log)
	}
	want("blogs", http.StatusServiceUnavailable)
}

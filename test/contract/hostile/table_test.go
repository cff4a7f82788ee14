package hostile

import (
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// atOnce is the number of bad requests that are under way at the same time.
const atOnce = 4

func TestBadFramesAndHeads(t *testing.T) {
	w := open(t)
	o := w.watch(t)
	const getSite, verify = "/jetmon.monitor.v1.SiteService/GetSite", "/jetmon.veriflier.v1.VeriflierService/Verify"
	get, err := proto.Marshal(&monitorv1.GetSiteRequest{SiteId: w.site})
	if err != nil {
		t.Fatal(err)
	}
	w.refuses(t, w.coordinator, heads(getSite, get), frames(getSite, get), paths(), protocol(getSite, get))
	w.refuses(t, w.veriflier, heads(verify, nil), frames(verify, nil), protocol(verify, nil))
	o.stop()
	t.Logf("%d calls of others", o.calls.Load())
}

// refuses sends all requests, and wants each to end as it must.
func (w *world) refuses(t *testing.T, addr string, tables ...[]bad) {
	t.Helper()
	queue := make(chan bad)
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for b := range queue {
				a, err := send(addr, b.request)
				if err == nil {
					err = b.judge(a)
				}
				if err != nil {
					t.Errorf("%s %s: %v", b.request.path, b.name, err)
				}
			}
		})
	}
	n := 0
	for _, table := range tables {
		for _, b := range table {
			queue <- b
			n++
		}
	}
	close(queue)
	all.Wait()
	t.Logf("%d requests", n)
}

package gateway_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/rpc"
)

// requestIn returns the id of the request in the details of an error.
func (a answer) requestIn() string {
	details, _ := a.json["details"].([]any)
	for _, d := range details {
		if info, ok := d.(map[string]any); ok && info["@type"] == "type.googleapis.com/google.rpc.RequestInfo" {
			id, _ := info["request_id"].(string)
			return id
		}
	}
	return ""
}

func TestARequestHasOneIDFromItsHeaderToTheCoordinatorsLog(t *testing.T) {
	addr, log := whole(t)
	h := &house{t: t, base: "http://" + addr, client: overTCP(t)}
	for path, status := range map[string]int{"/v1/sites/99": 404, "/v1/sites/x": 400, "/nothing": 404, "/v1/sites?page_token=%21": 400} {
		a := h.send("GET", path, "", "X-Request-Id", "order-66:"+path[1:3])
		if a.status != status || a.header.Get("X-Request-Id") != "order-66:"+path[1:3] || a.requestIn() != a.header.Get("X-Request-Id") {
			t.Errorf("%s: %d %v %s", path, a.status, a.header, a.body)
		}
	}
	if a := h.send("GET", "/v1/sites", "", "X-Request-Id", "of-a-good-one"); a.status != 200 || a.header.Get("X-Request-Id") != "of-a-good-one" {
		t.Errorf("%d %v", a.status, a.header)
	}
	var gatewayToo, coordinatorToo bool
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "request_id=of-a-good-one") {
			gatewayToo = gatewayToo || strings.Contains(line, "msg=request ")
			coordinatorToo = coordinatorToo || strings.Contains(line, "msg=call ") && strings.Contains(line, "ListSites")
		}
	}
	if !gatewayToo || !coordinatorToo {
		t.Errorf("in the log of the gateway: %v, of the coordinator: %v\n%s", gatewayToo, coordinatorToo, log.String())
	}
}

func TestAnIDThatIsNoneIsReplaced(t *testing.T) {
	t.Parallel()
	log := &journal{}
	h := open(t, newFake(), func(o *gateway.Options) { o.Log = obs.NewLogger(log, slog.LevelDebug, "json") })
	seen := map[string]bool{}
	for name, id := range map[string]string{
		"none": "", "blanks": "a b", "one too long": strings.Repeat("x", 129), "no ASCII": "ü", "a quote of a line": "a\tb",
	} {
		a := h.send("GET", "/v1/sites/8", "", "X-Request-Id", id)
		got := a.header.Get("X-Request-Id")
		if got == "" || got == id || len(got) > 64 || seen[got] || a.requestIn() != got || !strings.Contains(log.String(), got) {
			t.Errorf("%s: %q, %s", name, got, a.body)
		}
		seen[got] = true
	}
	alone := openAlone(t, rpc.NewMemory())
	if a := alone.send("GET", "/v1/sites", "", "X-Request-Id", "away"); a.status != 503 || a.requestIn() != "away" {
		t.Errorf("without a coordinator: %d %s", a.status, a.body)
	}
}

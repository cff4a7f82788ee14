package gateway_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

// ExportSiteHistory exports three turns, or a day for a resolution; site 404 is none.
func (f *fake) ExportSiteHistory(req *monitorv1.ExportSiteHistoryRequest, stream grpc.ServerStreamingServer[monitorv1.ExportSiteHistoryResponse]) error {
	if req.GetSiteId() == 404 {
		return fault.New(fault.NotFound, "there is no site 404")
	}
	start := req.GetStartTime().AsTime()
	for i := range 3 {
		if cut := int(f.cut.Load()); cut > 0 && i == cut-1 {
			return fault.New(fault.Unavailable, "the database does not answer")
		}
		f.pause(stream.Context())
		at := start.Add(time.Duration(i) * 5 * time.Minute)
		p := &monitorv1.HistoryPoint{StartTime: timestamppb.New(at), EndTime: timestamppb.New(at.Add(5 * time.Minute)), Region: req.GetRegion()}
		p.Code = monitorv1.TurnCode(i + 2)
		if p.GetCode() == monitorv1.TurnCode_TURN_CODE_GOOD {
			p.ResponseTime = durationpb.New(123400 * time.Microsecond)
		}
		if req.GetResolution() == monitorv1.HistoryResolution_HISTORY_RESOLUTION_DAY {
			up := 0.999
			p = &monitorv1.HistoryPoint{StartTime: timestamppb.New(at), Uptime: &up, Turns: &monitorv1.TurnCounts{Good: 288}, Outages: 2, DownTime: durationpb.New(90 * time.Second)}
		}
		if err := stream.Send(&monitorv1.ExportSiteHistoryResponse{Point: p}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) GetSiteHistory(context.Context, *monitorv1.GetSiteHistoryRequest) (*monitorv1.GetSiteHistoryResponse, error) {
	return &monitorv1.GetSiteHistoryResponse{}, nil
}

func (f *fake) GetSiteUptime(_ context.Context, req *monitorv1.GetSiteUptimeRequest) (*monitorv1.GetSiteUptimeResponse, error) {
	if f.uptime != nil {
		return &monitorv1.GetSiteUptimeResponse{Uptime: f.uptime(req.GetSiteId())}, nil
	}
	return &monitorv1.GetSiteUptimeResponse{Uptime: &monitorv1.SiteUptime{SiteId: req.GetSiteId()}}, nil
}

func (f *fake) BatchGetSiteUptimes(_ context.Context, req *monitorv1.BatchGetSiteUptimesRequest) (*monitorv1.BatchGetSiteUptimesResponse, error) {
	return &monitorv1.BatchGetSiteUptimesResponse{Uptimes: []*monitorv1.SiteUptime{{SiteId: req.GetSiteIds()[0]}}}, nil
}

func (f *fake) GetFleetHistory(context.Context, *monitorv1.GetFleetHistoryRequest) (*monitorv1.GetFleetHistoryResponse, error) {
	return &monitorv1.GetFleetHistoryResponse{}, nil
}

// history asks for an export of a site's history.
func (h *house) history(t *testing.T, method string, site int, query, accept string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.base+"/v1/sites/"+strconv.Itoa(site)+"/history:export"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp, string(raw), err
}

func TestAHistoryIsAFile(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	const from = "?start_time=2026-11-30T00:00:00Z"
	resp, file, err := h.history(t, "GET", 7, from+"&region=%3Deu", "text/csv")
	want := `start_time,end_time,code,response_seconds,region,none,unknown,good,failed,blocked,maintenance,paused,min_seconds,p50_seconds,p95_seconds,p99_seconds,max_seconds,uptime,coverage,down_seconds,outages,checker
2026-11-30T00:00:00Z,2026-11-30T00:05:00Z,unknown,,'=eu,,,,,,,,,,,,,,,,,
2026-11-30T00:05:00Z,2026-11-30T00:10:00Z,good,0.1234,'=eu,,,,,,,,,,,,,,,,,
2026-11-30T00:10:00Z,2026-11-30T00:15:00Z,failed,,'=eu,,,,,,,,,,,,,,,,,
`
	if err != nil || resp.StatusCode != 200 || file != want || resp.Header.Get("Content-Type") != "text/csv; charset=utf-8" ||
		resp.Header.Get("Content-Disposition") != `attachment; filename="site-7-history.csv"` || !strings.Contains(strings.Join(resp.Header.Values("Vary"), ","), "Accept") {
		t.Errorf("CSV: %v %v\n%s", err, resp.Header, file)
	}
	resp, file, err = h.history(t, "GET", 7, from+"&resolution=HISTORY_RESOLUTION_DAY", "text/csv")
	if err != nil || resp.StatusCode != 200 || !strings.Contains(file, "\n2026-11-30T00:00:00Z,,,,,0,0,288,0,0,0,0,,,,,,0.999,,90,2,\n") {
		t.Errorf("days: %v\n%s", err, file)
	}
	resp, file, err = h.history(t, "GET", 7, from, "*/*")
	if err != nil || resp.Header.Get("Content-Type") != "application/x-ndjson" || strings.Count(file, "\n") != 3 || !strings.Contains(file, `"code":"TURN_CODE_GOOD","response_time":"0.123400s"`) {
		t.Errorf("NDJSON: %v %v\n%s", err, resp.Header, file)
	}
	if resp, file, err = h.history(t, "HEAD", 7, "", "*/*"); err != nil || resp.StatusCode != 200 || file != "" {
		t.Errorf("HEAD: %v %v %q", err, resp, file)
	}
	for name, tt := range map[string]struct {
		site  int
		query string
		want  string
	}{
		"no such site":            {404, "", `404 .*there is no site 404`},
		"no site at all":          {0, "", `400 .*site_id`},
		"an unknown parameter":    {7, "?since=1", `400 .*since`},
		"another site":            {7, "?site_id=8", `400 .*site_id`},
		"a resolution that is no": {7, "?resolution=WEEK", `400 .*resolution`},
		"a time that is none":     {7, "?start_time=yesterday", `400 .*start_time`},
	} {
		resp, file, err := h.history(t, "GET", tt.site, tt.query, "text/csv")
		code, text, _ := strings.Cut(tt.want, " .*")
		if err != nil || strconv.Itoa(resp.StatusCode) != code || !strings.Contains(file, text) || !strings.HasPrefix(file, "{") {
			t.Errorf("%s: %v %v %s", name, err, resp.Status, file)
		}
	}
}

func TestAHistoryThatIsCutShortIsNoFile(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.cut.Store(3)
	h := open(t, f)
	if resp, file, err := h.history(t, "GET", 7, "", "text/csv"); err == nil {
		t.Errorf("half a file passes for a whole one: %v\n%s", resp, file)
	}
}

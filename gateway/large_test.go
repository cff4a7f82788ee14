package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

func TestWhatIsTooMuchIsRefusedByName(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	texts := func(n int) string {
		return `{"url":"http://127.0.0.1/x","settings":{"required_texts":[` + strings.Repeat(`"",`, n-1) + `""]}}`
	}
	deep := strings.Repeat(`{"settings":`, 9000) + "1" + strings.Repeat("}", 9000)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		field              string
	}{
		"300,000 empty texts":      {"POST", "/v1/sites", texts(300_000), 400, "settings.required_texts"},
		"300,000 in a change":      {"PATCH", "/v1/sites/7", texts(300_000), 400, "settings.required_texts"},
		"9,000 empty texts":        {"POST", "/v1/sites", texts(9000), 400, "settings.required_texts"},
		"9 texts":                  {"POST", "/v1/sites", texts(9), 400, "settings.required_texts"},
		"40,000 empty headers":     {"POST", "/v1/sites", `{"settings":{"headers":[` + strings.Repeat("{},", 40_000) + `{}]}}`, 400, "settings.headers"},
		"a megabyte of a URL":      {"POST", "/v1/sites", `{"url":"` + strings.Repeat("x", 1_000_000) + `"}`, 400, "url"},
		"a number of a megabyte":   {"POST", "/v1/sites", `{"blog_id":` + strings.Repeat("1", 1_000_000) + `}`, 400, "blog_id"},
		"objects 9,000 deep":       {"POST", "/v1/sites", deep, 400, "settings.settings"},
		"64 texts of 15 KiB":       {"POST", "/v1/sites", `{"settings":{"required_texts":[` + strings.Repeat(`"`+strings.Repeat("x", 15_000)+`",`, 63) + `""]}}`, 400, ""},
		"ten megabytes":            {"POST", "/v1/sites", `{"url":"` + strings.Repeat("x", 10_000_000) + `"}`, 413, "body"},
		"1001 ids in a query":      {"GET", "/v1/sites:batchGet?site_ids=1" + strings.Repeat("&site_ids=1", 1000), "", 400, "site_ids"},
		"a parameter 2,000 times":  {"GET", "/v1/sites?page_size=1" + strings.Repeat("&page_size=1", 2000), "", 400, "page_size"},
		"2,000 unknown parameters": {"GET", "/v1/sites?a=1" + strings.Repeat("&b=1", 2000), "", 400, "a"},
		"a mask of 5,000 paths":    {"PATCH", "/v1/sites/7?update_mask=url" + strings.Repeat(",url", 5000), `{"url":"http://127.0.0.1/"}`, 400, "update_mask.paths"},
		"a long token":             {"GET", "/v1/sites?page_token=" + strings.Repeat("x", 20_000), "", 400, "page_token"},
		"a long host":              {"GET", "/wpcom/v2/sites/" + strings.Repeat("x", 20_000) + "/jetpack-monitor-status", "", 400, "site"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := h.send(c.method, c.path, c.body)
			if a.status != c.status || c.field != "" && a.field() != c.field || len(a.body) > 8<<10 || a.json["code"] == nil {
				t.Errorf("%d naming %q: %.300s", a.status, a.field(), a.body)
			}
		})
	}
}

// maximal is a site with as much in every field as our servers put there.
func maximal() *monitorv1.Site {
	wide := strings.Repeat(`"`, 200) // twice as long in JSON
	s := &monitorv1.Site{
		SiteId: 1<<63 - 1, BlogId: 1<<63 - 1, Url: "http://127.0.0.1/" + strings.Repeat("ü", 141), Bucket: 511, State: 6, StatusId: 2,
		LastCheckTime: timestamppb.Now(), LastStatusChangeTime: timestamppb.Now(), NextCheckTime: timestamppb.Now(),
		CheckInterval: durationpb.New(255 * 60e9), Paused: true, OutageId: 1<<63 - 1, HoldReason: strings.Repeat(wide, 5), Flapping: true, Relapses: 1 << 31,
		Settings:        &monitorv1.CheckSettings{Method: 3, RedirectPolicy: 2, SlowAfter: durationpb.New(60e9)},
		LastObservation: &checkv1.Observation{Outcome: 2, Failure: 5, Reason: wide[:64], Detail: wide, Headers: map[string]string{}, Timings: &checkv1.Timing{TotalMicros: 1 << 31}},
		RegionalFinding: &monitorv1.RegionalFinding{FindTime: timestamppb.Now()},
	}
	for i := range 16 {
		if i < 8 {
			s.Settings.RequiredTexts = append(s.Settings.RequiredTexts, strings.Repeat("\x01", 200))
			s.Settings.ForbiddenTexts = append(s.Settings.ForbiddenTexts, wide)
			s.Settings.Headers = append(s.Settings.Headers, &checkv1.Header{Name: fmt.Sprint("X-", i, strings.Repeat("x", 90)), Value: strings.Repeat(`"`, 1000)})
		}
		if i < 10 {
			s.LastObservation.Hops = append(s.LastObservation.Hops, &checkv1.Hop{HttpStatus: 301, Url: strings.Repeat(`"`, 1000)})
		}
		s.LastObservation.Headers[fmt.Sprint(i, wide[:190])] = wide
		s.RegionalFinding.DownRegions = append(s.RegionalFinding.DownRegions, wide)
	}
	return s
}

func TestTheLargestSiteThatIsReadCanBeSentBack(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.sites[7] = maximal()
	f.sites[7].SiteId = 7
	h := open(t, f)
	body := h.get("/v1/sites/7").body
	if a := h.send("PATCH", "/v1/sites/7", body); a.status != http.StatusOK {
		t.Errorf("%d bytes: %d %.300s", len(body), a.status, a.body)
	}
	if !json.Valid([]byte(body)) || protojson.Unmarshal([]byte(body), new(monitorv1.Site)) != nil {
		t.Error("the body is no site")
	}
}

func TestAnErrorIsShortWhateverIsInIt(t *testing.T) {
	t.Parallel()
	control := strings.Repeat("\x01", 5000)
	for name, err := range map[string]error{
		"control characters": fault.New(fault.Invalid, "%s", control).With(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: control, Description: control}}}),
		"much":               fault.New(fault.Invalid, "%s", control).With(&errdetails.BadRequest{FieldViolations: make([]*errdetails.BadRequest_FieldViolation, 10_000)}),
	} {
		f := newFake()
		f.fail = func(context.Context) error { return err }
		if a := open(t, f).get("/v1/fleet"); a.status != 400 || len(a.body) > 8<<10 || a.message() == "" {
			t.Errorf("%s: %d, %d bytes", name, a.status, len(a.body))
		}
	}
}

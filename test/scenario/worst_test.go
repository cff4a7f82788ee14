package scenario

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/test/fakesite"
)

// The worst known requests: each is refused as its caller's mistake, six at once cost little
// memory, and nobody else notices.
func TestTheWorstRequestsHarmNobodyElse(t *testing.T) {
	t.Parallel()
	tell(t, setup{}, worst, asDev(), asRoles())
}

// worstAtOnce is the number of simultaneous requests of a kind; othersCalls is the least number
// of calls that others make meanwhile.
const (
	worstAtOnce = 6
	othersCalls = 1000
	memoryMiB   = 64
)

func worst(t *testing.T, s system) {
	id := s.rest.create(t, fakesite.New(t).URL(), 1).SiteID
	memory := map[string]*peak{}
	for name, pid := range pids(s.harness) {
		memory[name] = beginPeak(t, name, pid)
	}
	var ended atomic.Bool
	var others sync.WaitGroup
	var calls, failures atomic.Int64
	for range 4 {
		others.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: patience}
			for calls.Add(1) <= othersCalls || !ended.Load() {
				if code, text, err := fetch(t.Context(), client, s.restURL()+"/v1/sites/"+id); err != nil || code != http.StatusOK {
					failures.Add(1)
					t.Errorf("another caller's call: %d %.200s %v", code, text, err)
				}
			}
		})
	}
	requests := worstRequests(t, s)
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		var together sync.WaitGroup
		for range worstAtOnce {
			together.Go(func() {
				if err := requests[name](); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		together.Wait()
	}
	ended.Store(true)
	others.Wait()
	t.Logf("%d calls of others, %d failed", calls.Load(), failures.Load())
	for _, p := range memory {
		p.end(t)
	}
}

// worstRequests are functions that return what is wrong with the answer.
func worstRequests(t *testing.T, s system) map[string]func() error {
	texts := `{"url":"http://x.example/","settings":{"required_texts":[` + strings.Repeat(`"",`, 299_999) + `""]}}`
	headers := `{"url":"http://x.example/","settings":{"headers":[` + strings.Repeat(`{},`, 300_000) + `{}]}}`
	all := map[string]func() error{}
	for name, c := range map[string]struct {
		method, path, body string
		code               int
	}{
		"300,000 empty texts":            {"POST", "/v1/sites", texts, 400},
		"300,000 empty texts in a PATCH": {"PATCH", "/v1/sites/1", texts, 400},
		"300,000 empty headers":          {"POST", "/v1/sites", headers, 400},
		"a URL of a megabyte":            {"POST", "/v1/sites", `{"url":"` + strings.Repeat("x", 1_000_000) + `"}`, 400},
		"a number of a megabyte":         {"POST", "/v1/sites", `{"blog_id":` + strings.Repeat("1", 1_000_000) + `}`, 400},
		"brackets":                       {"POST", "/v1/sites", strings.Repeat("[", 1_000_000), 400},
		"ten megabytes":                  {"POST", "/v1/sites", strings.Repeat("x", 10_000_000), 413},
		"64 texts of 15 KiB":             {"POST", "/v1/sites", `{"settings":{"required_texts":[` + strings.Repeat(`"`+strings.Repeat("x", 15_000)+`",`, 63) + `""]}}`, 400},
		"1,500 ids in a query":           {"GET", "/v1/sites:batchGet?site_ids=1" + strings.Repeat("&site_ids=1", 1500), "", 400},
		"a mask of 5,000 paths":          {"PATCH", "/v1/sites/1?update_mask=x" + strings.Repeat(",x", 5000), `{"paused":true}`, 400},
	} {
		all["REST: "+name] = func() error {
			code, text, err := s.rest.do(t, c.method, c.path, "application/json", c.body)
			if c.code == http.StatusRequestEntityTooLarge && err != nil {
				return nil // the connection can be closed before all was sent
			}
			if err != nil || code != c.code || len(text) > 8<<10 {
				return fmt.Errorf("%d, %d bytes %.200s, %v", code, len(text), text, err)
			}
			return nil
		}
	}
	conn, veriflier := dial(t, s.coordinatorAddr()), dial(t, s.veriflierAddr())
	sites := monitorv1.NewSiteServiceClient(conn)
	for name, call := range map[string]func(context.Context) error{
		"4 MB of zeros": func(ctx context.Context) error {
			_, err := sites.BatchGetSites(ctx, &monitorv1.BatchGetSitesRequest{SiteIds: make([]int64, 4_000_000)})
			return err
		},
		"100 KB of zeros": func(ctx context.Context) error {
			_, err := sites.BatchGetSites(ctx, &monitorv1.BatchGetSitesRequest{SiteIds: make([]int64, 100_000)})
			return err
		},
		"1,000 zeros": func(ctx context.Context) error {
			_, err := sites.BatchGetSites(ctx, &monitorv1.BatchGetSitesRequest{SiteIds: make([]int64, 1000)})
			return err
		},
		"a mask of 100,000 paths": func(ctx context.Context) error {
			_, err := sites.UpdateSite(ctx, &monitorv1.UpdateSiteRequest{
				Site: &monitorv1.Site{SiteId: 1}, UpdateMask: &fieldmaskpb.FieldMask{Paths: make([]string, 100_000)},
			})
			return err
		},
		"a path of 100 KB": func(ctx context.Context) error {
			_, err := sites.UpdateSite(ctx, &monitorv1.UpdateSiteRequest{
				Site: &monitorv1.Site{SiteId: 1}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{strings.Repeat("x", 100_000)}},
			})
			return err
		},
		"a token of 100 KB": func(ctx context.Context) error {
			_, err := sites.ListSites(ctx, &monitorv1.ListSitesRequest{PageToken: strings.Repeat("x", 100_000)})
			return err
		},
		"a token of 4 MB": func(ctx context.Context) error {
			_, err := sites.ListSites(ctx, &monitorv1.ListSitesRequest{PageToken: strings.Repeat("x", 4_000_000)})
			return err
		},
		"a million headers for a veriflier": func(ctx context.Context) error {
			_, err := veriflierv1.NewVeriflierServiceClient(veriflier).Verify(ctx, &veriflierv1.VerifyRequest{
				RequestId: "x", Target: &checkv1.Target{Url: "http://x.example/", Headers: slices.Repeat([]*checkv1.Header{{}}, 1_000_000)},
			})
			return err
		},
		"much metadata": func(ctx context.Context) error {
			_, err := sites.GetSite(metadata.AppendToOutgoingContext(ctx, "x-long", strings.Repeat("x", 7000)), &monitorv1.GetSiteRequest{})
			return err
		},
	} {
		all["gRPC: "+name] = func() error {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if got := status.Convert(call(ctx)); got.Code() != codes.InvalidArgument || len(got.Message()) > 1024 {
				return fmt.Errorf("%v %.200s", got.Code(), got.Message())
			}
			return nil
		}
	}
	return all
}

// fetch is a GET that keeps its connection.
func fetch(ctx context.Context, client *http.Client, url string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// pids are the processes that answer calls.
func pids(h harness) map[string]int {
	switch h := h.(type) {
	case *roles:
		found := map[string]int{}
		for _, n := range []node{coordinator, gateway, veriflier1} {
			found[string(n)] = h.processes[n].cmd.Process.Pid
		}
		return found
	case *dev:
		return map[string]int{h.process.name: h.process.cmd.Process.Pid}
	}
	return nil
}

// peak watches the memory of a process.
type peak struct {
	name   string
	pid    int
	before int // MiB
}

// beginPeak resets the kernel's record of the process's peak.
func beginPeak(t *testing.T, name string, pid int) *peak {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Logf("the peak of %s counts from its start: %v", name, err)
	}
	return &peak{name, pid, memoryOf(t, pid, "VmRSS")}
}

func (p *peak) end(t *testing.T) {
	t.Helper()
	most := memoryOf(t, p.pid, "VmHWM")
	t.Logf("%s had %d MiB, and at most %d", p.name, p.before, most)
	if most > p.before+memoryMiB {
		t.Errorf("the memory of %s rose from %d MiB to %d", p.name, p.before, most)
	}
}

// memoryOf reads a line of /proc/PID/status, in MiB.
func memoryOf(t *testing.T, pid int, key string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			kib, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kib >> 10
		}
	}
	t.Fatalf("no %s in %s", key, text)
	return 0
}

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// coordinator has rows of everything, each with an id and a URL with terminal control
// characters. It explains sites with the given refusal.
type coordinator struct {
	monitorv1.UnimplementedSiteServiceServer
	monitorv1.UnimplementedOutageServiceServer
	rows     int
	refusal  error
	replayed monitorv1.Verdict
	asked    *monitorv1.ExplainSiteRequest
	// asking is called with the first row of each page that is asked for.
	asking func(row int)
}

const bell = "http://bell.example/\a\x1b[31m"

// page returns the ids of a page and the token of the next.
func (c *coordinator) page(size int32, token string) (ids []int64, next string, err error) {
	first := 0
	if token != "" {
		if _, err := fmt.Sscan(token, &first); err != nil {
			return nil, "", err
		}
	}
	if c.asking != nil {
		c.asking(first)
	}
	last := min(first+int(size), c.rows)
	for i := first; i < last; i++ {
		ids = append(ids, int64(i))
	}
	if last < c.rows {
		next = fmt.Sprint(last)
	}
	return ids, next, nil
}

func (c *coordinator) ListSites(_ context.Context, req *monitorv1.ListSitesRequest) (*monitorv1.ListSitesResponse, error) {
	ids, next, err := c.page(req.GetPageSize(), req.GetPageToken())
	resp := &monitorv1.ListSitesResponse{NextPageToken: next}
	for _, id := range ids {
		resp.Sites = append(resp.Sites, &monitorv1.Site{SiteId: id, BlogId: req.GetBlogId(), Url: bell})
	}
	return resp, err
}

func (c *coordinator) ListOutages(_ context.Context, req *monitorv1.ListOutagesRequest) (*monitorv1.ListOutagesResponse, error) {
	ids, next, err := c.page(req.GetPageSize(), req.GetPageToken())
	resp := &monitorv1.ListOutagesResponse{NextPageToken: next}
	for _, id := range ids {
		resp.Outages = append(resp.Outages, &monitorv1.Outage{OutageId: id, SiteId: req.GetSiteId(), Url: bell})
	}
	return resp, err
}

func (c *coordinator) ExplainSite(_ context.Context, req *monitorv1.ExplainSiteRequest) (*monitorv1.ExplainSiteResponse, error) {
	c.asked = req
	return &monitorv1.ExplainSiteResponse{Explanation: &monitorv1.Explanation{Summary: "Up."}}, c.refusal
}

func (c *coordinator) ReplayOutage(context.Context, *monitorv1.ReplayOutageRequest) (*monitorv1.ReplayOutageResponse, error) {
	return &monitorv1.ReplayOutageResponse{
		Ballot: &monitorv1.Ballot{Verdict: monitorv1.Verdict_VERDICT_CONFIRMED}, ReplayedVerdict: c.replayed,
	}, nil
}

// connect starts the coordinator and returns a client of it and the client's output.
func connect(t *testing.T, c *coordinator) (Client, *bytes.Buffer) {
	t.Helper()
	return connectTo(t, c)
}

// connectTo starts a coordinator of services, sites and maybe outages.
func connectTo(t *testing.T, c monitorv1.SiteServiceServer) (Client, *bytes.Buffer) {
	t.Helper()
	network := rpc.NewMemory()
	l, err := network.Listen("coordinator")
	if err != nil {
		t.Fatal(err)
	}
	server, err := rpc.NewServer(rpc.ServerOptions{Name: "coordinator", Access: rpc.Open()}, func(r grpc.ServiceRegistrar) {
		monitorv1.RegisterSiteServiceServer(r, c)
		if outages, ok := c.(monitorv1.OutageServiceServer); ok {
			monitorv1.RegisterOutageServiceServer(r, outages)
		}
		if changes, ok := c.(monitorv1.ChangeServiceServer); ok {
			monitorv1.RegisterChangeServiceServer(r, changes)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	conn, err := rpc.Dial("coordinator", rpc.ClientOptions{Network: network})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	var out bytes.Buffer
	return Client{Conn: conn, Address: "coordinator", Out: &out, Err: &out}, &out
}

func TestListsFollowPagesUpToTheirLimit(t *testing.T) {
	t.Parallel()
	for rows, wants := range map[int]map[int]int{
		2500: {0: 2500, 1: 1, 1000: 1000, 1500: 1500, 2500: 2500, 9999: 2500},
		1000: {0: 1000, 1000: 1000},
		0:    {0: 0, 7: 0},
	} {
		for limit, want := range wants {
			c, out := connect(t, &coordinator{rows: rows})
			for what, err := range map[string]error{
				"sites":   c.ListSites(t.Context(), SiteList{Limit: limit}),
				"outages": c.ListOutages(t.Context(), OutageList{Limit: limit}),
			} {
				if err != nil {
					t.Errorf("%d %s, limit %d: %v", rows, what, limit, err)
				}
			}
			text := out.String()
			if n := strings.Count(text, "http://bell.example/"); n != 2*want {
				t.Errorf("%d rows, limit %d: %d lines in two lists, want %d", rows, limit, n, 2*want)
			}
			if more := strings.Count(text, "There are more"); (more == 2) != (want < rows) || more == 1 {
				t.Errorf("%d rows, limit %d: says %d times that there are more", rows, limit, more)
			}
			if strings.ContainsAny(text, "\a\x1b") {
				t.Error("a URL speaks to the terminal")
			}
		}
	}
}

func TestAListAsJSONIsOneDocumentWithTheTokenOfTheRest(t *testing.T) {
	t.Parallel()
	c, out := connect(t, &coordinator{rows: 2500})
	c.Output = JSON
	if err := c.ListSites(t.Context(), SiteList{Filter: &monitorv1.ListSitesRequest{BlogId: 7}, Limit: 1200}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Sites []struct {
			SiteID string `json:"site_id"`
			BlogID string `json:"blog_id"`
		}
		Next string `json:"next_page_token"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Sites) != 1200 || got.Sites[1199].SiteID != "1199" || got.Sites[0].BlogID != "7" || got.Next != "1200" {
		t.Errorf("%d sites, the last %+v, next %q", len(got.Sites), got.Sites[len(got.Sites)-1], got.Next)
	}
}

// What a page had is written before the second page after it is asked for: no list is held.
func TestAListIsPrintedWhileItIsRead(t *testing.T) {
	t.Parallel()
	for _, output := range []Output{Text, JSON, NDJSON} {
		k := &coordinator{rows: 5 * pageSize}
		c, out := connect(t, k)
		c.Output = output
		k.asking = func(row int) {
			if written := strings.Count(out.String(), "http://bell.example/"); written < row-pageSize {
				t.Errorf("%s: row %d is asked for, and %d are written", output, row, written)
			}
		}
		if err := c.ListSites(t.Context(), SiteList{}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestATimeIsSentOnlyWhenItIsGiven(t *testing.T) {
	t.Parallel()
	k := &coordinator{}
	c, _ := connect(t, k)
	at := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	for _, want := range []time.Time{{}, at} {
		if err := c.ExplainSite(t.Context(), 3, want); err != nil {
			t.Fatal(err)
		}
		if k.asked.GetSiteId() != 3 || (k.asked.GetAt() != nil) == want.IsZero() || !want.IsZero() && !k.asked.GetAt().AsTime().Equal(want) {
			t.Errorf("asked %v, want site 3 at %v", k.asked, want)
		}
	}
}

func TestARefusalIsPrintedInWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		refusal error
		want    string
		mistake bool
	}{
		{"what was asked for wrongly", status.Error(codes.InvalidArgument, "site_id: must be more than 0"), "site_id: must be more than 0", true},
		{"what is not there", status.Error(codes.NotFound, "there is no site 3"), "there is no site 3", false},
		{"what cannot be answered as things are", status.Error(codes.FailedPrecondition, "no evidence is kept"), "no evidence is kept", false},
		{"a coordinator in trouble", status.Error(codes.Unavailable, "draining"), "the coordinator at coordinator: draining (Unavailable)", false},
	}
	for _, tt := range tests {
		c, out := connect(t, &coordinator{refusal: tt.refusal})
		err := c.ExplainSite(t.Context(), 3, time.Time{})
		if err == nil || err.Error() != tt.want || fault.Is(err, fault.Invalid) != tt.mistake || out.Len() != 0 {
			t.Errorf("%s: %v, a mistake: %v; want %q, %v; prints %q", tt.name, err, fault.Is(err, fault.Invalid), tt.want, tt.mistake, out)
		}
	}
}

func TestAReplayReportsWhetherItMatchesTheStoredVerdict(t *testing.T) {
	t.Parallel()
	for verdict, want := range map[monitorv1.Verdict]bool{
		monitorv1.Verdict_VERDICT_CONFIRMED: true, monitorv1.Verdict_VERDICT_REJECTED: false,
	} {
		c, out := connect(t, &coordinator{replayed: verdict})
		same, err := c.ReplayOutage(t.Context(), 1, Rule{})
		if err != nil || same != want || strings.Contains(out.String(), "THAT IS NOT WHAT WAS STORED") == want {
			t.Errorf("%v: same %v, %v: %s", verdict, same, err, out)
		}
	}
}

func TestACoordinatorThatCannotBeReachedIsSaidToBeInWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"draining": "draining",
		`connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`: "dial tcp 127.0.0.1:1: connect: connection refused",
		`connection error: desc = "error reading server preface: \"EOF\""`:                                             `error reading server preface: "EOF"`,
		`connection error: desc = "never ends`:                                                                         `connection error: desc = "never ends`,
	} {
		want = "the coordinator at a:1 cannot be reached: " + want + "; --server HOST:PORT or --context NAME asks another"
		if err := (Client{Address: "a:1"}).explain(status.Error(codes.Unavailable, text)); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

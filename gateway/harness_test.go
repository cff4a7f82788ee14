package gateway_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon"
	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a coordinator that keeps sites in a map. A real gRPC server serves it, with the
// real validation.
type fake struct {
	works []*monitorv1.Maintenance // listed as well
	monitorv1.UnimplementedSiteServiceServer
	monitorv1.UnimplementedOutageServiceServer
	monitorv1.UnimplementedHistoryServiceServer
	monitorv1.UnimplementedAdvisoryServiceServer
	monitorv1.UnimplementedBadgeServiceServer
	monitorv1.UnimplementedIncidentServiceServer
	monitorv1.UnimplementedChangeServiceServer
	monitorv1.UnimplementedMaintenanceServiceServer
	monitorv1.UnimplementedFleetServiceServer
	monitorv1.UnimplementedDiagnosisServiceServer
	monitorv1.UnimplementedProbeServiceServer
	monitorv1.UnimplementedAccessServiceServer
	monitorv1.UnimplementedSubscriptionServiceServer
	monitorv1.UnimplementedNotificationServiceServer
	wpcomv1.UnimplementedJetpackMonitorServiceServer
	wpcomv1.UnimplementedProtectDashboardServiceServer
	wpcomv1.UnimplementedJetpackAgencyServiceServer

	mu    sync.Mutex
	sites map[int64]*monitorv1.Site
	masks [][]string
	lists []*monitorv1.ListSitesRequest
	fail  func(context.Context) error // of GetFleet and of WordPress.com's settings
	posts []*wpcomv1.UpdateJetpackMonitorSettingsRequest
	// access decides who may call; everybody when it is nil.
	access *rpc.Authorizer
	tried  []string // the etags of edits
	key    string   // the idempotency key of the newest call that had one
	// watch is what WatchChanges does; without it the stream begins and ends.
	watch func(*monitorv1.WatchChangesRequest, grpc.ServerStreamingServer[monitorv1.WatchChangesResponse]) error
	// uptime is how sites were; nil for nothing.
	uptime func(id int64) *monitorv1.SiteUptime
	// next, when not nil, lets a probe go on, or break.
	next chan bool
	// slow is how long a step of WatchDiagnosis takes.
	slow time.Duration
	// cut ends streams with an error after so many rows; 0 means never.
	cut atomic.Int64
}

func newFake() *fake {
	return &fake{sites: map[int64]*monitorv1.Site{7: {
		SiteId: 7, BlogId: 70, Url: "http://127.0.0.1/", StatusId: 0, State: monitorv1.SiteState_SITE_STATE_DOWN,
		LastCheckTime: timestamppb.New(timestamppb.Now().AsTime().Truncate(0)),
	}}}
}

func (f *fake) register(r grpc.ServiceRegistrar) {
	monitorv1.RegisterSiteServiceServer(r, f)
	monitorv1.RegisterOutageServiceServer(r, f)
	monitorv1.RegisterHistoryServiceServer(r, f)
	monitorv1.RegisterAdvisoryServiceServer(r, f)
	monitorv1.RegisterBadgeServiceServer(r, f)
	monitorv1.RegisterIncidentServiceServer(r, f)
	monitorv1.RegisterChangeServiceServer(r, f)
	monitorv1.RegisterMaintenanceServiceServer(r, f)
	monitorv1.RegisterFleetServiceServer(r, f)
	monitorv1.RegisterDiagnosisServiceServer(r, f)
	monitorv1.RegisterProbeServiceServer(r, f)
	monitorv1.RegisterAccessServiceServer(r, f)
	monitorv1.RegisterSubscriptionServiceServer(r, f)
	monitorv1.RegisterNotificationServiceServer(r, f)
	wpcomv1.RegisterJetpackMonitorServiceServer(r, f)
	wpcomv1.RegisterProtectDashboardServiceServer(r, f)
	wpcomv1.RegisterJetpackAgencyServiceServer(r, f)
}

func (f *fake) ListSites(_ context.Context, q *monitorv1.ListSitesRequest) (*monitorv1.ListSitesResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists = append(f.lists, q)
	var sites []*monitorv1.Site
	for _, s := range f.sites {
		sites = append(sites, s)
	}
	slices.SortFunc(sites, func(a, b *monitorv1.Site) int { return cmp.Compare(a.GetSiteId(), b.GetSiteId()) })
	return &monitorv1.ListSitesResponse{Sites: sites}, nil
}

func (f *fake) GetSite(_ context.Context, q *monitorv1.GetSiteRequest) (*monitorv1.GetSiteResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.sites[q.GetSiteId()]
	if s == nil {
		return nil, fault.New(fault.NotFound, "there is no site %d", q.GetSiteId())
	}
	return &monitorv1.GetSiteResponse{Site: s}, nil
}

func (f *fake) BatchGetSites(_ context.Context, q *monitorv1.BatchGetSitesRequest) (*monitorv1.BatchGetSitesResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	resp := &monitorv1.BatchGetSitesResponse{}
	for _, id := range q.GetSiteIds() {
		if s := f.sites[id]; s != nil {
			resp.Sites = append(resp.Sites, s)
		}
	}
	return resp, nil
}

func (f *fake) CreateSite(_ context.Context, q *monitorv1.CreateSiteRequest) (*monitorv1.CreateSiteResponse, error) {
	if err := check.ValidateURL(q.GetSite().GetUrl()); err != nil {
		return nil, fault.InvalidField("site.url", "%w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.key = q.GetIdempotencyKey()
	for _, s := range f.sites {
		if s.GetUrl() == q.GetSite().GetUrl() {
			return nil, fault.New(fault.AlreadyExists, "the blog has a site with this URL: %d", s.GetSiteId())
		}
	}
	s := proto.CloneOf(q.GetSite())
	s.SiteId, s.StatusId = int64(len(f.sites)+100), 1
	f.sites[s.GetSiteId()] = s
	return &monitorv1.CreateSiteResponse{Site: s}, nil
}

func (f *fake) UpdateSite(_ context.Context, q *monitorv1.UpdateSiteRequest) (*monitorv1.UpdateSiteResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sites[q.GetSite().GetSiteId()] == nil {
		return nil, fault.New(fault.NotFound, "there is no site %d", q.GetSite().GetSiteId())
	}
	if err := f.compare(q.GetSite().GetSiteId(), q.GetSite().GetEtag()); err != nil {
		return nil, err
	}
	f.masks = append(f.masks, q.GetUpdateMask().GetPaths())
	return &monitorv1.UpdateSiteResponse{Site: q.GetSite()}, nil
}

func (f *fake) PauseSite(_ context.Context, q *monitorv1.PauseSiteRequest) (*monitorv1.PauseSiteResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.compare(q.GetSiteId(), q.GetEtag()); err != nil {
		return nil, err
	}
	return &monitorv1.PauseSiteResponse{Site: f.sites[q.GetSiteId()]}, nil
}

func (f *fake) DeleteSite(_ context.Context, q *monitorv1.DeleteSiteRequest) (*monitorv1.DeleteSiteResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sites[q.GetSiteId()] == nil {
		return nil, fault.New(fault.NotFound, "there is no site %d", q.GetSiteId())
	}
	if err := f.compare(q.GetSiteId(), q.GetEtag()); err != nil {
		return nil, err
	}
	delete(f.sites, q.GetSiteId())
	return &monitorv1.DeleteSiteResponse{}, nil
}

func (f *fake) GetToken(_ context.Context, q *monitorv1.GetTokenRequest) (*monitorv1.GetTokenResponse, error) {
	return &monitorv1.GetTokenResponse{Token: &monitorv1.Token{TokenId: q.GetTokenId()}}, nil
}

func (f *fake) ListTokens(context.Context, *monitorv1.ListTokensRequest) (*monitorv1.ListTokensResponse, error) {
	return &monitorv1.ListTokensResponse{Tokens: []*monitorv1.Token{{TokenId: 3}}}, nil
}

func (f *fake) GetCaller(ctx context.Context, _ *monitorv1.GetCallerRequest) (*monitorv1.GetCallerResponse, error) {
	c := access.From(ctx)
	return &monitorv1.GetCallerResponse{Caller: &monitorv1.Caller{Name: c.String(), TokenId: c.TokenID, Scopes: c.Scopes.Names()}}, nil
}

func (f *fake) GetNotification(_ context.Context, q *monitorv1.GetNotificationRequest) (*monitorv1.GetNotificationResponse, error) {
	return &monitorv1.GetNotificationResponse{Notification: &monitorv1.Notification{NotificationId: q.GetNotificationId()}}, nil
}

func (f *fake) ListNotifications(context.Context, *monitorv1.ListNotificationsRequest) (*monitorv1.ListNotificationsResponse, error) {
	return &monitorv1.ListNotificationsResponse{Notifications: []*monitorv1.Notification{{NotificationId: 3}}}, nil
}

func (f *fake) GetSubscription(_ context.Context, q *monitorv1.GetSubscriptionRequest) (*monitorv1.GetSubscriptionResponse, error) {
	return &monitorv1.GetSubscriptionResponse{Subscription: &monitorv1.Subscription{SubscriptionId: q.GetSubscriptionId()}}, nil
}

func (f *fake) ListSubscriptions(context.Context, *monitorv1.ListSubscriptionsRequest) (*monitorv1.ListSubscriptionsResponse, error) {
	return &monitorv1.ListSubscriptionsResponse{Subscriptions: []*monitorv1.Subscription{{SubscriptionId: 3}}}, nil
}

func (f *fake) ListAuditRecords(context.Context, *monitorv1.ListAuditRecordsRequest) (*monitorv1.ListAuditRecordsResponse, error) {
	return &monitorv1.ListAuditRecordsResponse{Records: []*monitorv1.AuditRecord{{RecordId: 3}}}, nil
}

func (f *fake) ListOutages(context.Context, *monitorv1.ListOutagesRequest) (*monitorv1.ListOutagesResponse, error) {
	return &monitorv1.ListOutagesResponse{Outages: []*monitorv1.Outage{{OutageId: 3, SiteId: 7}}}, nil
}

func (f *fake) ListIncidents(context.Context, *monitorv1.ListIncidentsRequest) (*monitorv1.ListIncidentsResponse, error) {
	return &monitorv1.ListIncidentsResponse{Incidents: []*monitorv1.Incident{{IncidentId: 3, Members: 7}}}, nil
}

func (f *fake) GetIncident(_ context.Context, q *monitorv1.GetIncidentRequest) (*monitorv1.GetIncidentResponse, error) {
	return &monitorv1.GetIncidentResponse{Incident: &monitorv1.Incident{IncidentId: q.GetIncidentId(), Members: 7}}, nil
}

func (f *fake) ListIncidentMembers(context.Context, *monitorv1.ListIncidentMembersRequest) (*monitorv1.ListIncidentMembersResponse, error) {
	return &monitorv1.ListIncidentMembersResponse{Members: []*monitorv1.IncidentMember{{SiteId: 7, Down: true}}}, nil
}

func (f *fake) ListMaintenances(_ context.Context, _ *monitorv1.ListMaintenancesRequest) (*monitorv1.ListMaintenancesResponse, error) {
	return &monitorv1.ListMaintenancesResponse{Maintenances: append([]*monitorv1.Maintenance{{MaintenanceId: 3, Name: "upgrade"}}, f.works...)}, nil
}

func (f *fake) GetMaintenance(context.Context, *monitorv1.GetMaintenanceRequest) (*monitorv1.GetMaintenanceResponse, error) {
	return &monitorv1.GetMaintenanceResponse{Maintenance: &monitorv1.Maintenance{MaintenanceId: 3, Name: "upgrade"}}, nil
}

func (f *fake) GetMaintenanceCalendar(context.Context, *monitorv1.GetMaintenanceCalendarRequest) (*monitorv1.GetMaintenanceCalendarResponse, error) {
	return &monitorv1.GetMaintenanceCalendarResponse{Calendar: "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"}, nil
}

func (f *fake) ListAdvisories(context.Context, *monitorv1.ListAdvisoriesRequest) (*monitorv1.ListAdvisoriesResponse, error) {
	return &monitorv1.ListAdvisoriesResponse{Advisories: []*monitorv1.SiteAdvisory{{SiteId: 7, Advisory: checkv1.Advisory_ADVISORY_SLOW}}}, nil
}

// GetBadge knows the badges of site 7 only.
func (f *fake) GetBadge(_ context.Context, q *monitorv1.GetBadgeRequest) (*monitorv1.GetBadgeResponse, error) {
	if q.GetSiteId() != 7 {
		return nil, fault.New(fault.NotFound, "there is no such badge")
	}
	return &monitorv1.GetBadgeResponse{Label: "status", Message: "up", Tone: monitorv1.BadgeTone_BADGE_TONE_GOOD}, nil
}

func (f *fake) GetOutage(_ context.Context, q *monitorv1.GetOutageRequest) (*monitorv1.GetOutageResponse, error) {
	return &monitorv1.GetOutageResponse{Outage: &monitorv1.Outage{
		OutageId: q.GetOutageId(), SiteId: 7, Failure: checkv1.FailureKind_FAILURE_KIND_SERVER,
		Votes: []*monitorv1.Vote{{Veriflier: "eu", Value: monitorv1.VoteValue_VOTE_VALUE_DOWN}},
	}}, nil
}

func (f *fake) ListOutageNotices(context.Context, *monitorv1.ListOutageNoticesRequest) (*monitorv1.ListOutageNoticesResponse, error) {
	return &monitorv1.ListOutageNoticesResponse{}, nil
}

func (f *fake) ReplayOutage(context.Context, *monitorv1.ReplayOutageRequest) (*monitorv1.ReplayOutageResponse, error) {
	return &monitorv1.ReplayOutageResponse{ReplayedVerdict: monitorv1.Verdict_VERDICT_CONFIRMED}, nil
}

func (f *fake) ExplainSite(_ context.Context, q *monitorv1.ExplainSiteRequest) (*monitorv1.ExplainSiteResponse, error) {
	return &monitorv1.ExplainSiteResponse{Explanation: &monitorv1.Explanation{Summary: "Up.", ExplainTime: q.GetAt()}}, nil
}

func (f *fake) DiagnoseSite(_ context.Context, q *monitorv1.DiagnoseSiteRequest) (*monitorv1.DiagnoseSiteResponse, error) {
	return &monitorv1.DiagnoseSiteResponse{Diagnosis: &monitorv1.Diagnosis{
		Url: "http://127.0.0.1/", Conclusion: fmt.Sprintf("site %d is well", q.GetSiteId()),
		Findings: []*monitorv1.Finding{{Check: "dns", Verdict: monitorv1.FindingVerdict_FINDING_VERDICT_PASS}},
	}}, nil
}

func (f *fake) GetFleet(ctx context.Context, _ *monitorv1.GetFleetRequest) (*monitorv1.GetFleetResponse, error) {
	if f.fail != nil {
		return nil, f.fail(ctx)
	}
	return &monitorv1.GetFleetResponse{Fleet: &monitorv1.Fleet{}}, nil
}

func (f *fake) GetJetpackMonitorStatus(_ context.Context, q *wpcomv1.GetJetpackMonitorStatusRequest) (*wpcomv1.GetJetpackMonitorStatusResponse, error) {
	return &wpcomv1.GetJetpackMonitorStatusResponse{Status: q.GetSite() == "up.example"}, nil
}

func (f *fake) GetJetpackMonitorSettings(ctx context.Context, _ *wpcomv1.GetJetpackMonitorSettingsRequest) (*wpcomv1.GetJetpackMonitorSettingsResponse, error) {
	if f.fail != nil {
		return nil, f.fail(ctx)
	}
	return &wpcomv1.GetJetpackMonitorSettingsResponse{Success: true}, nil
}

func (f *fake) UpdateJetpackMonitorSettings(_ context.Context, q *wpcomv1.UpdateJetpackMonitorSettingsRequest) (*wpcomv1.UpdateJetpackMonitorSettingsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.posts = append(f.posts, q)
	return &wpcomv1.UpdateJetpackMonitorSettingsResponse{Success: true, Settings: q.GetSettings()}, nil
}

func (f *fake) ListJetpackMonitorIncidents(context.Context, *wpcomv1.ListJetpackMonitorIncidentsRequest) (*wpcomv1.ListJetpackMonitorIncidentsResponse, error) {
	return &wpcomv1.ListJetpackMonitorIncidentsResponse{}, nil
}

func (f *fake) GetProtectUptime(ctx context.Context, _ *wpcomv1.GetProtectUptimeRequest) (*wpcomv1.GetProtectUptimeResponse, error) {
	if f.fail != nil {
		return nil, f.fail(ctx)
	}
	return &wpcomv1.GetProtectUptimeResponse{Days: []*wpcomv1.ProtectUptimeDay{{Date: "2026-11-29", Status: "down", DowntimeInMinutes: 12}, {Date: "2026-11-30", Status: "up"}}}, nil
}

func (f *fake) ListAgencySites(_ context.Context, q *wpcomv1.ListAgencySitesRequest) (*wpcomv1.ListAgencySitesResponse, error) {
	return &wpcomv1.ListAgencySitesResponse{Sites: []*wpcomv1.AgencySite{{BlogId: float64(q.GetBlogIds()[0]), MonitorSettings: &wpcomv1.AgencyMonitorSettings{}}}}, nil
}

func (f *fake) GetJetpackMonitorUptime(context.Context, *wpcomv1.GetJetpackMonitorUptimeRequest) (*wpcomv1.GetJetpackMonitorUptimeResponse, error) {
	return &wpcomv1.GetJetpackMonitorUptimeResponse{Days: map[string]*wpcomv1.JetpackMonitorDay{"2026-11-30": {Status: "up"}}}, nil
}

// house is a network with a gateway and, unless it is away, a coordinator.
type house struct {
	t       testing.TB
	network *rpc.Memory
	base    string // begins the URLs of requests
	gateway *gateway.Gateway
	client  *http.Client
	stop    context.CancelFunc
	ended   func() error
}

const (
	coordinatorAddr = "coordinator:7800"
	gatewayAddr     = "gateway:7802"
)

// open starts both.
func open(t testing.TB, f *fake, change ...func(*gateway.Options)) *house {
	t.Helper()
	return openReady(t, f, nil, change...)
}

// openReady starts both; ready is the coordinator's readiness.
func openReady(t testing.TB, f *fake, ready func() error, change ...func(*gateway.Options)) *house {
	t.Helper()
	n := rpc.NewMemory()
	l, err := n.Listen(coordinatorAddr)
	if err != nil {
		t.Fatal(err)
	}
	server, err := rpc.NewServer(rpc.ServerOptions{Name: "coordinator", Validate: true, Ready: ready, Access: cmp.Or(f.access, rpc.Open())}, f.register)
	if err != nil {
		t.Fatal(err)
	}
	background(t, func(ctx context.Context) error { return server.Serve(ctx, l) })
	return openAlone(t, n, change...)
}

// unless is a readiness: the server is ready unless ill is set.
func unless(ill *atomic.Bool) func() error {
	return func() error {
		if ill.Load() {
			return errors.New("it is ill")
		}
		return nil
	}
}

// openAlone starts only a gateway.
func openAlone(t testing.TB, n *rpc.Memory, change ...func(*gateway.Options)) *house {
	t.Helper()
	l, err := n.Listen(gatewayAddr)
	if err != nil {
		t.Fatal(err)
	}
	o := gateway.Options{
		Coordinator: coordinatorAddr, Client: rpc.ClientOptions{Network: n},
		Listeners: []net.Listener{l}, OpenAPI: jetmon.OpenAPI,
	}
	for _, c := range change {
		c(&o)
	}
	g, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, network: n, base: "http://" + gatewayAddr, gateway: g}
	h.stop, h.ended = background(t, g.Run)
	transport := &http.Transport{
		DisableCompression: true,
		DialContext:        func(ctx context.Context, _, addr string) (net.Conn, error) { return n.DialContext(ctx, addr) },
	}
	t.Cleanup(transport.CloseIdleConnections)
	h.client = &http.Client{Transport: transport}
	return h
}

// background runs f until the test ends; then f must return nil.
func background(t testing.TB, f func(context.Context) error) (stop context.CancelFunc, ended func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	ended = sync.OnceValue(func() error { return <-done })
	t.Cleanup(func() {
		cancel()
		if err := ended(); err != nil {
			t.Error(err)
		}
	})
	return cancel, ended
}

// answer is an HTTP response as a REST client sees it.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// message returns what an error says. In WordPress's shape its parameters say the most.
func (a answer) message() string {
	s, _ := a.json["message"].(string)
	if _, params, ok := a.wordPress(); ok && len(params) > 0 {
		s = fmt.Sprint(slices.Sorted(maps.Values(params)))
	}
	return s
}

// wordPress returns the code of an error in WordPress's shape, and what it says of parameters.
func (a answer) wordPress() (code string, params map[string]string, ok bool) {
	data, _ := a.json["data"].(map[string]any)
	code, isText := a.json["code"].(string)
	if !isText || data["status"] != float64(a.status) || len(a.json) != 3 {
		return "", nil, false
	}
	params = map[string]string{}
	all, _ := data["params"].(map[string]any)
	for name, text := range all {
		params[name], _ = text.(string)
	}
	return code, params, true
}

// isError reports whether an answer is a google.rpc.Status, or an error in WordPress's shape.
func (a answer) isError() bool {
	if code, _, ok := a.wordPress(); ok {
		return code != ""
	}
	_, hasDetails := a.json["details"].([]any)
	code, _ := a.json["code"].(float64)
	return code != 0 && hasDetails && len(a.json) == 3
}

// field returns the first field that the details name.
func (a answer) field() string {
	if _, params, ok := a.wordPress(); ok {
		for _, text := range params {
			name, _, _ := strings.Cut(text, ": ")
			return name
		}
	}
	details, _ := a.json["details"].([]any)
	if len(details) == 0 {
		return ""
	}
	bad, _ := details[0].(map[string]any)
	violations, _ := bad["field_violations"].([]any)
	if len(violations) == 0 {
		return ""
	}
	first, _ := violations[0].(map[string]any)
	name, _ := first["field"].(string)
	return name
}

func (h *house) get(path string) answer {
	h.t.Helper()
	return h.send(http.MethodGet, path, "")
}

// send sends a body as JSON; header is pairs of names and values to send with it.
func (h *house) send(method, path, body string, header ...string) answer {
	h.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, h.base+path, reader)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	req.Host = req.Header.Get("Host") // "" means that of the URL
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	if len(raw) > 0 && resp.Header.Get("Content-Type") == "application/json" {
		if err := json.Unmarshal(raw, &a.json); err != nil {
			h.t.Fatalf("%s %s: %d is not a JSON object: %v\n%s", method, path, a.status, err, raw)
		}
	}
	return a
}

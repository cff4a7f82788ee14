package coordinator_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/api"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/rpc"
)

// guarded starts a coordinator that asks who calls, and knows a token of each role: its name
// and "-token".
func guarded(t *testing.T) *rig {
	t.Helper()
	return guardedWith(t, func(*coordinator.Options) {})
}

// guardedWith is guarded with other options.
func guardedWith(t *testing.T, edit func(*coordinator.Options)) *rig {
	t.Helper()
	var roles []access.RoleToken
	for _, role := range access.Roles() {
		roles = append(roles, access.RoleToken{Role: role, Token: string(role) + "-token"})
	}
	roles = append(roles, access.RoleToken{Role: access.Checker, Name: "c1", Token: "c1-token"})
	return startWith(t, func(o *coordinator.Options) {
		o.Server.Access = rpc.NewAuthorizer(rpc.AuthorizerOptions{Roles: roles})
		o.Diagnoser = diagnoserFunc(func(context.Context, jetpack.Target) (*jetpack.Report, error) { return &jetpack.Report{}, nil })
		edit(o)
	})
}

// token makes a token of the API and returns its secret.
func (r *rig) token(t *testing.T, blogs []int64, scopes ...string) string {
	t.Helper()
	made, err := api.CreateToken(t.Context(), r.store, api.Deed{Caller: "test"}, &monitorv1.Token{Name: "t", Scopes: scopes, BlogIds: blogs})
	if err != nil {
		t.Fatal(err)
	}
	return made.GetSecret()
}

// as returns the context of a caller with a token.
func as(t *testing.T, token string) context.Context {
	t.Helper()
	if token == "" {
		return t.Context()
	}
	return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
}

// mayCall says who may call what, a second time: by RPC the scopes and roles.
var mayCall = map[string]string{
	"/jetmon.monitor.v1.SiteService/ListSites":     "sites:read coordinator",
	"/jetmon.monitor.v1.SiteService/GetSite":       "sites:read",
	"/jetmon.monitor.v1.SiteService/BatchGetSites": "sites:read coordinator",
	"/jetmon.monitor.v1.SiteService/ExplainSite":   "sites:read coordinator",
	"/jetmon.monitor.v1.SiteService/CreateSite":    "sites:write coordinator",
	"/jetmon.monitor.v1.SiteService/UpdateSite":    "sites:write coordinator",
	"/jetmon.monitor.v1.SiteService/DeleteSite":    "sites:write coordinator",
	"/jetmon.monitor.v1.SiteService/PauseSite":     "sites:write coordinator",
	"/jetmon.monitor.v1.SiteService/ResumeSite":    "sites:write coordinator",
	"/jetmon.monitor.v1.SiteService/CheckSite":     "checks:run coordinator",
	"/jetmon.monitor.v1.SiteService/ImportSites":   "sites:write",
	"/jetmon.monitor.v1.SiteService/ExportSites":   "sites:read",

	"/jetmon.monitor.v1.DiagnosisService/DiagnoseSite": "checks:run",

	"/jetmon.monitor.v1.AdvisoryService/ListAdvisories": "sites:read",

	"/jetmon.monitor.v1.BadgeService/GetBadge": "anybody",

	"/jetmon.wpcom.v1.ProtectDashboardService/GetProtectUptime": "sites:read",
	"/jetmon.wpcom.v1.JetpackAgencyService/ListAgencySites":     "sites:read",

	"/jetmon.monitor.v1.HistoryService/GetSiteHistory":      "sites:read",
	"/jetmon.monitor.v1.HistoryService/ExportSiteHistory":   "sites:read",
	"/jetmon.monitor.v1.HistoryService/GetSiteUptime":       "sites:read",
	"/jetmon.monitor.v1.HistoryService/BatchGetSiteUptimes": "sites:read",
	"/jetmon.monitor.v1.HistoryService/GetFleetHistory":     "fleet:read",

	"/jetmon.monitor.v1.IncidentService/ListIncidents":       "fleet:read",
	"/jetmon.monitor.v1.IncidentService/GetIncident":         "fleet:read",
	"/jetmon.monitor.v1.IncidentService/ListIncidentMembers": "fleet:read",

	"/jetmon.monitor.v1.MaintenanceService/ListMaintenances":       "sites:read",
	"/jetmon.monitor.v1.MaintenanceService/GetMaintenance":         "sites:read",
	"/jetmon.monitor.v1.MaintenanceService/GetMaintenanceCalendar": "sites:read",
	"/jetmon.monitor.v1.MaintenanceService/CreateMaintenance":      "sites:write",
	"/jetmon.monitor.v1.MaintenanceService/UpdateMaintenance":      "sites:write",
	"/jetmon.monitor.v1.MaintenanceService/EndMaintenance":         "sites:write",
	"/jetmon.monitor.v1.MaintenanceService/DeleteMaintenance":      "sites:write",

	"/jetmon.monitor.v1.OutageService/ListOutages":  "outages:read",
	"/jetmon.monitor.v1.OutageService/GetOutage":    "outages:read",
	"/jetmon.monitor.v1.OutageService/ReplayOutage": "outages:read",

	"/jetmon.monitor.v1.OutageService/ListOutageNotices": "outages:read",

	"/jetmon.monitor.v1.FleetService/GetFleet": "fleet:read coordinator",

	"/jetmon.monitor.v1.ChangeService/WatchChanges": "outages:read",

	"/jetmon.monitor.v1.AccessService/GetCaller": strings.Join(access.AllScopes(), " "),

	"/jetmon.monitor.v1.AccessService/CreateToken":      "",
	"/jetmon.monitor.v1.AccessService/GetToken":         "",
	"/jetmon.monitor.v1.AccessService/ListTokens":       "",
	"/jetmon.monitor.v1.AccessService/RevokeToken":      "",
	"/jetmon.monitor.v1.AccessService/ListAuditRecords": "",

	"/jetmon.monitor.v1.SubscriptionService/GetSubscription":          "notifications:manage",
	"/jetmon.monitor.v1.SubscriptionService/ListSubscriptions":        "notifications:manage",
	"/jetmon.monitor.v1.SubscriptionService/CreateSubscription":       "notifications:manage",
	"/jetmon.monitor.v1.SubscriptionService/UpdateSubscription":       "notifications:manage",
	"/jetmon.monitor.v1.SubscriptionService/DeleteSubscription":       "notifications:manage",
	"/jetmon.monitor.v1.SubscriptionService/EnableSubscription":       "notifications:manage",
	"/jetmon.monitor.v1.SubscriptionService/DisableSubscription":      "notifications:manage",
	"/jetmon.monitor.v1.SubscriptionService/TestSubscription":         "notifications:manage",
	"/jetmon.monitor.v1.SubscriptionService/RotateSubscriptionSecret": "notifications:manage",
	"/jetmon.monitor.v1.NotificationService/ListNotifications":        "notifications:manage",
	"/jetmon.monitor.v1.NotificationService/GetNotification":          "notifications:manage",
	"/jetmon.monitor.v1.NotificationService/ReplayNotification":       "notifications:manage",
	"/jetmon.monitor.v1.NotificationService/ReplayNotifications":      "notifications:manage",

	"/jetmon.wpcom.v1.JetpackMonitorService/GetJetpackMonitorStatus":      "sites:read",
	"/jetmon.wpcom.v1.JetpackMonitorService/GetJetpackMonitorSettings":    "sites:read",
	"/jetmon.wpcom.v1.JetpackMonitorService/UpdateJetpackMonitorSettings": "sites:write",
	"/jetmon.wpcom.v1.JetpackMonitorService/ListJetpackMonitorIncidents":  "sites:read",
	"/jetmon.wpcom.v1.JetpackMonitorService/GetJetpackMonitorUptime":      "sites:read",

	"/jetmon.coordinator.v1.AssignmentService/StreamAssignments": "checker",

	"/grpc.health.v1.Health/Check": "anybody",
	"/grpc.health.v1.Health/Watch": "anybody",
	"/grpc.health.v1.Health/List":  "anybody",

	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": "anybody",

	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "anybody",
}

func TestWhoMayCallWhat(t *testing.T) {
	t.Parallel()
	r := guarded(t)
	now := time.Now()
	credentials := map[string]struct {
		token  string
		grants []string // scopes and roles
		known  bool
	}{
		"none":                  {},
		"a wrong token":         {token: "jm_wrong"},
		"a token of no scheme":  {token: " "},
		"a veriflier":           {token: "veriflier-token", known: true},
		"a gateway":             {token: "gateway-token", known: true},
		"a caller":              {token: "caller-token", known: true},
		"a checker":             {token: "checker-token", grants: []string{"checker"}, known: true},
		"a checker with a name": {token: "c1-token", grants: []string{"checker"}, known: true},
		"a coordinator":         {token: "coordinator-token", grants: []string{"coordinator"}, known: true},
	}
	for _, scope := range access.AllScopes() {
		c := credentials[scope]
		c.token, c.grants, c.known = r.token(t, nil, scope), []string{scope}, true
		credentials[scope] = c
	}
	for name, spoil := range map[string]func(*record.Token){
		"an expired token": func(k *record.Token) { k.Expires = now.Add(-time.Second) },
		"a revoked token":  func(*record.Token) {},
	} {
		k := record.Token{Name: "t", Hash: access.Hash(name), Scopes: []string{"admin"}, Created: now.Add(-time.Hour)}
		spoil(&k)
		k, err := r.store.CreateToken(t.Context(), k, func(record.Token) record.Audit { return record.Audit{At: now} })
		if err != nil {
			t.Fatal(err)
		}
		if name == "a revoked token" {
			if _, err := api.RevokeToken(t.Context(), r.store, api.Deed{}, k.ID); err != nil {
				t.Fatal(err)
			}
		}
		c := credentials[name]
		c.token = name
		credentials[name] = c
	}
	pairs := 0
	for method, who := range mayCall {
		for name, c := range credentials {
			pairs++
			want := codes.OK
			may := who == "anybody" || slices.ContainsFunc(c.grants, func(g string) bool {
				return slices.Contains(strings.Fields(who), g) || g == "admin" && !strings.Contains(method, "AssignmentService")
			})
			switch {
			case !may && !c.known:
				want = codes.Unauthenticated
			case !may:
				want = codes.PermissionDenied
			}
			got := r.tries(t, as(t, c.token), method)
			if denied := got == codes.Unauthenticated || got == codes.PermissionDenied; denied == may || !may && got != want {
				t.Errorf("%s with %s: %v, want %v", method, name, got, want)
			}
		}
	}
	t.Logf("%d pairs", pairs)
	for _, method := range access.Methods() {
		if _, ok := mayCall[method]; !ok && !strings.HasPrefix(method, "/jetmon.veriflier.") {
			t.Errorf("%s is not in this table", method)
		}
	}
}

// tries calls a method with an empty request, and returns how it ends.
func (r *rig) tries(t *testing.T, ctx context.Context, method string) codes.Code {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	streams := strings.Contains(method, "Stream") || strings.Contains(method, "Reflection") || strings.HasSuffix(method, "Watch") ||
		strings.HasSuffix(method, "/ImportSites") || strings.HasSuffix(method, "/ExportSites") || strings.HasSuffix(method, "/WatchChanges")
	if !streams {
		return status.Code(r.conn.Invoke(ctx, method, &emptypb.Empty{}, &emptypb.Empty{}))
	}
	st, err := r.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err == nil {
		_ = st.SendMsg(&emptypb.Empty{}) // it may have been refused already: Recv says what there is to say
		_ = st.CloseSend()
		err = st.RecvMsg(&emptypb.Empty{})
	}
	return status.Code(err)
}

func TestAnotherBlogsSitesDoNotExist(t *testing.T) {
	t.Parallel()
	r := guarded(t)
	admin, mine := r.token(t, nil, "admin"), r.token(t, []int64{7, 9}, "sites:read", "sites:write", "outages:read", "checks:run")
	sites, outages := monitorv1.NewSiteServiceClient(r.conn), monitorv1.NewOutageServiceClient(r.conn)
	ids := map[int64]int64{}
	for _, blog := range []int64{7, 8, 9, 10} {
		made, err := sites.CreateSite(as(t, admin), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: blog, Url: fmt.Sprintf("http://b%d.example/", blog)}})
		if err != nil {
			t.Fatal(err)
		}
		ids[blog] = made.GetSite().GetSiteId()
	}
	list, err := sites.ListSites(as(t, mine), &monitorv1.ListSitesRequest{})
	if err != nil || len(list.GetSites()) != 2 || list.GetSites()[0].GetBlogId() != 7 || list.GetSites()[1].GetBlogId() != 9 {
		t.Errorf("lists %v, %v", list.GetSites(), err)
	}
	first, err := sites.ListSites(as(t, mine), &monitorv1.ListSitesRequest{PageSize: 1})
	if err != nil || len(first.GetSites()) != 1 || first.GetNextPageToken() == "" {
		t.Fatalf("a page of one: %v, %v", first, err)
	}
	second, err := sites.ListSites(as(t, mine), &monitorv1.ListSitesRequest{PageSize: 1, PageToken: first.GetNextPageToken()})
	if err != nil || len(second.GetSites()) != 1 || second.GetSites()[0].GetBlogId() != 9 || second.GetNextPageToken() != "" {
		t.Errorf("the second page: %v, %v", second, err)
	}
	if other, err := sites.ListSites(as(t, mine), &monitorv1.ListSitesRequest{BlogId: 8}); err != nil || len(other.GetSites()) != 0 {
		t.Errorf("of another blog: %v, %v", other, err)
	}
	batch, err := sites.BatchGetSites(as(t, mine), &monitorv1.BatchGetSitesRequest{SiteIds: []int64{ids[8], ids[9], ids[10]}})
	if err != nil || len(batch.GetSites()) != 1 || batch.GetSites()[0].GetBlogId() != 9 {
		t.Errorf("a batch: %v, %v", batch, err)
	}
	// Who says to be a coordinator must prove it.
	forged := metadata.AppendToOutgoingContext(as(t, mine), "jetmon-forwarded", "coordinator", "jetmon-behalf-bin", `{"Open":true}`)
	if got, err := sites.BatchGetSites(forged, &monitorv1.BatchGetSitesRequest{SiteIds: []int64{ids[8]}}); err != nil || len(got.GetSites()) != 0 {
		t.Errorf("a forged coordinator: %v, %v", got, err)
	}
	for name, call := range map[string]func(ctx context.Context, id int64) error{
		"get": func(ctx context.Context, id int64) error {
			_, err := sites.GetSite(ctx, &monitorv1.GetSiteRequest{SiteId: id})
			return err
		},
		"explain": func(ctx context.Context, id int64) error {
			_, err := sites.ExplainSite(ctx, &monitorv1.ExplainSiteRequest{SiteId: id})
			return err
		},
		"explain of the past": func(ctx context.Context, id int64) error {
			_, err := sites.ExplainSite(ctx, &monitorv1.ExplainSiteRequest{SiteId: id, At: timestamppb.Now()})
			return err
		},
		"update": func(ctx context.Context, id int64) error {
			_, err := sites.UpdateSite(ctx, &monitorv1.UpdateSiteRequest{Site: &monitorv1.Site{SiteId: id, CheckInterval: durationpb.New(time.Minute)}})
			return err
		},
		"delete": func(ctx context.Context, id int64) error {
			_, err := sites.DeleteSite(ctx, &monitorv1.DeleteSiteRequest{SiteId: id})
			return err
		},
		"diagnose": func(ctx context.Context, id int64) error {
			_, err := monitorv1.NewDiagnosisServiceClient(r.conn).DiagnoseSite(ctx, &monitorv1.DiagnoseSiteRequest{SiteId: id})
			return err
		},
	} {
		theirs, missing := status.Convert(call(as(t, mine), ids[8])), status.Convert(call(as(t, mine), ids[8]+1_000_000))
		if theirs.Code() != codes.NotFound || strings.ReplaceAll(theirs.Message(), fmt.Sprint(ids[8]), "N") != strings.ReplaceAll(missing.Message(), fmt.Sprint(ids[8]+1_000_000), "N") {
			t.Errorf("%s of another blog's site: %v; of none: %v", name, theirs, missing)
		}
	}
	if _, err := sites.CreateSite(as(t, mine), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: 8, Url: "http://new.example/"}}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a new site of another blog: %v", err)
	}
	move := &monitorv1.UpdateSiteRequest{Site: &monitorv1.Site{SiteId: ids[7], BlogId: 8}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"blog_id"}}}
	if _, err := sites.UpdateSite(as(t, mine), move); status.Code(err) != codes.PermissionDenied {
		t.Errorf("giving a site to another blog: %v", err)
	}
	if _, err := sites.UpdateSite(as(t, mine), &monitorv1.UpdateSiteRequest{Site: &monitorv1.Site{SiteId: ids[7], CheckInterval: durationpb.New(time.Minute)}}); err != nil {
		t.Errorf("an own site: %v", err)
	}
	r.monitorsOwnBlogs(t, as(t, mine))
	theirs, own := r.outage(t, ids[8]), r.outage(t, ids[7])
	open, err := outages.ListOutages(as(t, mine), &monitorv1.ListOutagesRequest{})
	if err != nil || len(open.GetOutages()) != 1 || open.GetOutages()[0].GetOutageId() != own {
		t.Errorf("outages %v, %v", open, err)
	}
	if _, err := outages.GetOutage(as(t, mine), &monitorv1.GetOutageRequest{OutageId: own}); err != nil {
		t.Error(err)
	}
	if _, err := outages.GetOutage(as(t, mine), &monitorv1.GetOutageRequest{OutageId: theirs}); status.Code(err) != codes.NotFound {
		t.Errorf("another blog's outage: %v", err)
	}
	if _, err := outages.ReplayOutage(as(t, mine), &monitorv1.ReplayOutageRequest{OutageId: theirs}); status.Code(err) != codes.NotFound {
		t.Errorf("the replay of another blog's outage: %v", err)
	}
	r.remarksOfOwnBlogs(t, ids[7], ids[8], as(t, mine))
	r.maintainsOwnBlogs(t, ids[7], ids[8], as(t, mine))
}

// remarksOfOwnBlogs has both sites remarked, of which only the first is in a blog of the caller.
func (r *rig) remarksOfOwnBlogs(t *testing.T, own, theirs int64, ctx context.Context) {
	t.Helper()
	for _, id := range []int64{own, theirs} {
		row, fence := r.row(t, id)
		remark := record.Remark{SiteID: row.ID, BlogID: row.BlogID, Bucket: row.Bucket, URL: row.URL, Advisory: check.AdvisorySlow, Open: true, At: time.Now()}
		if err := r.store.Remark(t.Context(), fence, []record.Remark{remark}); err != nil {
			t.Fatal(err)
		}
	}
	c := monitorv1.NewAdvisoryServiceClient(r.conn)
	for name, req := range map[string]*monitorv1.ListAdvisoriesRequest{
		"all": {}, "of both blogs' kind": {Advisory: checkv1.Advisory_ADVISORY_SLOW}, "of the own blog": {BlogId: 7},
	} {
		if resp, err := c.ListAdvisories(ctx, req); err != nil || len(resp.GetAdvisories()) != 1 || resp.GetAdvisories()[0].GetSiteId() != own {
			t.Errorf("remarks, %s: %v, %v", name, resp, err)
		}
	}
	for name, req := range map[string]*monitorv1.ListAdvisoriesRequest{
		"of another blog": {BlogId: 8}, "of its site": {SiteId: theirs},
	} {
		if resp, err := c.ListAdvisories(ctx, req); err != nil || len(resp.GetAdvisories()) != 0 {
			t.Errorf("remarks, %s: %v, %v", name, resp, err)
		}
	}
}

// monitorsOwnBlogs asks WordPress.com's questions of the blogs 7 and 9, which are the caller's,
// and of 8 and 10.
func (r *rig) monitorsOwnBlogs(t *testing.T, ctx context.Context) {
	t.Helper()
	c := wpcomv1.NewJetpackMonitorServiceClient(r.conn)
	calls := map[string]func(site string) error{
		"status": func(site string) error {
			_, err := c.GetJetpackMonitorStatus(ctx, &wpcomv1.GetJetpackMonitorStatusRequest{Site: site})
			return err
		},
		"settings": func(site string) error {
			_, err := c.GetJetpackMonitorSettings(ctx, &wpcomv1.GetJetpackMonitorSettingsRequest{Site: site})
			return err
		},
		"new settings": func(site string) error {
			_, err := c.UpdateJetpackMonitorSettings(ctx, &wpcomv1.UpdateJetpackMonitorSettingsRequest{Site: site, Settings: &wpcomv1.JetpackMonitorSettings{EmailNotifications: proto.Bool(true)}})
			return err
		},
		"incidents": func(site string) error {
			_, err := c.ListJetpackMonitorIncidents(ctx, &wpcomv1.ListJetpackMonitorIncidentsRequest{Site: site})
			return err
		},
		"uptime": func(site string) error {
			_, err := c.GetJetpackMonitorUptime(ctx, &wpcomv1.GetJetpackMonitorUptimeRequest{Site: site})
			return err
		},
	}
	protect := wpcomv1.NewProtectDashboardServiceClient(r.conn)
	calls["protect"] = func(site string) error {
		_, err := protect.GetProtectUptime(ctx, &wpcomv1.GetProtectUptimeRequest{Site: site})
		return err
	}
	agency, err := wpcomv1.NewJetpackAgencyServiceClient(r.conn).ListAgencySites(ctx, &wpcomv1.ListAgencySitesRequest{BlogIds: []int64{10, 9, 8, 7}})
	if err != nil || agency.GetTotal() != 2 || agency.GetPerPage() != 4 || len(agency.GetSites()) != 2 || agency.GetSites()[0].GetBlogId() != 7 || agency.GetSites()[1].GetBlogId() != 9 {
		t.Errorf("an agency's sites: %v, %v", agency, err)
	}
	for name, call := range calls {
		for site, want := range map[string]codes.Code{"7": codes.OK, "b9.example": codes.OK, "8": codes.NotFound, "b10.example": codes.NotFound} {
			if err := call(site); status.Code(err) != want || want == codes.NotFound && status.Convert(err).Message() != fmt.Sprintf("site: no monitored site is %q", site) {
				t.Errorf("%s of %s: %v, want %v", name, site, err, want)
			}
		}
	}
	put := &wpcomv1.JetpackMonitorSettings{Urls: []*wpcomv1.JetpackMonitorUrl{{MonitorUrl: "http://b8.example/"}}}
	if _, err := c.UpdateJetpackMonitorSettings(ctx, &wpcomv1.UpdateJetpackMonitorSettingsRequest{Site: "8", Settings: put}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("URLs of another blog: %v", err)
	}
}

// row reads a site, and the fence of its shard.
func (r *rig) row(t *testing.T, site int64) (record.Site, shard.Fence) {
	t.Helper()
	row, err := r.store.Site(t.Context(), check.SiteID(site))
	if err != nil {
		t.Fatal(err)
	}
	return row, r.fenceOf(t, row)
}

// outage has a site go down and returns its outage.
func (r *rig) outage(t *testing.T, site int64) int64 {
	t.Helper()
	row, fence := r.row(t, site)
	now := time.Now()
	results, err := r.store.CommitAll(t.Context(), fence, []record.Change{{
		Key: fmt.Sprintf("down-%d", site), SiteID: row.ID, BlogID: row.BlogID, Bucket: row.Bucket, URL: row.URL,
		From: check.StatusRunning, To: check.StatusDown, Start: now, At: now,
	}})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	return results[0].Committed.OutageID
}

func TestATokenIsManagedByTheAPI(t *testing.T) {
	t.Parallel()
	r := guarded(t)
	admin := as(t, r.token(t, nil, "admin"))
	tokens := monitorv1.NewAccessServiceClient(r.conn)
	made, err := tokens.CreateToken(admin, &monitorv1.CreateTokenRequest{Token: &monitorv1.Token{
		Name: "deploy", Scopes: []string{"sites:read"}, TokenId: 99, Creator: "me", ExpireTime: timestamppb.New(time.Now().Add(time.Hour)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := tokens.GetToken(admin, &monitorv1.GetTokenRequest{TokenId: made.GetToken().GetTokenId()}); err != nil || !proto.Equal(kept.GetToken(), made.GetToken()) {
		t.Errorf("made %v, kept %v, %v", made.GetToken(), kept, err)
	}
	if k := made.GetToken(); k.GetTokenId() == 99 || k.GetCreator() != "token 1 (t)" || len(made.GetSecret()) != 55 || !strings.HasPrefix(made.GetSecret(), "jm_") {
		t.Errorf("made %v", made)
	}
	list := func() codes.Code {
		_, err := monitorv1.NewSiteServiceClient(r.conn).ListSites(as(t, made.GetSecret()), &monitorv1.ListSitesRequest{})
		return status.Code(err)
	}
	if got := list(); got != codes.OK {
		t.Errorf("with the new token: %v", got)
	}
	for range 2 {
		gone, err := tokens.RevokeToken(admin, &monitorv1.RevokeTokenRequest{TokenId: made.GetToken().GetTokenId()})
		if err != nil || gone.GetToken().GetRevokeTime() == nil {
			t.Errorf("revoked: %v, %v", gone, err)
		}
		if got := list(); got != codes.Unauthenticated {
			t.Errorf("with the revoked token: %v", got)
		}
	}
	all, err := tokens.ListTokens(admin, &monitorv1.ListTokensRequest{})
	if err != nil || len(all.GetTokens()) != 2 {
		t.Errorf("listed %v, %v", all, err)
	}
	for field, bad := range map[string]*monitorv1.Token{
		"token.name":        {Name: "a b", Scopes: []string{"sites:read"}},
		"token.scopes[1]":   {Name: "a", Scopes: []string{"sites:read", "sites:own"}},
		"token.scopes":      {Name: "a", Scopes: []string{"sites:read", "fleet:read"}, BlogIds: []int64{7}},
		"token.expire_time": {Name: "a", Scopes: []string{"sites:read"}, ExpireTime: timestamppb.New(time.Now().Add(-time.Second))},
	} {
		if _, err := tokens.CreateToken(admin, &monitorv1.CreateTokenRequest{Token: bad}); status.Code(err) != codes.InvalidArgument || fieldOf(err) != field {
			t.Errorf("%s: %v names %q", field, err, fieldOf(err))
		}
	}
}

// Each RPC that edits leaves a record of who did what.
func TestEveryEditIsOnRecord(t *testing.T) {
	t.Parallel()
	r := guardedWith(t, tellingHere(t))
	secret := r.token(t, nil, "admin")
	admin := metadata.AppendToOutgoingContext(as(t, secret), "x-request-id", "request-1")
	sites, tokens := monitorv1.NewSiteServiceClient(r.conn), monitorv1.NewAccessServiceClient(r.conn)
	made, err := sites.CreateSite(admin, &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: 7, Url: "http://a.example/"}})
	if err != nil {
		t.Fatal(err)
	}
	id := made.GetSite().GetSiteId()
	change := &monitorv1.UpdateSiteRequest{Site: &monitorv1.Site{SiteId: id, CheckInterval: durationpb.New(time.Minute), Tags: []string{"b", "a"}, Settings: &monitorv1.CheckSettings{RequiredTexts: []string{"hello"}}}}
	for range 2 { // the second changes nothing, and leaves no record
		if _, err := sites.UpdateSite(admin, change); err != nil {
			t.Fatal(err)
		}
	}
	other, err := sites.CreateSite(admin, &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: 7, Url: "http://b.example/"}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second pause changes nothing
		if _, err := sites.PauseSite(admin, &monitorv1.PauseSiteRequest{SiteId: other.GetSite().GetSiteId()}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sites.ResumeSite(admin, &monitorv1.ResumeSiteRequest{SiteId: other.GetSite().GetSiteId()}); err != nil {
		t.Fatal(err)
	}
	if _, err := sites.DeleteSite(admin, &monitorv1.DeleteSiteRequest{SiteId: id}); err != nil {
		t.Fatal(err)
	}
	key, err := tokens.CreateToken(admin, &monitorv1.CreateTokenRequest{Token: &monitorv1.Token{Name: "x", Scopes: []string{"sites:read"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.RevokeToken(admin, &monitorv1.RevokeTokenRequest{TokenId: key.GetToken().GetTokenId()}); err != nil {
		t.Fatal(err)
	}
	r.monitorOnRecord(t, admin)
	r.subscriptionsOnRecord(t, admin)
	r.maintenancesOnRecord(t, admin)
	r.toldAgainOnRecord(t, admin)
	r.imports(t, admin, "http://imported.example/")
	site := fmt.Sprintf("sites/%d", id)
	got, err := tokens.ListAuditRecords(admin, &monitorv1.ListAuditRecordsRequest{Resource: site})
	if err != nil {
		t.Fatal(err)
	}
	created := fmt.Sprintf(`{"site_id":"%d","blog_id":"7","url":"http://a.example/","check_interval":"300s","settings":{}}`, id)
	changed := fmt.Sprintf(`{"site_id":"%d","blog_id":"7","url":"http://a.example/","check_interval":"60s","settings":{"required_texts":["hello"]},"tags":["a","b"]}`, id)
	want := []struct{ method, before, after string }{
		{"DeleteSite", changed, ""}, {"UpdateSite", created, changed}, {"CreateSite", "", created},
	}
	if len(got.GetRecords()) != len(want) {
		t.Fatalf("%d records: %v", len(got.GetRecords()), got.GetRecords())
	}
	for i, a := range got.GetRecords() {
		if a.GetMethod() != "jetmon.monitor.v1.SiteService/"+want[i].method || a.GetBefore() != want[i].before || a.GetAfter() != want[i].after ||
			a.GetCaller() != "token 1 (t)" || a.GetRequestId() != "request-1" || time.Since(a.GetRecordTime().AsTime()) > time.Minute {
			t.Errorf("record %d is %v, want %v", i, a, want[i])
		}
	}
	edited := map[string]bool{}
	all, err := r.store.ListAudit(t.Context(), store.AuditQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		edited["/"+a.Method] = true
		if strings.Contains(a.Before+a.After, key.GetSecret()) || strings.Contains(a.Before+a.After, secret) {
			t.Errorf("a secret is on record: %+v", a)
		}
	}
	for _, method := range access.Methods() {
		if rule, _ := access.RuleOf(method); rule.Edits && !edited[method] {
			t.Errorf("%s left no record", method)
		}
	}
}

// imports adds a site as an import does.
func (r *rig) imports(t *testing.T, ctx context.Context, url string) {
	t.Helper()
	st, err := monitorv1.NewSiteServiceClient(r.conn).ImportSites(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Send(&monitorv1.ImportSitesRequest{Site: &monitorv1.Site{BlogId: 7, Url: url}}); err != nil {
		t.Fatal(err)
	}
	if err := st.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if resp, err := st.Recv(); err != nil || resp.GetResult() != monitorv1.ImportResult_IMPORT_RESULT_CREATED {
		t.Fatal(resp, err)
	}
}

// monitorOnRecord edits a blog as WordPress.com does: each URL is on record as an edit of a site,
// and what is kept of the blog as one of the blog.
func (r *rig) monitorOnRecord(t *testing.T, admin context.Context) {
	t.Helper()
	post := func(s *wpcomv1.JetpackMonitorSettings) {
		t.Helper()
		if _, err := wpcomv1.NewJetpackMonitorServiceClient(r.conn).UpdateJetpackMonitorSettings(admin, &wpcomv1.UpdateJetpackMonitorSettingsRequest{Site: "9", Settings: s}); err != nil {
			t.Fatal(err)
		}
	}
	two := []*wpcomv1.JetpackMonitorUrl{{MonitorUrl: "http://one.example/"}, {MonitorUrl: "http://two.example/", CheckInterval: proto.Uint32(1)}}
	post(&wpcomv1.JetpackMonitorSettings{Urls: two, SmsNotifications: proto.Bool(true)})
	post(&wpcomv1.JetpackMonitorSettings{Urls: two, SmsNotifications: proto.Bool(true)}) // changes nothing
	post(&wpcomv1.JetpackMonitorSettings{Urls: two[:1], MonitorActive: proto.Bool(false)})
	all, err := r.store.ListAudit(t.Context(), store.AuditQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, a := range slices.Backward(all) {
		if a.RequestID == "request-1" && strings.Contains(a.Before+a.After, `"blog_id":"9"`) || strings.HasPrefix(a.Resource, "blogs/") {
			did = append(did, a.Method[strings.LastIndex(a.Method, "/")+1:])
		}
	}
	if want := []string{"CreateSite", "CreateSite", "UpdateJetpackMonitorSettings", "UpdateSite", "DeleteSite"}; !slices.Equal(did, want) {
		t.Errorf("on record are %v, want %v", did, want)
	}
	kept, err := r.store.ListAudit(t.Context(), store.AuditQuery{Limit: 10, Resource: "blogs/9/monitor-settings"})
	if err != nil || len(kept) != 1 || !strings.Contains(kept[0].Before, `"sms_notifications":false`) || !strings.Contains(kept[0].After, `"sms_notifications":true`) || kept[0].Caller != "token 1 (t)" {
		t.Errorf("of the blog is on record: %+v, %v", kept, err)
	}
}

func TestACheckerIsTheNodeOfItsCredentials(t *testing.T) {
	t.Parallel()
	r := guarded(t)
	for _, c := range []struct {
		token, node string
		want        codes.Code
	}{
		{"c1-token", "c1", codes.OK}, {"c1-token", "c2", codes.PermissionDenied}, {"checker-token", "c2", codes.OK},
		{"coordinator-token", "c3", codes.PermissionDenied}, {"", "c3", codes.Unauthenticated},
	} {
		st, err := coordinatorv1.NewAssignmentServiceClient(r.conn).StreamAssignments(as(t, c.token))
		if err != nil {
			t.Fatal(err)
		}
		say(t, st, hello(func(h *coordinatorv1.Hello) { h.Node = c.node }))
		if _, err := st.Recv(); status.Code(err) != c.want {
			t.Errorf("%s as %s: %v, want %v", c.token, c.node, err, c.want)
		}
	}
}

func TestTheSessionOfACheckerEndsWithItsToken(t *testing.T) {
	t.Parallel()
	var accepted *rpc.Authorizer
	r := guardedWith(t, func(o *coordinator.Options) { accepted = o.Server.Access })
	st, err := coordinatorv1.NewAssignmentServiceClient(r.conn).StreamAssignments(as(t, "c1-token"))
	if err != nil {
		t.Fatal(err)
	}
	say(t, st, hello(func(h *coordinatorv1.Hello) { h.Node = "c1" }))
	hear(t, st)
	accepted.SetRoles([]access.RoleToken{{Role: access.Checker, Name: "c1", Token: "another-token"}})
	if _, err := st.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("the session ends with %v", err)
	}
}

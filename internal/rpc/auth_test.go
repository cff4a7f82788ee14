package rpc_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// secret is the token of a role.
const secret = "0123456789abcdef0123456789abcdef"

// onlyFor returns an Authorizer that knows one token, of a role.
func onlyFor(role access.Role, token string) *rpc.Authorizer {
	return rpc.NewAuthorizer(rpc.AuthorizerOptions{Roles: []access.RoleToken{{Role: role, Token: token}}})
}

// keys are tokens of the API.
type keys map[string]access.Caller

func (k keys) Caller(_ context.Context, token string) (access.Caller, error) {
	if c, ok := k[token]; ok {
		return c, nil
	}
	return access.Caller{}, fault.New(fault.Unauthenticated, "not accepted")
}

// seen makes a service whose Verify and stream tell who calls.
func seen(got *access.Caller) *service {
	return &service{
		verify: func(ctx context.Context, _ *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
			*got = access.From(ctx)
			return &veriflierv1.VerifyResponse{}, nil
		},
		stream: func(s coordinatorv1.AssignmentService_StreamAssignmentsServer) error {
			*got = access.From(s.Context())
			return status.Error(codes.OutOfRange, "inside")
		},
	}
}

// create calls CreateSite, which takes sites:write.
func (r *running) create(ctx context.Context) error {
	_, err := monitorv1.NewSiteServiceClient(r).CreateSite(ctx, &monitorv1.CreateSiteRequest{})
	return err
}

// streamed opens the stream of checkers, and returns how it ends.
func (r *running) streamed(ctx context.Context) error {
	s, err := coordinatorv1.NewAssignmentServiceClient(r).StreamAssignments(ctx)
	if err != nil {
		return err
	}
	_, err = s.Recv()
	return err
}

func TestATokenIsGoodForWhatItsRoleOrScopesAllow(t *testing.T) {
	t.Parallel()
	roles := []access.RoleToken{
		{Role: access.Coordinator, Token: "coordinator-token"}, {Role: access.Checker, Name: "checker-1", Token: "checker-token"},
		{Role: access.Gateway, Token: "gateway-token"}, {Role: access.Asker, Token: "asker-token"}, {Role: access.Veriflier, Token: "veriflier-token"},
	}
	api := keys{
		"jm_write": {TokenID: 1, Scopes: access.SitesWrite}, "jm_read": {TokenID: 2, Scopes: access.SitesRead}, "jm_admin": {TokenID: 3, Scopes: access.Admin},
	}
	const ok, inside, denied, unknown = codes.OK, codes.OutOfRange, codes.PermissionDenied, codes.Unauthenticated
	for header, want := range map[string]struct{ verify, create, stream codes.Code }{
		"":                         {unknown, unknown, unknown},
		"Bearer wrong":             {unknown, unknown, unknown},
		"Bearer ":                  {unknown, unknown, unknown},
		"Bearer coordinator-toke":  {unknown, unknown, unknown},
		"Basic coordinator-token":  {unknown, unknown, unknown},
		"coordinator-token":        {unknown, unknown, unknown},
		"Bearercoordinator-token":  {unknown, unknown, unknown},
		"Bearer coordinator-token": {ok, ok, denied}, // it edits on behalf of others
		"bEARER  asker-token ":     {ok, denied, denied},
		"Bearer checker-token":     {denied, denied, inside},
		"Bearer veriflier-token":   {denied, denied, denied},
		"Bearer gateway-token":     {denied, denied, denied},
		"Bearer jm_write":          {denied, ok, denied},
		"Bearer jm_read":           {denied, denied, denied},
		"Bearer jm_admin":          {denied, ok, denied},
	} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			var got access.Caller
			r := run(t, seen(&got), rpc.ServerOptions{Access: rpc.NewAuthorizer(rpc.AuthorizerOptions{Roles: roles, Keys: api})}, rpc.ClientOptions{})
			ctx := t.Context()
			if header != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "Authorization", header) // as grpcurl -H sends it
			}
			if _, err := r.verify(ctx); status.Code(err) != want.verify {
				t.Errorf("Verify: %v, want %v", err, want.verify)
			}
			if err := r.create(ctx); status.Code(err) != want.create {
				t.Errorf("CreateSite: %v, want %v", err, want.create)
			}
			if err := r.streamed(ctx); status.Code(err) != want.stream {
				t.Errorf("StreamAssignments: %v, want %v", err, want.stream)
			}
			if _, err := grpc_health_v1.NewHealthClient(r).Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err != nil {
				t.Errorf("health: %v", err)
			}
		})
	}
}

func TestAServerThatDoesNotSayWhoMayCallIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := rpc.NewServer(rpc.ServerOptions{}, (&service{}).register); err == nil {
		t.Error("a server without an Authorizer was made")
	}
	stranger := &grpc.ServiceDesc{
		ServiceName: "jetmon.monitor.v1.SiteService", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "PurgeSites"}},
	}
	_, err := rpc.NewServer(rpc.ServerOptions{Access: rpc.Open()}, func(r grpc.ServiceRegistrar) { r.RegisterService(stranger, nil) })
	if err == nil {
		t.Error("a server was made with an RPC that has no rule")
	}
}

func TestACertificateProvesARoleAndAName(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, "ours")
	server := ours.issue(t, "server")
	api := keys{"jm_write": {TokenID: 1, Name: "deploy", Scopes: access.SitesWrite}}
	for name, c := range map[string]struct {
		uri, token string
		verify     codes.Code
		stream     codes.Code
		caller     access.Caller
	}{
		"a checker":                      {"spiffe://jetmon/checker/c1", "", codes.PermissionDenied, codes.OutOfRange, access.Caller{Role: access.Checker, Name: "c1"}},
		"a coordinator":                  {"spiffe://jetmon/coordinator/a", "", codes.OK, codes.PermissionDenied, access.Caller{Role: access.Coordinator, Name: "a"}},
		"a checker with a wrong token":   {"spiffe://jetmon/checker/c1", "wrong", codes.Unauthenticated, codes.Unauthenticated, access.Caller{}},
		"a checker with a token of more": {"spiffe://jetmon/checker/c1", "jm_write", codes.PermissionDenied, codes.PermissionDenied, access.Caller{}},
		"no role":                        {"", "", codes.Unauthenticated, codes.Unauthenticated, access.Caller{}},
		"a role of others":               {"spiffe://jetmon/database/c1", "", codes.Unauthenticated, codes.Unauthenticated, access.Caller{}},
		"no name":                        {"spiffe://jetmon/checker", "", codes.Unauthenticated, codes.Unauthenticated, access.Caller{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got access.Caller
			r := runTLS(t, seen(&got), ours, server, ours.issue(t, strings.ReplaceAll(name, " ", "-"), c.uri), rpc.ServerOptions{
				Access: rpc.NewAuthorizer(rpc.AuthorizerOptions{Keys: api}),
			}, c.token)
			if _, err := r.verify(t.Context()); status.Code(err) != c.verify {
				t.Errorf("Verify: %v, want %v", err, c.verify)
			}
			if err := r.streamed(t.Context()); status.Code(err) != c.stream {
				t.Errorf("StreamAssignments: %v, want %v", err, c.stream)
			}
			if got.String() != c.caller.String() {
				t.Errorf("the handler saw %v, want %v", got, c.caller)
			}
		})
	}
}

// runTLS serves with mutual TLS, and dials with a certificate.
func runTLS(t *testing.T, s *service, ca *authority, server, client keyPair, so rpc.ServerOptions, token string) *running {
	t.Helper()
	config, err := rpc.LoadServerTLS(server.cert, server.key, ca.file)
	if err != nil {
		t.Fatal(err)
	}
	dial, err := rpc.LoadClientTLS(ca.file, client.cert, client.key)
	if err != nil {
		t.Fatal(err)
	}
	so.TLS = config
	return runTCP(t, s, so, dial, token)
}

func runTCP(t *testing.T, s *service, so rpc.ServerOptions, dial *tls.Config, token string) *running {
	t.Helper()
	l, err := rpc.TCP().Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := rpc.Dial(l.Addr().String(), rpc.ClientOptions{TLS: dial, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	r := serve(t, s, so, l)
	r.ClientConn = conn
	t.Cleanup(func() { _ = conn.Close() })
	return r
}

// A gateway proves itself beside the token of whom it calls for, and its own proof is good for
// nothing that the caller may not do.
func TestAGatewayPassesOnTheTokensOfOthers(t *testing.T) {
	t.Parallel()
	so := rpc.ServerOptions{Access: rpc.NewAuthorizer(rpc.AuthorizerOptions{
		Roles: []access.RoleToken{{Role: access.Gateway, Token: secret}, {Role: access.Coordinator, Token: "coordinator-token"}},
		Keys:  keys{"jm_write": {TokenID: 1, Scopes: access.SitesWrite}, "jm_read": {TokenID: 2, Scopes: access.SitesRead}},
	})}
	for name, c := range map[string]struct {
		node, user string
		code       codes.Code
	}{
		"a user's token":                     {secret, "Bearer jm_write", codes.OK},
		"a token that is too narrow":         {secret, "Bearer jm_read", codes.PermissionDenied},
		"no token":                           {secret, "", codes.Unauthenticated},
		"the gateway's token as the user's":  {secret, "Bearer " + secret, codes.PermissionDenied},
		"a wrong gateway":                    {"wrong", "", codes.Unauthenticated},
		"no gateway":                         {"", "Bearer jm_write", codes.OK},
		"a role's token by a wrong gateway":  {"wrong", "Bearer coordinator-token", codes.PermissionDenied},
		"a user's token by a wrong gateway":  {"wrong", "Bearer jm_write", codes.OK},
		"a user's token as the gateway's":    {"jm_write", "", codes.Unauthenticated},
		"a user's token beside a narrow one": {"jm_write", "Bearer jm_read", codes.PermissionDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, &service{}, so, rpc.ClientOptions{Token: c.node, Forwards: true})
			ctx := t.Context()
			if c.user != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", c.user)
			}
			if err := r.create(ctx); status.Code(err) != c.code {
				t.Errorf("%v, want %v", err, c.code)
			}
		})
	}
}

// A coordinator says for whom it calls another one; nobody else is believed.
func TestOnlyACoordinatorCallsOnBehalfOfOthers(t *testing.T) {
	t.Parallel()
	whom := access.Caller{TokenID: 7, Name: "deploy", Scopes: access.SitesRead, Blogs: []check.BlogID{3}}
	for role, want := range map[access.Role]string{
		access.Coordinator: "token 7 (deploy)",
		access.Asker:       "a caller",
	} {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			var got access.Caller
			r := run(t, seen(&got), rpc.ServerOptions{Access: onlyFor(role, secret)}, rpc.ClientOptions{Token: secret})
			if _, err := r.verify(rpc.OnBehalf(access.With(t.Context(), whom))); err != nil {
				t.Fatal(err)
			}
			if got.String() != want || got.Limited() != (role == access.Coordinator) || got.Limited() && !got.Sees(3) {
				t.Errorf("the handler saw %+v, want %s", got, want)
			}
		})
	}
}

// What a coordinator says and cannot be read must not make its caller somebody who sees more.
func TestACallOnBehalfOfNobodyKnowsIsRefused(t *testing.T) {
	t.Parallel()
	for name, said := range map[string][]string{
		"no JSON":           {"{"},
		"another shape":     {`{"TokenID":"7"}`},
		"nobody known":      {`{"Blogs":[3]}`},
		"two of them":       {`{"TokenID":7,"Blogs":[3]}`, `{"Open":true}`},
		"nothing":           {""},
		"an empty caller":   {"{}"},
		"null for somebody": {"null"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got access.Caller
			r := run(t, seen(&got), rpc.ServerOptions{Access: onlyFor(access.Coordinator, secret)}, rpc.ClientOptions{Token: secret})
			ctx := t.Context()
			for _, text := range said {
				ctx = metadata.AppendToOutgoingContext(ctx, "jetmon-behalf-bin", text)
			}
			if _, err := r.verify(ctx); status.Code(err) != codes.Unauthenticated {
				t.Errorf("%v, as %+v", err, got)
			}
		})
	}
}

// Whoever looks at a call before us might look at the other credential.
func TestTwoCredentialsOfOneKindAreRefused(t *testing.T) {
	t.Parallel()
	so := rpc.ServerOptions{Access: rpc.NewAuthorizer(rpc.AuthorizerOptions{
		Roles: []access.RoleToken{{Role: access.Gateway, Token: secret}},
		Keys:  keys{"jm_write": {TokenID: 1, Scopes: access.SitesWrite}},
	})}
	r := run(t, &service{}, so, rpc.ClientOptions{})
	for name, pairs := range map[string][]string{
		"the same token twice": {"authorization", "Bearer jm_write", "authorization", "Bearer jm_write"},
		"a good one first":     {"authorization", "Bearer jm_write", "authorization", "Bearer wrong"},
		"two gateways":         {"jetmon-node-authorization", "Bearer " + secret, "jetmon-node-authorization", "Bearer " + secret},
	} {
		if err := r.create(metadata.AppendToOutgoingContext(t.Context(), pairs...)); status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A stream does not outlive the token that opened it; those of others go on.
func TestAStreamEndsWhenItsTokenIsNoLongerAccepted(t *testing.T) {
	t.Parallel()
	one := access.RoleToken{Role: access.Checker, Name: "one", Token: "token-of-one"}
	two := access.RoleToken{Role: access.Checker, Name: "two", Token: "token-of-two"}
	accepted := rpc.NewAuthorizer(rpc.AuthorizerOptions{Roles: []access.RoleToken{one, two}})
	entered := make(chan string)
	s := &service{stream: func(st coordinatorv1.AssignmentService_StreamAssignmentsServer) error {
		entered <- access.From(st.Context()).Name
		<-st.Context().Done()
		return context.Cause(st.Context())
	}}
	r := run(t, s, rpc.ServerOptions{Access: accepted}, rpc.ClientOptions{})
	ended := map[string]chan error{one.Name: make(chan error, 1), two.Name: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, k := range []access.RoleToken{one, two} {
		go func() {
			ended[k.Name] <- r.streamed(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+k.Token))
		}()
		<-entered
	}
	accepted.SetRoles([]access.RoleToken{two})
	if err := <-ended[one.Name]; status.Code(err) != codes.Unauthenticated {
		t.Errorf("without its token: %v", err)
	}
	two.Name = "three"
	other := rpc.NewAuthorizer(rpc.AuthorizerOptions{Roles: []access.RoleToken{two}})
	select {
	case err := <-ended["two"]:
		t.Errorf("ended although its token is accepted: %v", err)
	default:
	}
	accepted.Follow(other)
	if err := <-ended["two"]; status.Code(err) != codes.Unauthenticated {
		t.Errorf("with a token of another node: %v", err)
	}
}

func TestEachCallerHasARateOfItsOwn(t *testing.T) {
	t.Parallel()
	so := rpc.ServerOptions{Access: rpc.NewAuthorizer(rpc.AuthorizerOptions{
		Roles: []access.RoleToken{{Role: access.Coordinator, Token: secret}},
		Keys:  keys{"jm_a": {TokenID: 1, Scopes: access.SitesWrite}, "jm_b": {TokenID: 2, Scopes: access.SitesWrite}},
		Rate:  rpc.Rate{PerSecond: 0.001, Burst: 3},
	})}
	r := runTCP(t, &service{}, so, nil, "")
	as := func(token string) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	}
	for _, token := range []string{"jm_a", "jm_b", "wrong"} {
		for i := range 5 {
			err, limited := r.create(as(token)), i >= 3
			if got := status.Code(err) == codes.ResourceExhausted; got != limited {
				t.Errorf("call %d with %s: %v", i, token, err)
			}
			if limited && !hasRetryInfo(err) {
				t.Errorf("no RetryInfo in %v", err)
			}
		}
	}
	for range 5 { // neither nodes nor health checks are counted
		if err := r.create(as(secret)); err != nil {
			t.Error(err)
		}
		if _, err := grpc_health_v1.NewHealthClient(r).Check(as("jm_a"), &grpc_health_v1.HealthCheckRequest{}); err != nil {
			t.Error(err)
		}
	}
	var header metadata.MD
	_, _ = monitorv1.NewSiteServiceClient(r).CreateSite(as("jm_a"), &monitorv1.CreateSiteRequest{}, grpc.Header(&header))
	if p, l := header.Get("ratelimit-policy"), header.Get("ratelimit"); len(p) != 1 || p[0] != `"caller";q=3;w=3000` || len(l) != 1 {
		t.Errorf("headers %q, %q", p, l)
	}
}

// Who has a network of addresses cannot have the calls of tokens counted anew.
func TestAFloodOfAddressesForgetsNoToken(t *testing.T) {
	t.Parallel()
	so := rpc.ServerOptions{Access: rpc.NewAuthorizer(rpc.AuthorizerOptions{
		Roles: []access.RoleToken{{Role: access.Gateway, Token: secret}},
		Keys:  keys{"jm_a": {TokenID: 1, Scopes: access.SitesWrite}},
		Rate:  rpc.Rate{PerSecond: 0.001, Burst: 1},
	})}
	r := run(t, &service{}, so, rpc.ClientOptions{Token: secret, Forwards: true})
	const enough = 10_001 // more than are counted apart
	for i := range enough + 2 {
		ctx, want := metadata.AppendToOutgoingContext(t.Context(), "x-forwarded-for", fmt.Sprintf("2001:db8:%x:%x::1", i>>8, i&0xff)), codes.Unauthenticated
		if i == 0 || i == enough+1 {
			ctx, want = metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer jm_a"), codes.OK
		}
		if i == enough+1 {
			want = codes.ResourceExhausted
		}
		if err := r.create(ctx); status.Code(err) != want {
			t.Fatalf("call %d: %v, want %v", i, err, want)
		}
	}
}

func TestACallerMayHaveFewDiagnosesRunning(t *testing.T) {
	t.Parallel()
	a := rpc.NewAuthorizer(rpc.AuthorizerOptions{Keys: keys{
		"jm_a": {TokenID: 1, Scopes: access.ChecksRun}, "jm_b": {TokenID: 2, Scopes: access.ChecksRun},
	}})
	begin := func(token string) (func(), error) {
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer "+token))
		_, done, err := a.Enter(ctx, monitorv1.DiagnosisService_DiagnoseSite_FullMethodName)
		return done, err
	}
	var ends []func()
	for range 2 {
		done, err := begin("jm_a")
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, done)
	}
	if _, err := begin("jm_a"); !fault.Is(err, fault.Exhausted) || !hasRetryInfo(err) {
		t.Errorf("the third: %v", err)
	}
	if _, err := begin("jm_b"); err != nil {
		t.Errorf("somebody else's: %v", err)
	}
	ends[0]()
	if _, err := begin("jm_a"); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}

func hasRetryInfo(err error) bool {
	return slices.ContainsFunc(status.Convert(err).Details(), func(d any) bool {
		_, ok := d.(*errdetails.RetryInfo)
		return ok
	})
}

func BenchmarkAuthorizing(b *testing.B) {
	some := keys{}
	for i := range 1000 {
		some["jm_"+string(rune('a'+i%26))+secret] = access.Caller{TokenID: int64(i + 1), Scopes: access.SitesRead}
	}
	a := rpc.NewAuthorizer(rpc.AuthorizerOptions{Keys: some, Rate: rpc.Rate{PerSecond: 1e9}})
	ctx := metadata.NewIncomingContext(b.Context(), metadata.Pairs("authorization", "Bearer jm_a"+secret))
	b.ReportAllocs()
	for b.Loop() {
		_, done, err := a.Enter(ctx, monitorv1.SiteService_ListSites_FullMethodName)
		if err != nil {
			b.Fatal(err)
		}
		done()
	}
}

// identity makes the URI of a certificate; none for "".
func identity(t *testing.T, text string) []*url.URL {
	t.Helper()
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return []*url.URL{u}
}

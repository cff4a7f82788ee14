package rpc_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestAnAuthorizationHeaderIsAcceptedOnlyWithAKnownToken(t *testing.T) {
	t.Parallel()
	some := []string{"one", "two"}
	for name, c := range map[string]struct {
		tokens []string
		header string
		ok     bool
	}{
		"no tokens: open to all":           {nil, "", true},
		"no tokens: what is sent is moot":  {nil, "Bearer x", true},
		"the first token":                  {some, "Bearer one", true},
		"the second token":                 {some, "Bearer two", true},
		"the scheme in any case":           {some, "bEARER two", true},
		"spaces before the token":          {some, "Bearer   two ", true},
		"no header":                        {some, "", false},
		"another token":                    {some, "Bearer three", false},
		"the beginning of a token":         {some, "Bearer on", false},
		"no token":                         {some, "Bearer ", false},
		"another scheme":                   {some, "Basic one", false},
		"the token alone":                  {some, "one", false},
		"both tokens":                      {some, "Bearer one two", false},
		"the scheme without a space after": {some, "Bearerone", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokens, err := rpc.NewTokens(c.tokens)
			if err != nil {
				t.Fatal(err)
			}
			switch err := tokens.Check(c.header); {
			case c.ok && err != nil:
				t.Error(err)
			case !c.ok && !fault.Is(err, fault.Unauthenticated):
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestATokenThatCannotBeMeantIsRefused(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"", " ", "x\n", "\tx"} {
		if _, err := rpc.NewServer(rpc.ServerOptions{Tokens: []string{"good", token}}, (&service{}).register); err == nil {
			t.Errorf("a server with token %q was made", token)
		}
	}
}

func TestAServerWithTokensAsksEveryCallButHealth(t *testing.T) {
	t.Parallel()
	so := rpc.ServerOptions{Tokens: []string{"secret"}}
	s := &service{stream: func(coordinatorv1.AssignmentService_StreamAssignmentsServer) error {
		return status.Error(codes.OutOfRange, "inside")
	}}
	for name, c := range map[string]struct {
		token  string
		unary  codes.Code
		stream codes.Code
	}{
		"the right token": {"secret", codes.OK, codes.OutOfRange},
		"a wrong token":   {"secreT", codes.Unauthenticated, codes.Unauthenticated},
		"no token":        {"", codes.Unauthenticated, codes.Unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, s, so, rpc.ClientOptions{Token: c.token})
			if _, err := r.verify(t.Context()); status.Code(err) != c.unary {
				t.Errorf("unary: %v", err)
			}
			stream, err := coordinatorv1.NewAssignmentServiceClient(r).StreamAssignments(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); status.Code(err) != c.stream {
				t.Errorf("stream: %v", err)
			}
			if _, err := grpc_health_v1.NewHealthClient(r).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
				t.Errorf("health: %v", err)
			}
		})
	}
	// grpcurl -H sends it like this.
	r := run(t, s, so, rpc.ClientOptions{})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "Authorization", "Bearer secret")
	if _, err := r.verify(ctx); err != nil {
		t.Error(err)
	}
}

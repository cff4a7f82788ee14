package panel

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// serve starts verifliers in memory, each listening on its name.
func serve(t *testing.T, answers map[string]answerFunc, tokens ...string) rpc.ClientOptions {
	t.Helper()
	network := rpc.NewMemory()
	ctx, stop := context.WithCancel(context.Background())
	var served []chan error
	for name, answer := range answers {
		l, err := network.Listen(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := rpc.NewServer(rpc.ServerOptions{Name: "veriflier", Access: askedFor(tokens)}, func(r grpc.ServiceRegistrar) {
			veriflierv1.RegisterVeriflierServiceServer(r, &peer{answer: answer})
		})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		served = append(served, done)
		go func() { done <- s.Serve(ctx, l) }()
	}
	t.Cleanup(func() {
		stop()
		for _, done := range served {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return rpc.ClientOptions{Network: network}
}

// askedFor returns who may call: everybody, or coordinators with one of the tokens.
func askedFor(tokens []string) *rpc.Authorizer {
	if len(tokens) == 0 {
		return rpc.Open()
	}
	var roles []access.RoleToken
	for _, token := range tokens {
		roles = append(roles, access.RoleToken{Role: access.Coordinator, Token: token})
	}
	return rpc.NewAuthorizer(rpc.AuthorizerOptions{Roles: roles})
}

// from answers like says, with a region.
func from(region string, answer answerFunc) answerFunc {
	return func(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		resp, err := answer(ctx, req)
		resp.Region = region
		return resp, err
	}
}

func target() check.Target { return check.Target{URL: "http://example.com/", Timeout: 5 * time.Second} }

func TestConsultDecidesByTheRuleOfItsMembers(t *testing.T) {
	t.Parallel()
	o := serve(t, map[string]answerFunc{
		"a": from("eu", says("a", isDown)), "b": from("us", says("b", isDown)), "c": from("asia", says("c", isUp)),
		"a2": from("eu", says("a2", isDown)), "nobody": says("", isDown),
	})
	named := func(name, region string) Member { return Member{Name: name, Region: region, Address: name} }
	tests := []struct {
		name    string
		members []Member
		verdict quorum.Verdict
		rule    quorum.Rule
		votes   string
		reason  string // of the last vote
	}{
		{"members without a name are who they say they are", []Member{{Address: "a"}, {Address: "b"}},
			quorum.Confirmed, quorum.Rule{Voters: 2, Need: 2, Regions: 2}, "DD", ""},
		{"two of three are enough", []Member{named("a", "eu"), named("b", "us"), named("c", "asia")},
			quorum.Confirmed, quorum.Rule{Voters: 3, Need: 2, Regions: 2}, "DDU", ""},
		{"one region is enough where there is no other", []Member{{Address: "a"}, {Address: "a2"}},
			quorum.Confirmed, quorum.Rule{Voters: 2, Need: 2, Regions: 1}, "DD", ""},
		{"one that sees it up rejects", []Member{{Address: "c"}},
			quorum.Rejected, quorum.Rule{Voters: 1, Need: 1, Regions: 1}, "U", ""},
		{"one that is somebody else has no vote", []Member{{Name: "other", Region: "eu", Address: "a"}},
			quorum.Inconclusive, quorum.Rule{Voters: 1, Need: 1, Regions: 1}, "?", `answered as "a"`},
		{"one that does not answer still counts", []Member{{Address: "a"}, {Address: "gone"}},
			quorum.Inconclusive, quorum.Rule{Voters: 2, Need: 2, Regions: 2}, "D?", "Unavailable: "},
		{"one that has no name has no vote", []Member{{Address: "nobody"}},
			quorum.Inconclusive, quorum.Rule{Voters: 1, Need: 1, Regions: 1}, "?", `answered as ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := Consult(t.Context(), tt.members, o, target())
			if err != nil {
				t.Fatal(err)
			}
			if b.Verdict != tt.verdict || b.Rule != tt.rule || values(b.Votes) != tt.votes || b.Round != 1 || b.Decided.Before(b.Opened) {
				t.Errorf("%+v, want %s by %v and votes %s", b, tt.verdict, tt.rule, tt.votes)
			}
			last := b.Votes[len(b.Votes)-1]
			if !strings.HasPrefix(last.UnknownReason, tt.reason) || (last.UnknownReason == "") != (tt.reason == "") {
				t.Errorf("the last vote's reason is %q, want %q", last.UnknownReason, tt.reason)
			}
		})
	}
}

func TestConsultRefusesMembersThatMakeNoPanel(t *testing.T) {
	t.Parallel()
	o := serve(t, map[string]answerFunc{"a": says("a", isDown)})
	for name, members := range map[string][]Member{"none": nil, "one twice": {{Address: "a"}, {Address: "a"}}} {
		if b, err := Consult(t.Context(), members, o, target()); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %+v, %v, want an Invalid fault", name, b, err)
		}
	}
}

func TestConsultShowsEachMemberItsToken(t *testing.T) {
	t.Parallel()
	o := serve(t, map[string]answerFunc{"a": says("a", isUp), "b": says("b", isUp)}, "ours", "theirs")
	o.Token = "ours"
	b, err := Consult(t.Context(), []Member{{Address: "a"}, {Address: "b", Token: "theirs"}}, o, target())
	if err != nil || values(b.Votes) != "UU" {
		t.Errorf("%+v, %v", b, err)
	}
	o.Token = "wrong"
	b, err = Consult(t.Context(), []Member{{Address: "a"}, {Address: "b", Token: "theirs"}}, o, target())
	refused := func(reason string) bool { return strings.HasPrefix(reason, "Unauthenticated: ") }
	if err != nil || values(b.Votes) != "?U" || !refused(b.Votes[0].UnknownReason) {
		t.Errorf("%+v, %v", b, err)
	}
}

// A caller that gives up, or whose time is up, does not wait for the members.
func TestConsultEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	o := serve(t, map[string]answerFunc{"a": says("a", isUp), "stuck": hangs})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	b, err := Consult(ctx, []Member{{Address: "a"}, {Address: "stuck"}}, o, target())
	if err != nil || values(b.Votes) != "U?" || b.Votes[1].Veriflier != "stuck" {
		t.Errorf("%+v, %v", b, err)
	}
}

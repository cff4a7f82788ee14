package rpc

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/Automattic/jetmon/internal/fault"
)

const (
	authorization = "authorization"
	bearerScheme  = "Bearer"
)

// Tokens is a set of accepted bearer tokens. It keeps only their hashes. The zero value
// accepts every caller.
type Tokens struct {
	hashes atomic.Pointer[[][sha256.Size]byte]
}

// NewTokens makes a set of tokens; see Set.
func NewTokens(tokens []string) (*Tokens, error) {
	t := &Tokens{}
	return t, t.Set(tokens)
}

// Set replaces the tokens, for the calls that begin from now on; without any, every caller
// is accepted. It refuses an empty token, or one with spaces around it, as a mistake in the
// configuration, and then changes nothing.
func (t *Tokens) Set(tokens []string) error {
	var hashes [][sha256.Size]byte
	for _, token := range tokens {
		if token == "" || strings.TrimSpace(token) != token {
			return errors.New("a bearer token must not be empty or have spaces around it")
		}
		hashes = append(hashes, sha256.Sum256([]byte(token)))
	}
	t.hashes.Store(&hashes)
	return nil
}

// Check checks the value of an Authorization header. It returns nil, or a fault of kind
// Unauthenticated with the reason. It takes the same time for every wrong token.
func (t *Tokens) Check(header string) error {
	hashes := t.hashes.Load()
	if hashes == nil || len(*hashes) == 0 {
		return nil
	}
	if header == "" {
		return fault.New(fault.Unauthenticated, "a bearer token is required (Authorization: Bearer TOKEN)")
	}
	scheme, token, _ := strings.Cut(header, " ")
	given := sha256.Sum256([]byte(strings.TrimSpace(token)))
	accepted := 0
	for _, h := range *hashes {
		accepted |= subtle.ConstantTimeCompare(given[:], h[:])
	}
	if accepted == 0 || !strings.EqualFold(scheme, bearerScheme) {
		return fault.New(fault.Unauthenticated, "the bearer token is not accepted")
	}
	return nil
}

// checkCall checks the token in a call's metadata. Health checks need none: they come from
// load balancers, and the answer reveals nothing.
func (t *Tokens) checkCall(ctx context.Context, method string) error {
	if strings.HasPrefix(method, "/"+grpc_health_v1.Health_ServiceDesc.ServiceName+"/") {
		return nil
	}
	var header string
	if values := metadata.ValueFromIncomingContext(ctx, authorization); len(values) > 0 {
		header = values[0]
	}
	return t.Check(header)
}

func (t *Tokens) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := t.checkCall(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return handle(ctx, req)
}

func (t *Tokens) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := t.checkCall(ss.Context(), info.FullMethod); err != nil {
		return err
	}
	return handle(srv, ss)
}

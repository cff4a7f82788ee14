package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/certs"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// authorization is the metadata key of the caller's token. nodeAuthorization is that of the
	// token of a node that passes on the calls of others, as a gateway does.
	authorization     = "authorization"
	nodeAuthorization = "jetmon-node-authorization"
	bearerScheme      = "Bearer"
)

// Keys knows the tokens of the API.
type Keys interface {
	// Caller returns who has a token. The error is a fault: Unauthenticated for a token that is
	// not accepted. It must not block on a database for a token that it knows.
	Caller(ctx context.Context, token string) (access.Caller, error)
}

// AuthorizerOptions are options of NewAuthorizer.
type AuthorizerOptions struct {
	// Roles are the tokens of roles that are accepted.
	Roles []access.RoleToken
	// Keys knows the tokens of the API; nil when none is accepted.
	Keys Keys
	// Rate bounds the calls of each caller.
	Rate Rate
}

// Authorizer decides who may call a server: it finds out who calls, by certificate or token,
// and asks package access. By default nobody may call anything.
type Authorizer struct {
	open  bool
	roles atomic.Pointer[access.Index[access.Caller]]
	keys  atomic.Pointer[Keys]
	quota *quota

	mu      sync.Mutex
	streams map[*tokened]bool
}

// NewAuthorizer makes an Authorizer.
func NewAuthorizer(o AuthorizerOptions) *Authorizer {
	a := &Authorizer{quota: newQuota(o.Rate), streams: map[*tokened]bool{}}
	a.SetRoles(o.Roles)
	if o.Keys != nil {
		a.SetKeys(o.Keys)
	}
	return a
}

// Open returns an Authorizer of a server that asks nobody who they are: everybody may call
// everything.
func Open() *Authorizer {
	a := NewAuthorizer(AuthorizerOptions{})
	a.open = true
	return a
}

// SetRoles replaces the tokens of roles for the calls that begin from now on, and ends the
// streams of those whose token is not among them.
func (a *Authorizer) SetRoles(tokens []access.RoleToken) {
	var index access.Index[access.Caller]
	for _, t := range tokens {
		index.Add(access.Hash(t.Token), t.Caller())
	}
	a.roles.Store(&index)
	a.endRefused()
}

// IsOpen reports whether a asks nobody who they are.
func (a *Authorizer) IsOpen() bool { return a.open }

// Follow takes the tokens of roles of another Authorizer, as SetRoles does.
func (a *Authorizer) Follow(other *Authorizer) {
	a.roles.Store(other.roles.Load())
	a.endRefused()
}

// SetKeys has the tokens of the API accepted that keys knows.
func (a *Authorizer) SetKeys(keys Keys) { a.keys.Store(&keys) }

// enter decides about a call. It returns the context in which the handler runs, and what is
// to be called at the end.
func (a *Authorizer) enter(ctx context.Context, method string) (context.Context, func(), error) {
	rule, ok := access.RuleOf(method)
	if !ok {
		return ctx, nil, fault.New(fault.Denied, "nobody may call %s", method)
	}
	caller, key, err := a.prove(ctx)
	if caller.Role == "" && !rule.Free {
		if err := a.quota.take(ctx, key); err != nil {
			return ctx, nil, err
		}
	}
	if err != nil && !rule.Public {
		return ctx, nil, err
	}
	if err := rule.Permit(caller); err != nil {
		return ctx, nil, err
	}
	behalf, err := behalfOf(ctx, caller)
	if err != nil {
		return ctx, nil, err
	}
	done, err := a.quota.hold(key, method, rule.AtOnce)
	if err != nil {
		return ctx, nil, err
	}
	return access.With(asPeer(ctx, caller), behalf), done, nil
}

// prove finds out who calls. The key is whose calls are counted together.
func (a *Authorizer) prove(ctx context.Context) (access.Caller, quotaKey, error) {
	if a.open {
		return access.Anybody(), quotaKey{}, nil
	}
	node, nodeErr := a.node(ctx)
	key := quotaKey{address: addressOf(ctx, node)}
	header, err := onlyValue(ctx, authorization)
	if err != nil {
		return access.Caller{}, key, err
	}
	if header == "" {
		if node.Role == access.Gateway {
			// What a gateway passes on without a token has proved nothing.
			node = access.Caller{}
		}
		return node, key, nodeErr
	}
	caller, err := a.token(ctx, header)
	switch {
	case err == nil && caller.TokenID != 0:
		key = quotaKey{token: caller.TokenID}
	case err == nil && (node.Role == access.Gateway || nodeErr != nil):
		// Roles talk to one another directly: their tokens must not open what a gateway shows.
		return access.Caller{}, key, fault.New(fault.Denied, "the token of a role is not one of the API")
	}
	return caller, key, err
}

// node finds out which node calls, or passes on the call of another. A token of the API
// proves no node.
func (a *Authorizer) node(ctx context.Context) (access.Caller, error) {
	header, err := onlyValue(ctx, nodeAuthorization)
	if err != nil {
		return access.Caller{}, err
	}
	if header != "" {
		token, err := bearerOf(header)
		if err != nil {
			return access.Caller{}, err
		}
		if caller, ok := a.roles.Load().Find(token); ok {
			return caller, nil
		}
		return access.Caller{}, notAccepted()
	}
	p, ok := peer.FromContext(ctx)
	if !ok {
		return access.Caller{}, nil
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return access.Caller{}, nil
	}
	role, name, err := certs.Identity(info.State.VerifiedChains[0][0])
	if err != nil {
		return access.Caller{}, fault.New(fault.Unauthenticated, "the certificate proves no role: %w", err)
	}
	return access.Caller{Role: role, Name: name}, nil
}

// token returns who has the token in the value of an Authorization header.
func (a *Authorizer) token(ctx context.Context, header string) (access.Caller, error) {
	token, err := bearerOf(header)
	if err != nil {
		return access.Caller{}, err
	}
	if caller, ok := a.roles.Load().Find(token); ok {
		return caller, nil
	}
	keys := a.keys.Load()
	if keys == nil {
		return access.Caller{}, notAccepted()
	}
	return (*keys).Caller(ctx, token)
}

func notAccepted() error {
	return fault.New(fault.Unauthenticated, "the bearer token is not accepted")
}

// bearerOf returns the token in the value of an Authorization header.
func bearerOf(header string) (string, error) {
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, bearerScheme) || token == "" {
		return "", fault.New(fault.Unauthenticated, "want Authorization: Bearer TOKEN")
	}
	return token, nil
}

// onlyValue returns the value of a key, empty when there is none. It refuses two: others who
// look at the call might look at the other one.
func onlyValue(ctx context.Context, key string) (string, error) {
	if len(metadata.ValueFromIncomingContext(ctx, key)) > 1 {
		return "", fault.New(fault.Unauthenticated, "%s is given more than once", key)
	}
	return firstValue(ctx, key), nil
}

func firstValue(ctx context.Context, key string) string {
	if values := metadata.ValueFromIncomingContext(ctx, key); len(values) > 0 {
		return values[0]
	}
	return ""
}

func (a *Authorizer) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, done, err := a.enter(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	defer done()
	return handle(ctx, req)
}

func (a *Authorizer) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, done, err := a.enter(ss.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	defer done()
	ctx, unwatch := a.whileAccepted(ctx)
	defer unwatch()
	return handle(srv, withContext{ss, a.withToken(ctx)})
}

// withContext is a stream with another context.
type withContext struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s withContext) Context() context.Context { return s.ctx }

// errUngoverned is an RPC of which package access does not say who may call it.
var errUngoverned = errors.New("no rule says who may call it")

// governed checks that each RPC of a service has a rule.
func governed(desc *grpc.ServiceDesc) error {
	var err error
	for _, m := range desc.Methods {
		err = errors.Join(err, governedMethod(desc.ServiceName, m.MethodName))
	}
	for _, s := range desc.Streams {
		err = errors.Join(err, governedMethod(desc.ServiceName, s.StreamName))
	}
	return err
}

func governedMethod(service, method string) error {
	if _, ok := access.RuleOf("/" + service + "/" + method); !ok {
		return fmt.Errorf("%s/%s: %w", service, method, errUngoverned)
	}
	return nil
}

package rpc

import (
	"context"

	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/fault"
)

// tokened is a running stream whose caller has proved its role by a token.
type tokened struct {
	token  string
	caller access.Caller
	end    context.CancelCauseFunc
}

type stillKey struct{}

// StillAccepted returns nil while the token of the API by which a stream was opened is good, or
// when there was none. A stream lasts for days, and would outlive its token: its handler asks
// every few seconds. ctx is the context of the stream.
func StillAccepted(ctx context.Context) error {
	ask, ok := ctx.Value(stillKey{}).(func() error)
	if !ok {
		return nil
	}
	// Another error says nothing about the token.
	if err := ask(); fault.Is(err, fault.Unauthenticated) {
		return err
	}
	return nil
}

// withToken returns the context of a stream, in which StillAccepted knows the caller's token.
func (a *Authorizer) withToken(ctx context.Context) context.Context {
	header := firstValue(ctx, authorization)
	if header == "" || a.open {
		return ctx
	}
	return context.WithValue(ctx, stillKey{}, func() error {
		_, err := a.token(ctx, header)
		return err
	})
}

// whileAccepted returns a context for a stream that ends when the token of its caller's role
// is no longer accepted: a stream lasts for days, and would outlive the token. done ends the
// watch.
func (a *Authorizer) whileAccepted(ctx context.Context) (_ context.Context, done func()) {
	token, err := bearerOf(firstValue(ctx, authorization))
	caller, isRole := a.roles.Load().Find(token)
	if err != nil || !isRole {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s := &tokened{token, caller, cancel}
	a.mu.Lock()
	a.streams[s] = true
	a.mu.Unlock()
	a.endRefused() // the tokens may have changed since the caller was let in
	return ctx, func() {
		a.mu.Lock()
		delete(a.streams, s)
		a.mu.Unlock()
		cancel(nil)
	}
}

// endRefused ends the streams whose token is no longer accepted, or proves another caller.
func (a *Authorizer) endRefused() {
	index := a.roles.Load()
	a.mu.Lock()
	defer a.mu.Unlock()
	for s := range a.streams {
		if now, ok := index.Find(s.token); !ok || now.Role != s.caller.Role || now.Name != s.caller.Name {
			s.end(fault.New(fault.Unauthenticated, "the token is no longer accepted"))
		}
	}
}

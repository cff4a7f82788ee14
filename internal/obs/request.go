package obs

import (
	"context"
	"log/slog"
)

type requestKey struct{}

// WithRequest returns a context of the request with an id. Lines that are logged with it
// have the id as request_id.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestOf returns the id of the request that a context belongs to; empty when it belongs
// to none.
func RequestOf(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// byRequest adds the id of the request, and those of the span, to the lines of a handler.
type byRequest struct{ slog.Handler }

// Handle adds the ids if the context belongs to a request, or to a span that is recorded.
func (h byRequest) Handle(ctx context.Context, r slog.Record) error {
	if id := RequestOf(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	r.AddAttrs(spanOf(ctx)...)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the lines of the new handler with their requests.
func (h byRequest) WithAttrs(attrs []slog.Attr) slog.Handler {
	return byRequest{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the lines of the new handler with their requests.
func (h byRequest) WithGroup(name string) slog.Handler { return byRequest{h.Handler.WithGroup(name)} }

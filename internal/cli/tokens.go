package cli

import (
	"context"
	"io"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// CreateToken makes a token of the API and prints its secret. It is asked for once: a second
// attempt might make a second token.
func (c Client) CreateToken(ctx context.Context, t *monitorv1.Token) error {
	made, err := once(ctx, askTimeout, &monitorv1.CreateTokenRequest{Token: t}, monitorv1.NewAccessServiceClient(c.Conn).CreateToken)
	if err != nil {
		return c.explain(err)
	}
	return c.ShowNewToken(made)
}

// ListTokens prints the tokens of the API; a limit of 0 means all.
func (c Client) ListTokens(ctx context.Context, limit int) error {
	tokens := monitorv1.NewAccessServiceClient(c.Conn)
	return c.listTokens(ctx, limit, func(ctx context.Context, size int32, token string) ([]*monitorv1.Token, string, error) {
		resp, err := call(ctx, &monitorv1.ListTokensRequest{PageSize: size, PageToken: token}, tokens.ListTokens)
		return resp.GetTokens(), resp.GetNextPageToken(), err
	})
}

// RevokeToken revokes a token of the API and prints it.
func (c Client) RevokeToken(ctx context.Context, id int64) error {
	resp, err := call(ctx, &monitorv1.RevokeTokenRequest{TokenId: id}, monitorv1.NewAccessServiceClient(c.Conn).RevokeToken)
	if err != nil {
		return c.explain(err)
	}
	return c.ShowTokens(ctx, &monitorv1.ListTokensResponse{Tokens: []*monitorv1.Token{resp.GetToken()}})
}

// ShowNewToken prints a token that was just made, with its secret alone on the last line. It
// needs no connection.
func (c Client) ShowNewToken(made *monitorv1.CreateTokenResponse) error {
	return c.show(made, func(w io.Writer) error { return format.NewToken(w, made) })
}

// ShowTokens prints tokens. It needs no connection.
func (c Client) ShowTokens(ctx context.Context, all *monitorv1.ListTokensResponse) error {
	return c.listTokens(ctx, len(all.GetTokens()), func(context.Context, int32, string) ([]*monitorv1.Token, string, error) {
		return all.GetTokens(), all.GetNextPageToken(), nil
	})
}

func (c Client) listTokens(ctx context.Context, limit int, page func(context.Context, int32, string) ([]*monitorv1.Token, string, error)) error {
	return list(ctx, c, listing[*monitorv1.Token]{
		name: "tokens", titles: format.TokenTitles(), cells: format.TokenCells, limit: limit, page: page,
	})
}

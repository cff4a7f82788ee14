package cli

import (
	"context"
	"io"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// CreateToken makes a token of the API and prints its secret.
func (c Client) CreateToken(ctx context.Context, t *monitorv1.Token) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	made, err := monitorv1.NewAccessServiceClient(c.Conn).CreateToken(ctx, &monitorv1.CreateTokenRequest{Token: t})
	if err != nil {
		return c.explain(err)
	}
	return ShowNewToken(c.Out, made, c.JSON)
}

// ListTokens prints the tokens of the API; a limit of 0 means all.
func (c Client) ListTokens(ctx context.Context, limit int) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	tokens := monitorv1.NewAccessServiceClient(c.Conn)
	rows, next, err := list(limit, func(size int32, token string) ([]*monitorv1.Token, string, error) {
		resp, err := tokens.ListTokens(ctx, &monitorv1.ListTokensRequest{PageSize: size, PageToken: token})
		return resp.GetTokens(), resp.GetNextPageToken(), err
	})
	if err != nil {
		return c.explain(err)
	}
	return ShowTokens(c.Out, &monitorv1.ListTokensResponse{Tokens: rows, NextPageToken: next}, c.JSON)
}

// RevokeToken revokes a token of the API and prints it.
func (c Client) RevokeToken(ctx context.Context, id int64) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	resp, err := monitorv1.NewAccessServiceClient(c.Conn).RevokeToken(ctx, &monitorv1.RevokeTokenRequest{TokenId: id})
	if err != nil {
		return c.explain(err)
	}
	return ShowTokens(c.Out, &monitorv1.ListTokensResponse{Tokens: []*monitorv1.Token{resp.GetToken()}}, c.JSON)
}

// ShowNewToken prints a token that was just made, as JSON or with its secret alone on the
// last line.
func ShowNewToken(w io.Writer, made *monitorv1.CreateTokenResponse, json bool) error {
	if json {
		return format.JSON(w, made)
	}
	return format.NewToken(w, made)
}

// ShowTokens prints tokens, as JSON or in a table.
func ShowTokens(w io.Writer, all *monitorv1.ListTokensResponse, json bool) error {
	if json {
		return format.JSON(w, all)
	}
	return format.Tokens(w, all)
}

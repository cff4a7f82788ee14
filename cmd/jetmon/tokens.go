package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/coordinator/edge/api"
	"github.com/Automattic/jetmon/coordinator/state/keyring"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/cli"
	"github.com/Automattic/jetmon/internal/fault"
)

// tokensCommand is `jetmon tokens`.
type tokensCommand struct {
	Create createTokenCommand `cmd:"" help:"Make a token of the API and print it, once."`
	List   listTokensCommand  `cmd:"" help:"List the tokens of the API, without their secrets."`
	Revoke revokeTokenCommand `cmd:"" help:"Revoke a token of the API."`
	Role   roleTokenCommand   `cmd:"" help:"Make a token that proves a role, and print the line for its files; it is stored nowhere else."`
}

// tokensFlags select where the tokens are: behind a coordinator, or in a database.
type tokensFlags struct {
	DB string `name:"db" placeholder:"DSN" help:"Work on this database instead of asking a coordinator, as for the first token: mysql://user:pass@tcp(host:port)/db or sqlite:PATH, or @FILE for a file with such a line."`

	clientFlags `embed:""`
}

// do calls one of two functions: with a coordinator, or with the database.
func (f tokensFlags) do(ctx context.Context, p *program, asked func(cli.Client) error, direct func(*sqlstore.Store, api.Deed) error) (err error) {
	if f.DB == "" {
		return f.ask(p, asked)
	}
	db, err := databaseFlags{DB: f.DB}.open(ctx, sqlstore.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return mistake(direct(db, deedHere()))
}

// deedHere is what a person does on this host, for the audit trail.
func deedHere() api.Deed {
	who := "somebody"
	if u, err := user.Current(); err == nil {
		who = cmp.Or(u.Username, u.Uid)
	}
	host, err := nodeName("")
	if err != nil {
		host = "a host without a name"
	}
	return api.Deed{Caller: who + " on " + host, Method: "jetmon tokens"}
}

// createTokenCommand is `jetmon tokens create`.
type createTokenCommand struct {
	Name  string   `required:"" placeholder:"NAME" help:"What the token is for, without spaces: it appears in lists and in the audit trail."`
	Scope []string `required:"" sep:"," placeholder:"SCOPE" help:"What the token is good for (repeatable): sites:read, sites:write, checks:run, outages:read, notifications:manage, fleet:read, or admin for all of it."`
	Blog  []string `sep:"none" placeholder:"ID,..." help:"Only for the sites of these blogs (repeatable), 100 at most."`
	For   *age     `placeholder:"TIME" help:"How long the token is good, as 90d; for ever by default."`

	tokensFlags `embed:""`
}

// Run makes the token.
func (c *createTokenCommand) Run(ctx context.Context, p *program) error {
	blogs, err := c.blogs()
	if err != nil {
		return err
	}
	t := &monitorv1.Token{Name: c.Name, Scopes: c.Scope, BlogIds: blogs}
	if c.For != nil {
		if *c.For == 0 {
			return usagef("--for: must be longer than 0; without it the token is good for ever")
		}
		t.ExpireTime = timestamppb.New(time.Now().Add(time.Duration(*c.For)))
	}
	return c.do(ctx, p,
		func(client cli.Client) error { return client.CreateToken(ctx, t) },
		func(db *sqlstore.Store, d api.Deed) error {
			made, err := api.CreateToken(ctx, db, d, t)
			if err != nil {
				return err
			}
			return c.client(p).ShowNewToken(made)
		})
}

// blogs reads the ids of --blog. An empty one is a mistake, as of a script whose variable is
// not set: it must not make a token for all blogs.
func (c *createTokenCommand) blogs() (ids []int64, err error) {
	for _, list := range c.Blog {
		for word := range strings.SplitSeq(list, ",") {
			id, err := strconv.ParseInt(word, 10, 64)
			if err != nil {
				return nil, usagef("--blog: must be the id of a blog, is %q", fault.Clip(word, maxQuoted))
			}
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// maxQuoted bounds what an error repeats of a text.
const maxQuoted = 64

// listTokensCommand is `jetmon tokens list`.
type listTokensCommand struct {
	Limit int `default:"100" help:"Maximum number of tokens to list; 0: all."`

	tokensFlags `embed:""`
}

// Run lists the tokens.
func (c *listTokensCommand) Run(ctx context.Context, p *program) error {
	if c.Limit < 0 {
		return usagef("--limit must not be negative")
	}
	return c.do(ctx, p,
		func(client cli.Client) error { return client.ListTokens(ctx, c.Limit) },
		func(db *sqlstore.Store, _ api.Deed) error {
			all, err := api.ListTokens(ctx, db, 0, min(cmp.Or(c.Limit, allTokens), allTokens))
			if err != nil {
				return err
			}
			return c.client(p).ShowTokens(ctx, all)
		})
}

// allTokens is the largest page of the store, less the one by which it knows of another.
const allTokens = 9999

// revokeTokenCommand is `jetmon tokens revoke ID`.
type revokeTokenCommand struct {
	Token int64 `arg:"" name:"id" help:"Id of the token, as jetmon tokens list shows it."`

	tokensFlags `embed:""`
}

// Run revokes the token.
func (c *revokeTokenCommand) Run(ctx context.Context, p *program) error {
	return c.do(ctx, p,
		func(client cli.Client) error { return client.RevokeToken(ctx, c.Token) },
		func(db *sqlstore.Store, d api.Deed) error {
			t, err := api.RevokeToken(ctx, db, d, c.Token)
			if err != nil {
				return err
			}
			return c.client(p).ShowTokens(ctx, &monitorv1.ListTokensResponse{Tokens: []*monitorv1.Token{t}})
		})
}

// roleTokenCommand is `jetmon tokens role ROLE[/NAME]`.
type roleTokenCommand struct {
	Role string `arg:"" name:"role" help:"What the token proves: coordinator, checker, gateway, or caller (who asks verifliers directly); with /NAME only for the node of that name, as checker/checker-1."`
}

// Run prints the line of a new token.
func (c *roleTokenCommand) Run(p *program) error {
	role, name, named := strings.Cut(c.Role, "/")
	if _, err := access.ParseRole(role); err != nil {
		return usageError{err}
	}
	if err := access.CheckName(name); named && err != nil {
		return usagef("the name after %s/ %w", role, err)
	}
	_, err := fmt.Fprintln(p.Out, c.Role, keyring.NewSecret())
	return err
}

package api

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/keyring"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/restjson"
	"github.com/Automattic/jetmon/internal/rpc"
)

// accessService is the AccessService.
type accessService struct {
	monitorv1.UnimplementedAccessServiceServer
	o Options
}

// Deed is who does something, by what method, for the audit trail.
type Deed struct{ Caller, Method, RequestID string }

// deed returns the deed of a call.
func deed(ctx context.Context, method string) Deed {
	return Deed{Caller: access.From(ctx).String(), Method: strings.TrimPrefix(method, "/"), RequestID: rpc.RequestID(ctx)}
}

// witnessed returns a context whose edits of sites are on record as the deeds of a call.
func witnessed(ctx context.Context, method string) context.Context {
	d := deed(ctx, method)
	return store.WithWitness(ctx, func(before, after *record.Site) record.Audit {
		id := cmp.Or(before, after).ID
		return d.record(time.Now(), "sites/"+strconv.FormatInt(int64(id), 10), recordedSite(before), recordedSite(after))
	})
}

// recordedSite is what a caller can edit of a site, and its id.
func recordedSite(row *record.Site) proto.Message {
	if row == nil {
		return nil
	}
	return ownSite(*row)
}

func ownSite(row record.Site) *monitorv1.Site {
	all := siteToProto(row)
	return &monitorv1.Site{
		SiteId: all.GetSiteId(), BlogId: all.GetBlogId(), Url: all.GetUrl(), CheckInterval: all.GetCheckInterval(),
		Paused: all.GetPaused(), Settings: all.GetSettings(), Tags: all.GetTags(), PublicBadges: all.GetPublicBadges(),
	}
}

// record makes the record of a deed; before and after are nil for what does not exist.
func (d Deed) record(at time.Time, resource string, before, after proto.Message) record.Audit {
	return record.Audit{
		At: at, Caller: d.Caller, Method: d.Method, RequestID: d.RequestID, Resource: resource,
		Before: auditJSON(before), After: auditJSON(after),
	}
}

// auditJSON encodes a message for the audit trail.
func auditJSON(m proto.Message) string {
	if m == nil {
		return ""
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return "" // a message of ours always encodes
	}
	return strings.TrimSpace(string(restjson.Compact(raw)))
}

// CreateToken makes a token of the API in a store.
func CreateToken(ctx context.Context, s store.Access, d Deed, asked *monitorv1.Token) (*monitorv1.CreateTokenResponse, error) {
	t := record.Token{Name: asked.GetName(), Scopes: asked.GetScopes(), Creator: d.Caller}
	for _, blog := range asked.GetBlogIds() {
		t.Blogs = append(t.Blogs, check.BlogID(blog))
	}
	if e := asked.GetExpireTime(); e != nil {
		t.Expires = e.AsTime()
	}
	t, secret, err := keyring.Make(t, time.Now())
	if err != nil {
		return nil, err
	}
	t, err = s.CreateToken(ctx, t, func(t record.Token) record.Audit {
		return d.record(t.Created, tokenName(t.ID), nil, TokenToProto(t))
	})
	if err != nil {
		return nil, err
	}
	return &monitorv1.CreateTokenResponse{Token: TokenToProto(t), Secret: secret}, nil
}

// RevokeToken revokes a token of the API in a store.
func RevokeToken(ctx context.Context, s store.Access, d Deed, id int64) (*monitorv1.Token, error) {
	now := time.Now()
	t, err := s.RevokeToken(ctx, id, now, func(t record.Token) record.Audit {
		before := t
		before.Revoked = time.Time{}
		return d.record(now, tokenName(id), TokenToProto(before), TokenToProto(t))
	})
	if err != nil {
		return nil, err
	}
	return TokenToProto(t), nil
}

func tokenName(id int64) string { return "tokens/" + strconv.FormatInt(id, 10) }

func (s *accessService) GetCaller(ctx context.Context, _ *monitorv1.GetCallerRequest) (*monitorv1.GetCallerResponse, error) {
	c := access.From(ctx)
	p := &monitorv1.Caller{Name: c.String(), TokenId: c.TokenID, Scopes: c.Scopes.Names(), ExpireTime: timestamp(c.Expires)}
	if c.Open || c.Scopes.Has(access.Admin) {
		p.Scopes = access.AllScopes()
	}
	if c.Limited() {
		for _, b := range c.Blogs {
			p.BlogIds = append(p.BlogIds, int64(b))
		}
	}
	return &monitorv1.GetCallerResponse{Caller: p}, nil
}

func (s *accessService) CreateToken(ctx context.Context, req *monitorv1.CreateTokenRequest) (*monitorv1.CreateTokenResponse, error) {
	resp, err := CreateToken(ctx, s.o.Store, deed(ctx, monitorv1.AccessService_CreateToken_FullMethodName), req.GetToken())
	if err == nil {
		s.refresh(ctx)
	}
	return resp, err
}

// refresh has the keyring of this coordinator know of a change at once. When it cannot, it
// does so soon.
func (s *accessService) refresh(ctx context.Context) { _ = s.o.Keyring.Refresh(ctx) }

func (s *accessService) RevokeToken(ctx context.Context, req *monitorv1.RevokeTokenRequest) (*monitorv1.RevokeTokenResponse, error) {
	t, err := RevokeToken(ctx, s.o.Store, deed(ctx, monitorv1.AccessService_RevokeToken_FullMethodName), req.GetTokenId())
	if err != nil {
		return nil, err
	}
	s.refresh(ctx)
	return &monitorv1.RevokeTokenResponse{Token: t}, nil
}

func (s *accessService) GetToken(ctx context.Context, req *monitorv1.GetTokenRequest) (*monitorv1.GetTokenResponse, error) {
	t, err := s.o.Store.Token(ctx, req.GetTokenId())
	if err != nil {
		return nil, err
	}
	return &monitorv1.GetTokenResponse{Token: TokenToProto(t)}, nil
}

func (s *accessService) ListTokens(ctx context.Context, req *monitorv1.ListTokensRequest) (*monitorv1.ListTokensResponse, error) {
	after, err := parseToken(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	return ListTokens(ctx, s.o.Store, after, pageSize(req.GetPageSize()))
}

// ListTokens reads a page of tokens from a store.
func ListTokens(ctx context.Context, s store.Access, after int64, size int) (*monitorv1.ListTokensResponse, error) {
	rows, err := s.ListTokens(ctx, after, size+1)
	if err != nil {
		return nil, err
	}
	resp := &monitorv1.ListTokensResponse{}
	if len(rows) > size {
		rows = rows[:size]
		resp.NextPageToken = token(rows[size-1].ID)
	}
	for _, row := range rows {
		resp.Tokens = append(resp.Tokens, TokenToProto(row))
	}
	return resp, nil
}

func (s *accessService) ListAuditRecords(ctx context.Context, req *monitorv1.ListAuditRecordsRequest) (*monitorv1.ListAuditRecordsResponse, error) {
	q := store.AuditQuery{Limit: pageSize(req.GetPageSize()) + 1, Resource: req.GetResource()}
	if t := req.GetPageToken(); t != "" {
		at, id, err := parseMarkToken(t)
		if err != nil {
			return nil, err
		}
		q.Before = record.AuditMark{At: at, ID: id}
	}
	rows, err := s.o.Store.ListAudit(ctx, q)
	if err != nil {
		return nil, err
	}
	resp := &monitorv1.ListAuditRecordsResponse{}
	if size := q.Limit - 1; len(rows) > size {
		rows = rows[:size]
		resp.NextPageToken = newMarkToken(rows[size-1].At, rows[size-1].ID)
	}
	for _, row := range rows {
		resp.Records = append(resp.Records, auditToProto(row))
	}
	return resp, nil
}

// TokenToProto converts a token.
func TokenToProto(t record.Token) *monitorv1.Token {
	p := &monitorv1.Token{
		TokenId: t.ID, Name: t.Name, Scopes: t.Scopes, Creator: t.Creator,
		ExpireTime: timestamp(t.Expires), CreateTime: timestamp(t.Created), LastUseTime: timestamp(t.Used), RevokeTime: timestamp(t.Revoked),
	}
	for _, b := range t.Blogs {
		p.BlogIds = append(p.BlogIds, int64(b))
	}
	return p
}

func auditToProto(a record.Audit) *monitorv1.AuditRecord {
	return &monitorv1.AuditRecord{
		RecordId: a.ID, RecordTime: timestamp(a.At), Caller: a.Caller, Method: a.Method, Resource: a.Resource,
		Before: a.Before, After: a.After, RequestId: a.RequestID,
	}
}

// newMarkToken returns the page token of what is listed the newest first, after a time and id.
func newMarkToken(at time.Time, id int64) string {
	return strconv.FormatInt(at.UnixMilli(), 36) + "." + token(id)
}

func parseMarkToken(t string) (time.Time, int64, error) {
	at, id, _ := strings.Cut(t, ".")
	ms, err := strconv.ParseInt(at, 36, 64)
	if err != nil || id == "" {
		return time.Time{}, 0, fault.InvalidField("page_token", "is not a token of this service")
	}
	n, err := parseToken(id)
	return time.UnixMilli(ms), n, err
}

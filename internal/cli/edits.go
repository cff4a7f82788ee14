package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// NewSites are sites to add.
type NewSites struct {
	// URLs yields them; an error is what cannot be read.
	URLs iter.Seq2[string, error]
	// Many means that there may be other than one.
	Many bool
	// Like is what the sites have in common.
	Like *monitorv1.Site
}

// AddSites adds sites and prints them. Each is asked for with an idempotency key, so that an
// attempt that is repeated adds none twice.
func (c Client) AddSites(ctx context.Context, n NewSites) error {
	sites := monitorv1.NewSiteServiceClient(c.Conn)
	out := c.sites(n.Many)
	added, total := 0, 0
	refused := refusals{c: c}
	for url, err := range n.URLs {
		if err != nil && ctx.Err() != nil {
			err = Interrupt("interrupted: %s added", format.Count(added, "site"))
		}
		if err != nil {
			return errorOr(endAfter(out, added), err)
		}
		if ctx.Err() != nil {
			return errorOr(endAfter(out, added), Interrupt("interrupted: %s added; %s and those after it were not", format.Count(added, "site"), format.Printable(url)))
		}
		total++
		site := proto.Clone(n.Like).(*monitorv1.Site)
		site.Url = url
		resp, err := call(context.WithoutCancel(ctx), &monitorv1.CreateSiteRequest{Site: site, IdempotencyKey: rand.Text()}, sites.CreateSite)
		switch {
		case err == nil:
			added++
			if err := out.add(resp.GetSite()); err != nil {
				return err
			}
			if added%shownAfter == 0 {
				if err := out.flush(); err != nil {
					return err
				}
			}
		case !n.Many:
			return c.explain(err)
		case concernsOne(err):
			refused.add(url, err)
		default:
			return errorOr(endAfter(out, added), fmt.Errorf("%s: %w (%s added before)", format.Printable(url), c.explain(err), format.Count(added, "site")))
		}
	}
	if err := out.end(""); err != nil {
		return err
	}
	if refused.count > 0 {
		return fmt.Errorf("%d of %d sites were refused", refused.count, total)
	}
	return nil
}

// Edit is a change of a site.
type Edit struct {
	// Site has the id and the new values, Mask the paths of those that change.
	Site *monitorv1.Site
	Mask []string
	// AddTags and RemoveTags change the tags that the site has.
	AddTags, RemoveTags []string
	// IfMatch, when not empty, is the etag that the site must still have.
	IfMatch string
}

// editAttempts is how often an edit of tags is tried while others edit the same site.
const editAttempts = 5

// EditSite changes a site and prints it.
func (c Client) EditSite(ctx context.Context, e Edit) error {
	ctx = context.WithoutCancel(ctx)
	var site *monitorv1.Site
	var err error
	for range editAttempts {
		site, err = c.edit(ctx, e)
		if status.Code(err) != codes.Aborted || e.IfMatch != "" || len(e.AddTags)+len(e.RemoveTags) == 0 {
			break
		}
	}
	if err != nil {
		return c.explain(err)
	}
	out := c.sites(false)
	return errorOr(out.add(site), out.end(""))
}

// edit makes one attempt. Tags are changed as they were read: the etag keeps an edit from
// being lost that somebody makes in between.
func (c Client) edit(ctx context.Context, e Edit) (*monitorv1.Site, error) {
	sites := monitorv1.NewSiteServiceClient(c.Conn)
	change := proto.Clone(e.Site).(*monitorv1.Site)
	change.Etag = e.IfMatch
	mask := slices.Clone(e.Mask)
	if len(e.AddTags)+len(e.RemoveTags) > 0 {
		read, err := call(ctx, &monitorv1.GetSiteRequest{SiteId: change.GetSiteId()}, sites.GetSite)
		if err != nil {
			return nil, err
		}
		if e.IfMatch == "" {
			change.Etag = read.GetSite().GetEtag()
		}
		change.Tags = slices.DeleteFunc(slices.Clone(read.GetSite().GetTags()), func(tag string) bool {
			return slices.Contains(e.RemoveTags, tag) || slices.Contains(e.AddTags, tag)
		})
		change.Tags = append(change.Tags, e.AddTags...)
		mask = append(mask, "tags")
	}
	req := &monitorv1.UpdateSiteRequest{Site: change, UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}}
	resp, err := call(ctx, req, sites.UpdateSite)
	return resp.GetSite(), err
}

// PauseSites stops the checks of sites and prints these.
func (c Client) PauseSites(ctx context.Context, ids IDs, etag string) error {
	sites := monitorv1.NewSiteServiceClient(c.Conn)
	out := c.sites(ids.Many)
	return c.each(ctx, ids, out, func(ctx context.Context, id int64) error {
		resp, err := call(ctx, &monitorv1.PauseSiteRequest{SiteId: id, Etag: etag}, sites.PauseSite)
		if err != nil {
			return err
		}
		return out.add(resp.GetSite())
	})
}

// ResumeSites has sites checked again and prints them.
func (c Client) ResumeSites(ctx context.Context, ids IDs, etag string) error {
	sites := monitorv1.NewSiteServiceClient(c.Conn)
	out := c.sites(ids.Many)
	return c.each(ctx, ids, out, func(ctx context.Context, id int64) error {
		resp, err := call(ctx, &monitorv1.ResumeSiteRequest{SiteId: id, Etag: etag}, sites.ResumeSite)
		if err != nil {
			return err
		}
		return out.add(resp.GetSite())
	})
}

// DeleteSites removes sites and prints their ids.
func (c Client) DeleteSites(ctx context.Context, ids IDs, etag string) error {
	sites := monitorv1.NewSiteServiceClient(c.Conn)
	out := format.NewIDs(c.Out, c.Output == JSON, c.Output == NDJSON)
	return c.each(ctx, ids, deletions{out}, func(ctx context.Context, id int64) error {
		again := false // a first attempt without an answer may have removed the site
		_, err := call(ctx, &monitorv1.DeleteSiteRequest{SiteId: id, Etag: etag}, func(ctx context.Context, req *monitorv1.DeleteSiteRequest, opts ...grpc.CallOption) (*monitorv1.DeleteSiteResponse, error) {
			resp, err := sites.DeleteSite(ctx, req, opts...)
			if again && status.Code(err) == codes.NotFound {
				return &monitorv1.DeleteSiteResponse{}, nil
			}
			again = true
			return resp, err
		})
		if err != nil {
			return err
		}
		return out.Add(id)
	})
}

// deletions lets the ids of removed sites end as lists of sites do.
type deletions struct{ ids *format.IDs }

func (d deletions) add(*monitorv1.Site) error { return nil }
func (d deletions) flush() error              { return d.ids.Flush() }
func (d deletions) end(string) error          { return d.ids.Close() }

// checkTimeout is the time that the contract asks for a check.
const checkTimeout = 30 * time.Second

// CheckSites checks sites now, prints what was seen, and returns the worst outcome: down
// before unknown before up.
func (c Client) CheckSites(ctx context.Context, ids IDs) (worst checkv1.Outcome, err error) {
	sites := monitorv1.NewSiteServiceClient(c.Conn)
	worst = checkv1.Outcome_OUTCOME_UP
	err = c.each(ctx, ids, deletions{format.NewIDs(io.Discard, false, false)}, func(ctx context.Context, id int64) error {
		resp, err := once(ctx, checkTimeout, &monitorv1.CheckSiteRequest{SiteId: id}, sites.CheckSite)
		if err != nil {
			return err
		}
		seen := resp.GetObservation()
		if outcome := seen.GetOutcome(); outcome == checkv1.Outcome_OUTCOME_DOWN || worst == checkv1.Outcome_OUTCOME_UP {
			worst = outcome
		}
		if c.Output == JSON && !ids.Many {
			return format.JSON(c.Out, seen)
		}
		return format.Checked(c.Out, id, seen, c.Output == JSON || c.Output == NDJSON)
	})
	return worst, err
}
